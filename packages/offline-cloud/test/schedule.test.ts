import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readScenario } from '../src/scenario.ts'
import { countAt } from '../src/world/schedule.ts'

const schedules = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { maxLength: 6 }),
    fc.array(fc.nat({ max: 50 }), { minLength: 7, maxLength: 7 }),
  )
  .map(([times, counts]) =>
    [0, ...times.toSorted((a, b) => a - b)].map((atSeconds, index) => ({ atSeconds, count: counts[index] ?? 0 })),
  )

describe('a capacity schedule', () => {
  test('gives at any moment the count of the last step that has begun', () => {
    fc.assert(
      fc.property(schedules, fc.double({ min: 0, max: 1200, noNaN: true }), (schedule, seconds) => {
        let expected = 0
        for (const step of schedule) if (step.atSeconds <= seconds) expected = step.count
        expect(countAt(schedule, seconds)).toBe(expected)
      }),
    )
  })

  test('that is one number holds for ever', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (count, seconds) => {
        expect(countAt(count, seconds)).toBe(count)
      }),
    )
  })

  test('is taken by a scenario, for on-demand and for spot', () => {
    fc.assert(
      fc.property(schedules, schedule => {
        const scenario = {
          capacity: { 'us-west-2a': { 'g5.2xlarge': schedule } },
          spot: { 'us-west-2a': { 'g5.2xlarge': { capacity: schedule } } },
        }
        expect(readScenario(scenario)).toEqual(scenario)
      }),
    )
  })
})

describe('a scenario about markets', () => {
  const reservation = { region: 'us-west-2', zone: 'us-west-2a', type: 'p5.48xlarge', count: 1 }
  const wrong: readonly [string, unknown, string][] = [
    ['a schedule that begins late', { capacity: { z: { t: [{ atSeconds: 5, count: 1 }] } } }, 'capacity.z.t'],
    [
      'a schedule that goes back in time',
      {
        capacity: {
          z: {
            t: [
              { atSeconds: 0, count: 1 },
              { atSeconds: 9, count: 0 },
              { atSeconds: 3, count: 1 },
            ],
          },
        },
      },
      'capacity.z.t',
    ],
    ['an unknown quota', { quotas: { 'us-west-2': { 'L-00000000': 1 } } }, 'L-00000000'],
    ['a spot price of zero', { spot: { z: { t: { usdPerHour: 0 } } } }, 'usdPerHour'],
    ['a reservation in a zone of another region', { reservations: [{ ...reservation, zone: 'us-east-1a' }] }, 'zone'],
    ['a reservation of an unknown type', { reservations: [{ ...reservation, type: 'p9.huge' }] }, 'type'],
    ['a block without an end', { reservations: [{ ...reservation, kind: 'capacity-block' }] }, 'endsInSeconds'],
    [
      'a block of a type that is not sold in blocks',
      { reservations: [{ ...reservation, type: 't3.micro', kind: 'capacity-block', endsInSeconds: 9000 }] },
      'not sold in capacity blocks',
    ],
  ]
  test.each(wrong)('is refused for %s', (_, scenario, words) => {
    expect(() => readScenario(scenario)).toThrow(words)
  })
})
