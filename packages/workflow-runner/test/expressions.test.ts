import { describe, expect, test } from '@jest/globals'
import type { Template } from '../src/template.ts'
import { evaluate, evaluateExpression, evaluateMap, textOf, truthy } from '../src/expressions.ts'

const place = { file: 'x.yml', line: 7 }

describe('expressions', () => {
  test.each([
    ["inputs.a || 'other'", 'other'],
    ['steps.s.outputs.x', 'y'],
    ['steps.s.outputs.none', null],
    ['steps.none.outputs.x', null],
    ['github.event.inputs.n', '3'],
    ["fromJSON('[1,2]')[1]", 2],
    ["format('{0}-{1}', github.run_id, inputs.n)", '7-3'],
    ["contains(fromJSON('[\"a\"]'), 'A')", true],
    ['needs.*.result', []],
    ["inputs.flag && 'ssm' || 'gpu'", 'gpu'],
  ])('%s', (expression, expected) => {
    const contexts = {
      inputs: { a: '', n: 3, flag: false },
      steps: { s: { outputs: { x: 'y' } } },
      github: { run_id: '7', event: { inputs: { n: '3' } } },
    }
    expect(evaluateExpression(expression, contexts)).toEqual(expected)
  })

  test('there is no arithmetic', () => {
    expect(() => evaluateExpression('inputs.n * 2', {})).toThrow('Unexpected symbol')
  })

  test('status functions answer for the place they stand at', () => {
    const cancelled = { success: false, failure: false, cancelled: true }
    expect(evaluateExpression('always()', {}, cancelled)).toBe(true)
    expect(evaluateExpression('!cancelled()', {}, cancelled)).toBe(false)
    expect(evaluateExpression('success() || failure()', {}, cancelled)).toBe(false)
  })

  test('a function that is missing here is refused by name, with its place', () => {
    const template: Template = { kind: 'expression', expression: "hashFiles('x')", place }
    expect(() => evaluate(template, {})).toThrow("x.yml:7: ${{ hashFiles('x') }}: hashFiles is not supported")
  })

  test('maps become texts as in environment variables', () => {
    const scalar = (value: string | number | boolean | null): Template => ({ kind: 'scalar', value, place })
    const entries = Object.entries({ n: 1.5, b: true, s: 'x', nothing: null }).map(([key, value]) => ({
      key,
      value: scalar(value),
      place,
    }))
    expect(evaluateMap({ kind: 'map', entries, place }, {})).toEqual({ n: '1.5', b: 'true', s: 'x', nothing: '' })
  })

  test('objects are called Object, and only nothing is false', () => {
    expect(textOf({ a: 1 })).toBe('Object')
    expect([null, '', 0, false, NaN].map(truthy)).toEqual([false, false, false, false, false])
    expect(['0', 'false', -1, {}].map(truthy)).toEqual([true, true, true, true])
  })
})
