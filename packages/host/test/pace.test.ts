import { describe, expect, test } from '@jest/globals'
import { lookInterval } from '../src/jobs.ts'

const ssm = { firstMs: 2_000, maxMs: 15_000, msPerCall: 7_500, patienceMs: 180_000 }

/** Looks in the second minute of a job's life, when each takes so many calls. */
const callsInSecondMinute = (callsPerLook: number): number => {
  let looks = 0
  for (let age = 0; age < 120_000; age += lookInterval(ssm, age, callsPerLook)) if (age >= 60_000) looks++
  return looks * callsPerLook
}

describe('the pace of looking at a job', () => {
  test('is quick for a young job and slow for an old one', () => {
    expect(lookInterval(ssm, 0, 2)).toBe(2_000)
    expect(lookInterval(ssm, 10_000, 2)).toBe(5_000)
    expect(lookInterval(ssm, 240_000, 2)).toBe(15_000)
    expect(lookInterval(ssm, 600_000, 2)).toBe(20_000)
  })

  test.each([2, 3, 4])('stays within eight metered calls a minute when a look takes %d', callsPerLook => {
    expect(callsInSecondMinute(callsPerLook)).toBeLessThanOrEqual(8)
  })
})
