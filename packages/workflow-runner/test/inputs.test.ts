import { describe, expect, test } from '@jest/globals'
import { checkCallInputs, checkCallSecrets, checkDispatchInputs } from '../src/inputs.ts'
import { readWorkflow } from '../src/workflow.ts'

const workflow = readWorkflow(
  'x.yml',
  `
on:
  workflow_dispatch:
    inputs: &inputs
      text: { type: string, default: d }
      count: { type: number, default: 2 }
      flag: { type: boolean }
      must: { type: string, required: true }
  workflow_call:
    inputs: *inputs
    secrets:
      KEY: { required: true }
      OTHER: { required: false }
jobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
`,
)
const call = workflow.call ?? { inputs: [], secrets: [], outputs: [] }

describe('inputs of a dispatch', () => {
  test('get their types and defaults', () => {
    const { values, faults } = checkDispatchInputs(workflow.dispatch, { must: 'm', flag: 'true' })
    expect(faults).toEqual([])
    expect(values).toEqual({ text: 'd', count: 2, flag: true, must: 'm' })
  })

  test('all faults are told at once', () => {
    const { faults } = checkDispatchInputs(workflow.dispatch, { count: 'x', flag: 'yes', extra: '1' })
    expect(faults).toEqual([
      "there is no input 'extra' (there are: text, count, flag, must)",
      "input 'count' is a number, not 'x'",
      "input 'flag' is a boolean: true or false, not 'yes'",
      "input 'must' is required and was not given",
    ])
  })

  test('a choice takes only its options, and the first when nothing is given', () => {
    const choice = { name: 'c', type: 'choice', required: false, fallback: null, options: ['a', 'b'] } as const
    expect(checkDispatchInputs([choice], {}).values).toEqual({ c: 'a' })
    expect(checkDispatchInputs([choice], { c: 'z' }).faults).toEqual(["input 'c' must be one of a, b, not 'z'"])
  })
})

describe('inputs of a called workflow', () => {
  test('types are strict', () => {
    expect(checkCallInputs(call, { must: 'm', count: '3' }).faults).toEqual([
      "input 'count' is a number, but a string was passed",
    ])
    expect(checkCallInputs(call, { must: 'm', count: 3, flag: true }).values).toEqual({
      text: 'd',
      count: 3,
      flag: true,
      must: 'm',
    })
  })

  test('what is missing and what does not exist are both told', () => {
    expect(checkCallInputs(call, { nope: 1 }).faults).toEqual([
      "invalid input, 'nope' is not defined in the called workflow",
      "input 'must' is required, but not provided while calling",
    ])
  })

  test('secrets are passed by name or inherited', () => {
    const own = { KEY: 'k', SPARE: 's' }
    expect(checkCallSecrets(call, null, own, {}).faults).toEqual([
      "secret 'KEY' is required, but not provided while calling",
    ])
    expect(checkCallSecrets(call, 'inherit', own, {}).values).toEqual(own)
  })
})
