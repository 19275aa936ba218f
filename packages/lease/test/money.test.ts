import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { attempt, offer } from './fixtures/examples.ts'
import {
  costMicros,
  effectiveTtl,
  formatUsd,
  hourlyCost,
  priceRefusal,
  shortestTtlMs,
  spentMicros,
  sum,
  toMicros,
  toUsd,
  type Offer,
} from '../src/index.ts'

type Priced = Pick<Offer, 'price' | 'extras' | 'market'>

const priced = (usdPerHour: number | null, ...extras: number[]): Priced => ({
  price: usdPerHour === null ? null : { usdPerHour, source: 's', date: 'd' },
  extras: extras.map(usd => ({ what: 'storage', usdPerHour: usd, source: 's', date: 'd' })),
  market: 'on-demand',
})
const hour = 3_600_000

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

describe('a budget', () => {
  const cases: readonly [string, number, number | null, Priced, unknown][] = [
    [
      'does nothing when there is none',
      hour,
      null,
      priced(null),
      { kind: 'affordable', ttlMs: hour, isCutByBudget: false },
    ],
    [
      'leaves a ttl that it pays for',
      hour,
      2,
      priced(1.2, 0.02),
      { kind: 'affordable', ttlMs: hour, isCutByBudget: false },
    ],
    [
      'cuts the ttl to what it pays for, extras included',
      hour,
      1,
      priced(1.9, 0.1),
      { kind: 'affordable', ttlMs: hour / 2, isCutByBudget: true },
    ],
    [
      'counts only what is beside a machine that was paid in advance',
      hour,
      0.05,
      { ...priced(null, 0.1), market: 'capacity-block' },
      { kind: 'affordable', ttlMs: hour / 2, isCutByBudget: true },
    ],
    [
      'is no limit where nothing is left to pay',
      hour,
      0.01,
      { ...priced(null), market: 'capacity-block' },
      { kind: 'affordable', ttlMs: hour, isCutByBudget: false },
    ],
    [
      'is enough for a short ttl that it pays for',
      5 * 60_000,
      0.1,
      priced(1.2),
      { kind: 'affordable', ttlMs: 5 * 60_000, isCutByBudget: false },
    ],
  ]
  test.each(cases)('%s', (_, ttlMs, budgetUsd, offer, expected) => {
    expect(effectiveTtl({ ttlMs, budgetUsd, offer })).toEqual(expected)
  })

  test.each([
    ['pays for less than ten minutes', 0.19, priced(1.2), 'a budget of $0.19 lasts 9m30s, less than 10m'],
    ['meets an unknown price', 5, priced(null), 'its price is unknown'],
    ['meets unknown extras', 5, { ...priced(1), extras: null }, 'the price of its storage or address is unknown'],
    [
      'meets unknown extras of what was paid in advance',
      5,
      { ...priced(null), extras: null, market: 'capacity-block' },
      'the price of its storage or address is unknown',
    ],
  ] as const)('refuses when it %s', (_, budgetUsd, offer, reason) => {
    const answer = effectiveTtl({ ttlMs: hour, budgetUsd, offer })
    expect(answer.kind === 'refused' ? answer.reason : 'not refused').toContain(reason)
  })

  test('is never spent over, and never wasted by a whole second, whatever the prices', () => {
    const usd = fc.integer({ min: 0, max: 200_000_000 }).map(toUsd)
    fc.assert(
      fc.property(
        usd,
        fc.array(usd, { maxLength: 3 }),
        fc.integer({ min: 1, max: 1_000_000_000_000 }).map(toUsd),
        fc.integer({ min: 60, max: 30 * 86_400 }).map(seconds => seconds * 1000),
        (machine, extras, budgetUsd, ttlMs) => {
          const offer = priced(machine, ...extras)
          const cost = hourlyCost(offer)
          const hourly = BigInt((cost?.machine ?? 0) + (cost?.extras ?? 0))
          const budget = BigInt(toMicros(budgetUsd)) * 3600n
          const answer = effectiveTtl({ ttlMs, budgetUsd, offer })
          const pays = (seconds: bigint): boolean => hourly * seconds <= budget
          const least = BigInt(Math.min(shortestTtlMs, ttlMs) / 1000)
          expect(answer.kind === 'refused').toBe(!pays(least))
          const granted = answer.kind === 'refused' ? null : answer
          const seconds = BigInt((granted?.ttlMs ?? 0) / 1000)
          expect(pays(seconds) && (granted?.ttlMs ?? 0) <= ttlMs).toBe(true)
          expect(granted?.isCutByBudget === true && pays(seconds + 1n)).toBe(false)
          expect(granted?.isCutByBudget === false && granted.ttlMs !== ttlMs).toBe(false)
        },
      ),
    )
  })
})

describe('a highest price', () => {
  test('is compared in whole micro-dollars with the price of the machine itself', () => {
    expect(priceRefusal(priced(0.1 + 0.2, 5), 0.3)).toBeNull()
    expect(priceRefusal(priced(1.212), 1.211999)).toBe('costs $1.212 an hour, more than $1.212')
    expect(priceRefusal(priced(1.212), 1)).toBe('costs $1.212 an hour, more than $1.00')
    expect(priceRefusal(priced(9), null)).toBeNull()
  })

  test('refuses a price that nobody knows, unless it was paid in advance', () => {
    expect(priceRefusal(priced(null), 1)).toContain('unknown')
    expect(priceRefusal({ ...priced(null), market: 'capacity-block' }, 1)).toBeNull()
  })
})

describe('what a lease has spent', () => {
  const begun = Date.parse(attempt(1, null).at)
  const launched = { kind: 'launched', machines: ['m-1'] } as const
  const costly = offer('a', { extras: [{ what: 'storage', usdPerHour: 0.012, source: 's', date: 'd' }] })

  test('is what its machines may have cost, storage included, a minute at least', () => {
    expect(spentMicros([attempt(1, launched, costly)], begun + hour)).toBe(1_224_000)
    expect(spentMicros([attempt(1, launched, costly)], begun)).toBe(20_400)
    expect(spentMicros([attempt(1, launched, costly), attempt(2, launched, costly)], begun + hour)).toBe(2_448_000)
  })

  test('is nothing for launches that were refused, and unknown with a price that is', () => {
    const refused = { kind: 'refused', fault: 'capacity', code: '', message: '', advice: '', requestId: null } as const
    expect(spentMicros([attempt(1, refused, costly), attempt(2, null, costly)], begun + hour)).toBe(0)
    expect(spentMicros([attempt(1, launched, offer('a', { price: null, extras: [] }))], begun + hour)).toBeNull()
  })
})
