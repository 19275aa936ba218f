import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { judge, type Judged } from '../src/sweep-rules.ts'

const now = Date.parse('2026-11-22T12:00:00Z')
const [minute, hour] = [60_000, 3_600_000]
const rules = { graceMs: 10 * minute, maxAgeMs: 24 * hour }

describe('what a sweep thinks of a thing', () => {
  const cases: readonly [string, Judged, string, number | null][] = [
    [
      'lives before its expiry',
      { expiresAt: now + minute, since: now - hour, isEnding: false },
      'alive',
      now + 11 * minute,
    ],
    [
      'lives within the grace',
      { expiresAt: now - 9 * minute, since: now - hour, isEnding: false },
      'alive',
      now + minute,
    ],
    [
      'is expired when the grace is over',
      { expiresAt: now - 10 * minute, since: now - hour, isEnding: false },
      'expired',
      now,
    ],
    [
      'is overaged whatever its expiry says',
      { expiresAt: now + 99 * hour, since: now - 24 * hour, isEnding: false },
      'overaged',
      now,
    ],
    [
      'lives until the largest age without an expiry that can be read',
      { expiresAt: null, since: now - hour, isEnding: false },
      'alive',
      now + 23 * hour,
    ],
    [
      'is overaged without an expiry at the largest age',
      { expiresAt: null, since: now - 24 * hour, isEnding: false },
      'overaged',
      now,
    ],
    ['is overaged without an expiry and an age', { expiresAt: null, since: null, isEnding: false }, 'overaged', null],
    [
      'is ending when it ends',
      { expiresAt: now - hour, since: now - hour, isEnding: true },
      'ending',
      now - 50 * minute,
    ],
  ]
  test.each(cases)('%s', (_, judged, verdict, until) => {
    expect(judge(judged, now, rules)).toEqual({ verdict, until })
  })

  test('is never that something is overdue before the moment that it names, and always after', () => {
    const time = fc.option(fc.integer({ min: -100 * hour, max: 100 * hour }).map(offset => now + offset))
    fc.assert(
      fc.property(time, time, fc.nat(5 * hour), fc.option(fc.nat(48 * hour)), (expiresAt, since, graceMs, maxAgeMs) => {
        const judgement = judge({ expiresAt, since, isEnding: false }, now, { graceMs, maxAgeMs })
        const isAlive = judgement.verdict === 'alive'
        expect(judgement.until === null || judgement.until > now === isAlive).toBe(true)
        expect(isAlive && expiresAt !== null && now >= expiresAt + graceMs).toBe(false)
      }),
    )
  })
})
