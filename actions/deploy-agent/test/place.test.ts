import { describe, expect, test } from '@jest/globals'
import { machineEnd } from '../src/place.ts'

const hour = 3_600_000

describe('the end of a machine', () => {
  test('is the expiry of its lease, whatever time it is', () => {
    const lease = { expiresAt: '2026-11-27T09:00:00.000Z' } as never
    expect(machineEnd({ lease }, 0)).toBe(Date.UTC(2026, 10, 27, 9))
  })

  test('of a machine of an unknown lease is the end of the longest job', () => {
    expect(machineEnd({ lease: undefined }, 5 * hour)).toBe(11 * hour)
  })
})
