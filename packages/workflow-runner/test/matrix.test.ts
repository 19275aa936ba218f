import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { combinationName, expandMatrix } from '../src/matrix.ts'

describe('matrix', () => {
  test("expands GitHub's own example of include", () => {
    // docs.github.com, "Expanding or adding matrix configurations"
    const combinations = expandMatrix({
      fruit: ['apple', 'pear'],
      animal: ['cat', 'dog'],
      include: [
        { color: 'green' },
        { color: 'pink', animal: 'cat' },
        { fruit: 'apple', shape: 'circle' },
        { fruit: 'banana' },
        { fruit: 'banana', animal: 'cat' },
      ],
    })
    expect(combinations).toEqual([
      { fruit: 'apple', animal: 'cat', color: 'pink', shape: 'circle' },
      { fruit: 'apple', animal: 'dog', color: 'green', shape: 'circle' },
      { fruit: 'pear', animal: 'cat', color: 'pink' },
      { fruit: 'pear', animal: 'dog', color: 'green' },
      { fruit: 'banana' },
      { fruit: 'banana', animal: 'cat' },
    ])
  })

  test('exclude takes out what it matches in part', () => {
    expect(expandMatrix({ a: [1, 2], b: [1, 2], exclude: [{ a: 1 }, { a: 2, b: 2 }] })).toEqual([{ a: 2, b: 1 }])
  })

  test('include alone makes one job an entry', () => {
    expect(expandMatrix({ include: [{ a: 1 }, { a: 2 }] })).toEqual([{ a: 1 }, { a: 2 }])
  })

  test.each([
    ['a list that is none', { a: 'x' }, 'matrix.a must be a list'],
    ['nothing left', { a: [1], exclude: [{ a: 1 }] }, 'no combination left'],
    ['more than 256 jobs', { a: Array.from({ length: 257 }, (_, i) => i) }, '257 jobs'],
    ['no map', [1], 'must be a map'],
  ])('refuses %s', (_, matrix, message) => {
    expect(() => expandMatrix(matrix)).toThrow(message)
  })

  test('without include and exclude it is the product of its lists, without repetition', () => {
    const axis = fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(axis, axis, axis, (a, b, c) => {
        const combinations = expandMatrix({ a, b, c })
        expect(combinations).toHaveLength(a.length * b.length * c.length)
        expect(new Set(combinations.map(each => JSON.stringify(each))).size).toBe(combinations.length)
      }),
    )
  })

  test('a job is named after its values', () => {
    expect(combinationName({ type: 'g5.xlarge', n: 2, more: { a: 1 } })).toBe('g5.xlarge, 2, {"a":1}')
  })
})
