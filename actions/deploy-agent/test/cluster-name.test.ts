import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { clusterName } from '../src/cluster-name.ts'

const bases = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/)

describe('the name of a cluster', () => {
  test('is the input with the id of the lease behind it', () => {
    expect(clusterName('ci-gpu-bench', '12345678901-1-0a1b2c3d')).toBe('ci-gpu-bench-12345678901-1-0a1b2c3d')
    expect(clusterName('a', 'Host_9.x')).toBe('a-host-9-x')
  })

  test('is never one that the API would refuse', () => {
    fc.assert(
      fc.property(bases, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,90}$/), (base, id) => {
        expect(clusterName(base, id)).toMatch(/^(?=.{1,63}$)[a-z0-9]+(-*[a-z0-9]+)*$/)
      }),
    )
  })

  test('keeps the whole id of a lease, so that no two leases have the same', () => {
    const leases = fc.tuple(
      fc.integer({ min: 1, max: 1e12 }),
      fc.integer({ min: 1, max: 99 }),
      fc.stringMatching(/^[a-f0-9]{8}$/),
    )
    fc.assert(
      fc.property(bases, leases, (base, parts) => {
        expect(clusterName(base, parts.join('-')).endsWith(`-${parts.join('-')}`)).toBe(true)
      }),
    )
  })
})
