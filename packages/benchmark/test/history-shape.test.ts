import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { seededRandom } from '../src/statistics.ts'
import { changePoints } from '../src/statistics/change-points.ts'
import { twoModes } from '../src/statistics/modes.ts'
import { describeHistory } from '../src/verdict/describe-history.ts'

const { sets } = JSON.parse(readFileSync(new URL('fixtures/statistics-reference.json', import.meta.url), 'utf8')) as {
  readonly sets: Readonly<
    Record<
      string,
      {
        readonly values: readonly number[]
        readonly two_means: {
          readonly low: number
          readonly high: number
          readonly low_count: number
          readonly deviation: number
        }
      }
    >
  >
}

/** Standard normal numbers. */
function normals(seed: number): () => number {
  const random = seededRandom(seed)
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

describe('change points', () => {
  test('are where the level moved, and nowhere else', () => {
    const normal = normals(3)
    const level = (of: number, count: number): number[] => Array.from({ length: count }, () => of + 0.4 * normal())
    expect(changePoints([...level(100, 15), ...level(97, 12), ...level(101, 20)]).map(({ at }) => at)).toEqual([15, 27])
  })

  test('are found in at most a few of 40 histories that never moved', () => {
    const normal = normals(4)
    const moved = Array.from({ length: 40 }, () => changePoints(Array.from({ length: 20 }, () => 100 + normal())))
    expect(moved.filter(points => points.length > 0).length).toBeLessThanOrEqual(3)
  })

  test('do not depend on the unit', () => {
    const normal = normals(5)
    const values = Array.from({ length: 24 }, (_, index) => (index < 12 ? 100 : 96) + 0.5 * normal())
    fc.assert(
      fc.property(fc.constantFrom(0.25, 2, 64), factor => {
        const places = changePoints(values.map(value => value * factor)).map(({ at }) => at)
        expect(places).toEqual(changePoints(values).map(({ at }) => at))
      }),
      { numRuns: 3 },
    )
  })

  test('are not looked for in nine runs, nor found in equal ones', () => {
    expect(changePoints([1, 1, 1, 1, 9, 9, 9, 9, 9])).toEqual([])
    expect(changePoints(Array.from({ length: 30 }, () => 5))).toEqual([])
  })
})

describe('two kinds of hosts', () => {
  const kinds = sets['two kinds of hosts']
  if (kinds === undefined) throw new Error('the fixture lacks its set')

  test('are split as by brute force', () => {
    const found = twoModes(kinds.values, 0)
    expect(found?.low).toBeCloseTo(kinds.two_means.low, 9)
    expect(found?.high).toBeCloseTo(kinds.two_means.high, 9)
    expect(found?.lowCount).toBe(kinds.two_means.low_count)
    expect(found?.deviation).toBeCloseTo(kinds.two_means.deviation, 9)
  })

  test('do not depend on the order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...kinds.values], { minLength: kinds.values.length }), values => {
        expect(twoModes(values, 0)).toEqual(twoModes(kinds.values, 0))
      }),
      { numRuns: 20 },
    )
  })

  test.each([
    [20, 0.002],
    [10, 0.035],
  ])('are seen in few histories of %i like hosts (share at most %d)', (hosts, share) => {
    const normal = normals(6)
    const seen = Array.from({ length: 2000 }, () =>
      twoModes(
        Array.from({ length: hosts }, () => 100 * (1 + 0.01 * normal())),
        0.5,
      ),
    ).filter(found => found !== null)
    expect(seen.length).toBeLessThanOrEqual(2000 * share)
  })

  test('need a fifth of the hosts each: fewer are outliers', () => {
    expect(twoModes([...Array.from({ length: 17 }, (_, i) => 100 + i / 50), 90, 90.1, 90.2], 0.5)).toBeNull()
    expect(twoModes([...Array.from({ length: 16 }, (_, i) => 100 + i / 50), 90, 90.1, 90.2, 90.3], 0.5)).toMatchObject({
      lowCount: 4,
    })
  })
})

describe('the description of a history', () => {
  test('says where the level moved, by how much, and what to do', () => {
    const step = sets['a step of 3 % after run 12']?.values ?? []
    const { changes, findings } = describeHistory(step)
    expect(changes).toEqual([12])
    expect(findings[0]).toMatch(/changed by −2\.9 % at run 13 of 26.*mark/)
  })

  test('says that there are two kinds of hosts', () => {
    const { kinds, findings } = describeHistory(sets['two kinds of hosts']?.values ?? [])
    expect(kinds).toBe(2)
    expect(findings.join(' ')).toMatch(/two kinds, 5\.1 % apart/)
  })

  test('finds nothing in a quiet history, and says which loss it would show', () => {
    const { findings, smallestDetectableLoss } = describeHistory(sets['ten hosts']?.values ?? [])
    expect(findings).toEqual([])
    expect(smallestDetectableLoss).toBeGreaterThan(0.02)
    expect(smallestDetectableLoss).toBeLessThan(0.06)
  })

  test('of nothing is nothing', () => {
    expect(describeHistory([])).toMatchObject({ changes: [], smallestDetectableLoss: null })
  })
})
