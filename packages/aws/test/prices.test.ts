import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { extrasOf } from '../src/ec2/prices/extras.ts'
import { believed, onDemandUsd } from '../src/ec2/prices/on-demand.ts'
import { tablePrice } from '../src/ec2/prices/table.ts'
import { quotaCodeOf } from '../src/ec2/quotas.ts'
import { reservationLacks, type ReservationFacts } from '../src/ec2/reservation.ts'
import { toMachine } from '../src/ec2/machines.ts'

const item = (...usd: string[]): string =>
  JSON.stringify({
    terms: {
      OnDemand: { a: { priceDimensions: Object.fromEntries(usd.map((USD, n) => [n, { pricePerUnit: { USD } }])) } },
      Reserved: { b: { priceDimensions: { c: { pricePerUnit: { USD: '0.1' } } } } },
    },
  })

describe('an item of the price list', () => {
  test('gives its on-demand prices above zero, and nothing of reserved ones', () => {
    expect(onDemandUsd(item('1.2120000000', '0.0000000000'))).toEqual([1.212])
  })

  test('of any other shape gives none', () => {
    const positive = (text: string): void => expect(onDemandUsd(text).filter(usd => !(usd > 0))).toEqual([])
    fc.assert(fc.property(fc.anything(), value => positive(JSON.stringify(value) ?? '')))
    fc.assert(fc.property(fc.string(), positive))
  })
})

describe('a live price', () => {
  const table = tablePrice('g5.2xlarge', 'us-west-2')
  test('is believed near the table, and where there is none', () => {
    expect(believed(0.9, table, '2026-11-27').price).toEqual({
      usdPerHour: 0.9,
      source: 'AWS Pricing API',
      date: '2026-11-27',
    })
    expect(believed(99, null, '2026-11-27').price?.usdPerHour).toBe(99)
  })

  test.each([0.3, 4.9])('of $%p is more than four times away from the table: not believed, and said', usd => {
    const { price, note } = believed(usd, table, '2026-11-27')
    expect(price).toEqual(table)
    expect(note).toContain('not believed')
  })

  test('that is not there leaves the table', () => {
    expect(believed(undefined, table, '2026-11-27')).toEqual({ price: table, note: expect.any(String) })
  })
})

describe('what is billed beside a machine', () => {
  const storage = { usdPerGbMonth: 0.08, source: 'test', date: '2026-11-27' }
  test('is storage, and an address where it has one', () => {
    expect(extrasOf(storage, 73, false)).toEqual([
      { what: 'storage', usdPerHour: 0.008, source: 'test', date: '2026-11-27' },
    ])
    expect(extrasOf(storage, 73, true)?.map(({ usdPerHour }) => usdPerHour)).toEqual([0.008, 0.005])
  })

  test('is unknown when any of it is', () => {
    expect(extrasOf(null, 73, true)).toBeNull()
    expect(extrasOf(storage, null, true)).toBeNull()
  })

  test.each([
    [
      'storage=0.0049 address=0.005',
      [
        ['storage', 0.0049],
        ['address', 0.005],
      ],
    ],
    ['unknown', undefined],
    ['storage=0.1 gift=1', undefined],
    ['', undefined],
  ])('is read from the tag %p, whole or not at all', (Value, expected) => {
    const tags = [{ Key: 'gpu-actions:price-extras', Value }]
    const machine = toMachine({ InstanceId: 'i-1', Tags: tags }, { account: '1', region: 'us-west-2' })
    expect(machine.extras?.map(({ what, usdPerHour }) => [what, usdPerHour])).toEqual(expected)
  })
})

describe('the quota of a type', () => {
  test.each([
    ['g5.2xlarge', 'on-demand', 'L-DB2E81BA'],
    ['gr6.4xlarge', 'on-demand', 'L-DB2E81BA'],
    ['p5.48xlarge', 'on-demand', 'L-417A185B'],
    ['g6e.xlarge', 'spot', 'L-3819A6DF'],
    ['p4d.24xlarge', 'spot', 'L-7212CCBC'],
    ['p5en.48xlarge', 'spot', 'L-C4BD4855'],
    ['p6-b200.48xlarge', 'spot', null],
    ['p5.48xlarge', 'capacity-block', null],
    ['t3.micro', 'on-demand', 'L-1216C47A'],
    ['trn1.2xlarge', 'on-demand', null],
  ] as const)('%s on %s is %p', (type, market, code) => expect(quotaCodeOf(type, market)).toBe(code))
})

describe('a reservation', () => {
  const now = Date.parse('2026-11-27T12:00:00Z')
  const facts: ReservationFacts = {
    id: 'cr-1',
    isBlock: true,
    state: 'active',
    instanceType: 'p5.48xlarge',
    zone: 'us-west-2a',
    free: 1,
    startsAt: now - 1,
    endsAt: now + 3_600_000,
  }
  const says = (more: Partial<ReservationFacts>, ttlMs = 60_000) =>
    reservationLacks({ ...facts, ...more }, { block: true, ttlMs, now }).join('; ')

  test('that is active, free and long enough lacks nothing', () => expect(says({}, 30 * 60_000)).toBe(''))
  test.each<[Partial<ReservationFacts>, string]>([
    [{ state: 'scheduled', startsAt: now + 600_000 }, 'start the job in 10m'],
    [{ state: 'expired' }, 'is expired'],
    [{ state: 'payment-failed' }, 'is payment-failed'],
    [{ free: 0 }, 'has no free machine left'],
    [{ endsAt: now + 25 * 60_000 }, 'it is too late for a launch'],
    [{ isBlock: false }, 'set market to on-demand'],
  ])('%p is told', (more, words) => expect(says(more)).toContain(words))

  test('says the longest ttl that fits, in whole minutes', () => {
    expect(says({}, 31 * 60_000)).toContain('set ttl to at most 30m')
    expect(says({ isBlock: false }, 61 * 60_000)).toContain('set ttl to at most 1h')
  })
})
