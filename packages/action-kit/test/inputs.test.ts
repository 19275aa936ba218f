import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import * as input from '../src/inputs.ts'
import type { Input } from '../src/inputs.ts'

const about = 'A thing.'

const refusal = (kind: Input<unknown>, text: string): string => {
  try {
    return `accepted as ${JSON.stringify(kind.parse(text))}`
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return error.message
  }
}

describe('text', () => {
  const id = input.text({ about, pattern: /^i-[0-9a-f]{17}$/, must: 'an instance id such as i-0123456789abcdef0' })

  test('comes back as it is when the pattern allows it', () => {
    expect(id.parse('i-0123456789abcdef0')).toBe('i-0123456789abcdef0')
  })

  test('is refused with what would have been right', () => {
    expect(refusal(id, 'i-123')).toBe('must be an instance id such as i-0123456789abcdef0')
  })

  test('shows the pattern when nobody put it into words', () => {
    expect(refusal(input.text({ about, pattern: /^a+$/ }), 'b')).toBe('must be like ^a+$')
  })
})

describe('numbers', () => {
  test.each([
    ['200', 200],
    ['-3', -3],
    ['007', 7],
  ])('a whole number is read from %s', (text, value) => {
    expect(input.integer({ about }).parse(text)).toBe(value)
  })

  test.each(['1.5', '1e3', '0x10', 'NaN', '12 ', '--1', '1_000', ''])('%j is no whole number', text => {
    expect(refusal(input.integer({ about }), text)).toBe('must be a whole number')
  })

  test.each(['.5', '1.', '1e3', 'Infinity', '1,5'])('%j is no decimal number', text => {
    expect(refusal(input.number({ about }), text)).toBe('must be a decimal number')
  })

  test('a decimal number keeps its fraction', () => {
    expect(input.number({ about }).parse('-0.25')).toBe(-0.25)
  })

  test.each([
    [{ min: 1, max: 90 }, '0', 'must be between 1 and 90'],
    [{ min: 1, max: 90 }, '91', 'must be between 1 and 90'],
    [{ min: 1 }, '0', 'must be at least 1'],
    [{ max: 8 }, '9', 'must be at most 8'],
  ])('outside of %j, %s is refused', (range, text, message) => {
    expect(refusal(input.integer({ about, ...range }), text)).toBe(message)
    expect(refusal(input.number({ about, ...range }), text)).toBe(message)
  })

  test('both ends of a range belong to it', () => {
    const days = input.integer({ about, min: 1, max: 90 })
    expect([days.parse('1'), days.parse('90')]).toEqual([1, 90])
  })
})

test.each([
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['FALSE', false],
])('%s is a boolean as YAML 1.2 writes it', (text, value) => {
  expect(input.boolean({ about }).parse(text)).toBe(value)
})

test.each(['yes', '1', 'tRue', 'on'])('%s is no boolean', text => {
  expect(refusal(input.boolean({ about }), text)).toBe('must be true or false')
})

describe('duration', () => {
  test('is refused with examples', () => {
    expect(refusal(input.duration({ about }), '1 day')).toBe(
      'must be a duration such as 30s, 45m, 1h30m or a number of minutes',
    )
  })

  test('names its range in the words in which it is written', () => {
    const ttl = input.duration({ about, min: 5 * 60_000, max: 6 * 3_600_000 })
    expect(refusal(ttl, '4m59s')).toBe('must be between 5m and 6h')
    expect(ttl.parse('5')).toBe(300_000)
  })
})

describe('list', () => {
  test('takes commas and newlines, and drops blanks and empty entries', () => {
    expect(input.list({ about }).parse(' g5.xlarge,\n\n g6.xlarge , ,g4dn.xlarge\r\n')).toEqual([
      'g5.xlarge',
      'g6.xlarge',
      'g4dn.xlarge',
    ])
  })

  test('checks every entry', () => {
    expect(refusal(input.list({ about, pattern: /^g/, must: 'a G type' }), 'g5,p3')).toBe('must be a G type')
  })

  test('what was joined by a comma or a newline comes apart again', () => {
    const entry = fc.stringMatching(/^[A-Za-z0-9._/-]{1,12}$/)
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1 }), fc.constantFrom(',', '\n', ', ', ' ,\n'), (entries, between) => {
        expect(input.list({ about }).parse(entries.join(between))).toEqual(entries)
      }),
    )
  })
})

describe('tags', () => {
  test('keep everything behind the first equals sign', () => {
    expect(input.tags({ about }).parse('team = perf\nquery=a=b,empty=')).toEqual({
      team: 'perf',
      query: 'a=b',
      empty: '',
    })
  })

  test.each(['team', '=perf', 'a=1,b'])('%s is refused', text => {
    expect(refusal(input.tags({ about }), text)).toMatch(/^must be key=value pairs; '.*' is none$/)
  })
})

describe('oneOf', () => {
  const market = input.oneOf(['on-demand', 'spot'], { about: 'How to pay.', fallback: 'on-demand' })

  test('documents its choices', () => {
    expect(market.about).toBe('How to pay. One of: `on-demand`, `spot`.')
  })

  test('lists them when the word is another', () => {
    expect(refusal(market, 'Spot')).toBe('must be one of on-demand, spot')
  })
})

test('only a secret is marked as one', () => {
  expect(input.secret({ about }).secret).toBe(true)
  expect(input.text({ about }).secret).toBe(false)
})
