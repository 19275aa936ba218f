import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { clientToken, isLeaseId, leaseIdAtEnd, newLeaseId } from '../src/index.ts'
import { leaseId, offer } from './fixtures/examples.ts'

describe('the id of a lease', () => {
  test('is the run, its attempt and eight random characters', () => {
    expect(newLeaseId({ runId: '9876543210', attempt: 2 }, '0a1b2c3d')).toBe('9876543210-2-0a1b2c3d')
  })

  test('refuses anything but eight random characters', () => {
    expect(() => newLeaseId({ runId: '1', attempt: 1 }, 'short')).toThrow(RangeError)
  })

  test('is known again, alone and at the end of a name', () => {
    const id = newLeaseId({ runId: '9876543210', attempt: 2 }, '0a1b2c3d')
    expect(isLeaseId(id)).toBe(true)
    expect(isLeaseId(`bench-2-${id}`)).toBe(false)
    expect(leaseIdAtEnd(`bench-2-${id}`)).toBe(id)
    expect(leaseIdAtEnd('host-i-0123456789abcdef0')).toBeUndefined()
  })
})

describe('the token of a launch', () => {
  test('is the same for the same lease, attempt and offer, and at most 64 printable ASCII characters', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.nat(), fc.string(), (lease, number, zone) => {
        const token = clientToken(lease, number, offer(zone))
        expect(token).toBe(clientToken(lease, number, offer(zone)))
        expect(token).toMatch(/^[\x21-\x7e]{1,64}$/)
      }),
    )
  })

  test('differs for another attempt, zone, type or lease', () => {
    const tokens = [
      clientToken(leaseId, 1, offer('a')),
      clientToken(leaseId, 2, offer('a')),
      clientToken(leaseId, 1, offer('b')),
      clientToken(leaseId, 1, offer('a', { instanceType: 'g6.xlarge' })),
      clientToken('77-1-ffffffff', 1, offer('a')),
    ]
    expect(new Set(tokens).size).toBe(tokens.length)
  })
})
