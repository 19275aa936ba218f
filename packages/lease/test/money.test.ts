import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { costMicros, formatUsd, sum, toMicros, toUsd } from '../src/index.ts'

describe('money', () => {
  test('is counted in whole micro-dollars', () => {
    expect(costMicros({ usdPerHour: 21.957642, source: 's', date: 'd' }, 1)).toBe(6099)
    expect(costMicros({ usdPerHour: 1.212, source: 's', date: 'd' }, 3600)).toBe(1_212_000)
  })

  test('is unknown when the price is', () => {
    expect(costMicros(null, 60)).toBeNull()
    expect(sum([1, null, 2])).toBeNull()
    expect(sum([1, 2])).toBe(3)
  })

  test('survives the way to USD and back', () => {
    fc.assert(fc.property(fc.nat(), micros => expect(toMicros(toUsd(micros))).toBe(micros)))
  })

  test.each([
    [1.212, '$1.212'],
    [0.0202, '$0.0202'],
    [2, '$2.00'],
    [0.5, '$0.50'],
    [55.04, '$55.04'],
  ])('shows %d as %s', (usd, text) => expect(formatUsd(usd)).toBe(text))
})
