import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { at, flag, list, parseQuery, plain, text, texts } from '../src/aws/query.ts'

type Tree = string | { [name: string]: Tree }

const name = fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/).filter(word => word !== '__proto__')
const { tree } = fc.letrec<{ tree: Tree }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.string({ unit: 'grapheme' }),
    fc.dictionary(name, tie('tree'), { minKeys: 1, maxKeys: 4 }),
  ),
}))
const request = fc.dictionary(name, tree, { minKeys: 1, maxKeys: 5 })

const pairs = (value: Tree, path: string): [string, string][] =>
  typeof value === 'string'
    ? [[path, value]]
    : Object.entries(value).flatMap(([key, child]) => pairs(child, path === '' ? key : `${path}.${key}`))

const sorted = (value: Tree): unknown =>
  typeof value === 'string'
    ? value
    : Object.fromEntries(
        Object.keys(value)
          .sort()
          .map(key => [key, sorted(value[key] ?? '')]),
      )

describe('the parameters of a query request', () => {
  test('come back as they were sent, whatever their names and values', () => {
    fc.assert(
      fc.property(request, sent => {
        const body = new URLSearchParams(pairs(sent, '')).toString()
        expect(JSON.stringify(plain(parseQuery(body)))).toBe(JSON.stringify(sorted(sent)))
      }),
    )
  })

  test('keep the order of a list by its numbers, not by its text, and forgive gaps', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }), numbers => {
        const body = new URLSearchParams(numbers.map((number): [string, string] => [`Id.${number}`, `i-${number}`]))
        const expected = numbers.toSorted((a, b) => a - b).map(number => `i-${number}`)
        expect(texts(parseQuery(body.toString()), 'Id')).toEqual(expected)
      }),
    )
  })

  test('do not reach the prototypes of objects', () => {
    const node = parseQuery('__proto__.polluted=yes&constructor.prototype.polluted=yes')
    expect(text(node, '__proto__.polluted')).toBe('yes')
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test('are looked up by dotted paths', () => {
    const node = parseQuery('Tag.1.Key=a&Tag.1.Value=&DryRun=true&Force=false&Other=maybe')
    expect(list(node, 'Tag').map(tag => [text(tag, 'Key'), text(tag, 'Value')])).toEqual([['a', '']])
    expect([flag(node, 'DryRun'), flag(node, 'Force'), flag(node, 'Other'), flag(node, 'None')]).toEqual([
      true,
      false,
      undefined,
      undefined,
    ])
    expect(at(node, 'No.Such.Path').children.size).toBe(0)
  })
})
