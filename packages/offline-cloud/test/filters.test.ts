import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { checkFilters, passes, type Fields } from '../src/ec2/filters.ts'
import { fitsPattern } from '../src/patterns.ts'

interface Thing {
  readonly id: string
  readonly zones: readonly string[]
}

const fields: Fields<Thing> = { id: ({ id }) => [id], zone: ({ zones }) => zones }

const escaped = (text: string): string => text.replace(/[\\*?]/g, String.raw`\$&`)
const line = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?', '\\', '(', '\n', '$') })

describe('a pattern', () => {
  test('fits exactly the text that it spells when nothing in it is special', () => {
    fc.assert(
      fc.property(line, line, (left, right) => {
        expect(fitsPattern(escaped(left), right)).toBe(left === right)
      }),
    )
  })

  test('with stars fits every text that has its pieces in their order', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), line, (pieces, filling) => {
        expect(fitsPattern(pieces.map(escaped).join('*'), pieces.join(filling))).toBe(true)
      }),
    )
  })

  test('with a question mark wants one character, no more and no less', () => {
    expect(['ac', 'abc', 'abbc'].map(text => fitsPattern('a?c', text))).toEqual([false, true, false])
  })

  test('of many stars is quick on a long text that does not fit', () => {
    const before = performance.now()
    expect(fitsPattern(`${'*'.repeat(500)}b`, 'a'.repeat(2000))).toBe(false)
    expect(performance.now() - before).toBeLessThan(1000)
  })
})

describe('filters', () => {
  const word = fc.constantFrom('a', 'b', 'c')
  const thing = fc.record({ id: word, zones: fc.array(word) })

  test('hold when each has one value among those of the resource', () => {
    fc.assert(
      fc.property(thing, fc.array(word), fc.array(word), (resource, ids, zones) => {
        const filters = [
          { name: 'id', values: ids },
          { name: 'zone', values: zones },
        ]
        const expected = ids.includes(resource.id) && zones.some(zone => resource.zones.includes(zone))
        expect(passes(resource, filters, fields)).toBe(expected)
      }),
    )
  })

  test('look at tags by key, by value and by pattern', () => {
    const tags = { 'gpu-actions:lease': '12-1-abc', Name: 'bench' }
    const fits = (name: string, ...values: string[]) => passes({ id: 'a', zones: [] }, [{ name, values }], fields, tags)
    expect(fits('tag:gpu-actions:lease', '12-1-abc')).toBe(true)
    expect(fits('tag:gpu-actions:lease', '12-*')).toBe(true)
    expect(fits('tag:gpu-actions:lease', '12')).toBe(false)
    expect(fits('tag:missing', '*')).toBe(false)
    expect(fits('tag-key', 'Name')).toBe(true)
    expect(fits('tag-key', 'name')).toBe(false)
  })

  test('that nothing stands for are refused by name', () => {
    expect(() => checkFilters([{ name: 'colour', values: ['red'] }], fields)).toThrow("The filter 'colour' is invalid")
    expect(() => checkFilters([{ name: 'toString', values: ['red'] }], fields)).toThrow('invalid')
  })
})
