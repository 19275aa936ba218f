import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockThroughput, medianWithInterval, seededRandom, unsteadiness } from '../src/statistics.ts'

const figures = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 5, maxLength: 40 })

describe('the interval of a run', () => {
  test('holds the median and lies within the blocks', () => {
    fc.assert(
      fc.property(figures, values => {
        const { median, interval } = medianWithInterval(values)
        if (median === null || interval === null) throw new Error('five blocks have an interval')
        expect(interval.low).toBeGreaterThanOrEqual(Math.min(...values))
        expect(interval.low).toBeLessThanOrEqual(median)
        expect(interval.high).toBeGreaterThanOrEqual(median)
        expect(interval.high).toBeLessThanOrEqual(Math.max(...values))
      }),
      { numRuns: 10 },
    )
  })

  test('is the same each time it is computed', () => {
    const values = [101, 99, 100, 102, 98, 103]
    expect(medianWithInterval(values)).toEqual(medianWithInterval(values))
  })

  test('is null with fewer than five blocks, and so is the median with none', () => {
    expect(medianWithInterval([1, 2, 3, 4])).toEqual({ median: 2.5, interval: null })
    expect(medianWithInterval([])).toEqual({ median: null, interval: null })
  })

  test('covers the true median of normal noise in about 95 of 100 runs', () => {
    const random = seededRandom(1)
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const covered = Array.from({ length: 80 }, () => medianWithInterval(Array.from({ length: 20 }, normal)))
      .map(({ interval }) => interval !== null && interval.low <= 0 && interval.high >= 0)
      .filter(Boolean).length
    expect(covered).toBeGreaterThan(80 * 0.87)
  })
})

test('one stalled step does not move the throughput of its block', () => {
  expect(blockThroughput([100, 100, 5000, 100, 100], 32)).toBe(320)
})

test('seeded numbers are uniform enough and repeat', () => {
  const [one, other] = [seededRandom(7), seededRandom(7)]
  const drawn = Array.from({ length: 1000 }, () => one())
  expect(drawn).toEqual(Array.from({ length: 1000 }, () => other()))
  expect(drawn.every(value => value >= 0 && value < 1)).toBe(true)
  expect(drawn.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1)
})

test('unsteadiness is the interquartile range over the median', () => {
  expect(unsteadiness([80, 90, 100, 110, 120])).toBeCloseTo(0.2, 5)
  expect(unsteadiness([100, 100, 100])).toBeNull()
})
