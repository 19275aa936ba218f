import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { median } from 'simple-statistics'
import { medianWithInterval } from '../src/statistics.ts'
import { bestSplit } from '../src/statistics/change-points.ts'
import { driftOf } from '../src/statistics/drift.ts'
import { pairedDifference } from '../src/statistics/paired.ts'
import {
  coefficientOfVariation,
  inlierDeviation,
  middleHalf,
  modifiedZ,
  robustDeviation,
  robustSlope,
} from '../src/statistics/robust.ts'

interface Reference {
  readonly sets: Readonly<
    Record<
      string,
      {
        readonly values: readonly number[]
        readonly median: number
        readonly middle_half: number
        readonly robust_deviation: number
        readonly variation: number
        readonly modified_z_of_first: number
        readonly slope: number
        readonly trend_p: number
        readonly interval_of_median: readonly [number, number]
        readonly energy_split: { readonly at: number; readonly strength: number } | null
      }
    >
  >
  readonly pairs: {
    readonly base: readonly number[]
    readonly head: readonly number[]
    readonly percent: number
    readonly interval: readonly [number, number]
  }
}

/** Written by fixtures/make_reference.py with scipy and numpy. */
const reference = JSON.parse(
  readFileSync(new URL('fixtures/statistics-reference.json', import.meta.url), 'utf8'),
) as Reference

describe.each(Object.entries(reference.sets))('for %s, scipy and numpy agree about', (_, expected) => {
  const { values } = expected

  test('median, quartiles, spread and modified z', () => {
    expect(median([...values])).toBeCloseTo(expected.median, 9)
    expect(middleHalf(values)).toBeCloseTo(expected.middle_half, 9)
    expect(robustDeviation(values)).toBeCloseTo(expected.robust_deviation, 9)
    expect(coefficientOfVariation(values)).toBeCloseTo(expected.variation, 9)
    expect(modifiedZ(values[0] ?? Number.NaN, values)).toBeCloseTo(expected.modified_z_of_first, 9)
  })

  test('the robust slope and whether there is a trend', () => {
    expect(robustSlope(values)).toBeCloseTo(expected.slope, 9)
    expect(driftOf(values)?.significant).toBe(expected.trend_p < 0.05)
  })

  test('the bootstrap interval of the median, but for the draw', () => {
    const { interval } = medianWithInterval(values)
    const [low, high] = expected.interval_of_median
    const within = 0.15 * Math.max(high - low, 1e-9)
    expect(Math.abs((interval?.low ?? Number.NaN) - low)).toBeLessThanOrEqual(within)
    expect(Math.abs((interval?.high ?? Number.NaN) - high)).toBeLessThanOrEqual(within)
  })

  test('the best split by energy distance', () => {
    if (expected.energy_split === null || expected.energy_split.at === 0) return
    const split = bestSplit(values)
    expect(split.at).toBe(expected.energy_split.at)
    expect(split.strength).toBeCloseTo(expected.energy_split.strength, 9)
  })
})

test('a paired difference is the one of scipy, but for the draw', () => {
  const { base, head, percent, interval } = reference.pairs
  const found = pairedDifference(base.map((value, index) => ({ base: value, head: head[index] ?? Number.NaN })))
  expect(found?.pairs).toBe(150)
  expect(found?.percent).toBeCloseTo(percent, 9)
  expect(found?.interval.low).toBeCloseTo(interval[0], 0)
  expect(found?.interval.high).toBeCloseTo(interval[1], 0)
})

const figure = fc.double({ min: 1, max: 1000, noNaN: true })
const figures = fc.array(figure, { minLength: 5, maxLength: 30 })
/** Every exported figure of spread. */
const spreads = { robustDeviation, middleHalf, inlier: (values: readonly number[]) => inlierDeviation(values, 0) }

describe.each(Object.entries(spreads))('the spread %s', (_, spread) => {
  test('does not depend on the order', () => {
    fc.assert(
      fc.property(
        figures.chain(values =>
          fc.tuple(fc.constant(values), fc.shuffledSubarray(values, { minLength: values.length })),
        ),
        ([values, shuffled]) => {
          expect(spread(shuffled)).toBeCloseTo(spread(values) ?? Number.NaN, 6)
        },
      ),
    )
  })

  test('grows with the unit and stays where all values move alike', () => {
    fc.assert(
      fc.property(figures, fc.constantFrom(0.5, 2, 1024), fc.integer({ min: -8, max: 8 }), (values, factor, by) => {
        const plain = spread(values) ?? Number.NaN
        expect(spread(values.map(value => value * factor))).toBeCloseTo(plain * factor, 4)
        expect(spread(values.map(value => value + by))).toBeCloseTo(plain, 4)
      }),
    )
  })

  test('is never below 0, and 0 when all values are equal', () => {
    fc.assert(fc.property(figures, values => expect(spread(values)).toBeGreaterThanOrEqual(0)))
    expect(spread([7, 7, 7, 7, 7])).toBe(0)
  })
})

test('the spread of the inliers is not moved by a wild value', () => {
  const hosts = [100, 100.2, 99.9, 100.1, 99.8, 100.3, 99.7, 100, 100.1, 99.9]
  const alone = inlierDeviation(hosts, 0.5) ?? Number.NaN
  for (const wild of [10, 90, 110, 1e6]) expect(inlierDeviation([...hosts, wild], 0.5)).toBeCloseTo(alone, 9)
})

test('what cannot be told from so few values is null', () => {
  expect(robustDeviation([])).toBeNull()
  expect(coefficientOfVariation([1])).toBeNull()
  expect(inlierDeviation([1], 0)).toBeNull()
  expect(robustSlope([1])).toBeNull()
  expect(middleHalf([1, 2, 3])).toBeNull()
  expect(modifiedZ(3, [2, 2, 2])).toBeNull()
  expect(driftOf([1, 2, 3, 4])).toBeNull()
  expect(pairedDifference(Array.from({ length: 19 }, () => ({ base: 1, head: 1 })))).toBeNull()
})

test('the robust slope of a line is its slope, whatever a quarter of the values are', () => {
  fc.assert(
    fc.property(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 0, max: 11 }), figure, (slope, at, wild) => {
      const line = Array.from({ length: 12 }, (_, index) => 500 + slope * index)
      expect(robustSlope(line.map((value, index) => (index === at ? wild * 1e3 : value)))).toBeCloseTo(slope, 6)
    }),
  )
})

describe('the paired interval', () => {
  const pairs = fc.array(fc.record({ base: figure, head: figure }), { minLength: 20, maxLength: 40 })

  test('holds its middle and lies within the pairs', () => {
    fc.assert(
      fc.property(pairs, sample => {
        const found = pairedDifference(sample)
        const percents = sample.map(({ base, head }) => (head / base - 1) * 100)
        if (found === null) throw new Error('twenty pairs have an interval')
        expect(found.interval.low).toBeLessThanOrEqual(found.percent)
        expect(found.interval.high).toBeGreaterThanOrEqual(found.percent)
        expect(found.interval.low).toBeGreaterThanOrEqual(Math.min(...percents))
        expect(found.interval.high).toBeLessThanOrEqual(Math.max(...percents))
      }),
      { numRuns: 8 },
    )
  })

  test('does not move when both of each pair slow down alike', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom(0.5, 2, 4), (sample, factor) => {
        const slowed = sample.map(({ base, head }) => ({ base: base * factor, head: head * factor }))
        expect(pairedDifference(slowed)).toEqual(pairedDifference(sample))
      }),
      { numRuns: 4 },
    )
  })
})
