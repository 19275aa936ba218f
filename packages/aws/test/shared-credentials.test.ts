import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { sessionNameOf } from '../src/credentials/role.ts'
import { subjectOf } from '../src/credentials/role-words.ts'
import { sharedCredentials, type Session } from '../src/credentials/shared-credentials.ts'

const hour = 3_600_000

/** Sessions of an hour, numbered, on a clock that the test moves. */
function rig() {
  const clock = { now: 1_000_000 }
  const taken: number[] = []
  let failing = false
  const shared = sharedCredentials(
    async (): Promise<Session> => {
      await Promise.resolve()
      if (failing) throw new Error('STS is away')
      taken.push(clock.now)
      return {
        identity: { accessKeyId: `key-${taken.length}`, secretAccessKey: 's', sessionToken: 't' },
        expiresAt: clock.now + hour,
      }
    },
    () => clock.now,
  )
  const key = async (): Promise<string> => (await shared.provider()).accessKeyId
  return { clock, taken, shared, key, fail: (now: boolean) => void (failing = now) }
}

describe('credentials that are shared', () => {
  test('are had once by calls at the same time, and renewed before their end', async () => {
    const { clock, key } = rig()
    expect(await Promise.all([key(), key(), key()])).toEqual(['key-1', 'key-1', 'key-1'])
    clock.now += hour - 301_000
    expect(await key()).toBe('key-1')
    clock.now += 2_000
    expect(await Promise.all([key(), key()])).toEqual(['key-2', 'key-2'])
  })

  test('are renewed once when several calls are refused with the same ones', async () => {
    const { shared, taken, key } = rig()
    await key()
    const seen = shared.generation()
    await Promise.all([shared.renew(seen), shared.renew(seen)])
    await shared.renew(seen)
    expect(taken).toHaveLength(2)
    expect(await key()).toBe('key-2')
  })

  test('go on until their end when new ones cannot be had', async () => {
    const { clock, key, fail } = rig()
    await key()
    fail(true)
    clock.now += hour - 1_000
    expect(await key()).toBe('key-1')
    clock.now += 2_000
    await expect(key()).rejects.toThrow('STS is away')
    fail(false)
    expect(await key()).toBe('key-2')
  })

  test('are never given after their end, whatever the pauses and failures', async () => {
    const step = fc.record({ pause: fc.nat(2 * hour), fails: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
        const { clock, taken, key, fail } = rig()
        for (const { pause, fails } of steps) {
          clock.now += pause
          fail(fails)
          const given = await key().catch(() => undefined)
          if (given === undefined) continue
          const at = taken[Number(given.slice(4)) - 1] ?? -Infinity
          expect(clock.now - at).toBeLessThan(hour)
        }
      }),
    )
  })
})

describe('the name of a session', () => {
  test('is always one that STS takes', () => {
    fc.assert(fc.property(fc.string(), text => /^[\w+=,.@-]{2,64}$/.test(sessionNameOf(text))))
    expect(sessionNameOf('org/consumer 17')).toBe('org-consumer-17')
  })
})

describe('the subject of a token', () => {
  test('is read from any token, and unknown of any other text', () => {
    const token = (claims: unknown) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
    expect(subjectOf(token({ sub: 'repo:org/consumer:pull_request' }))).toBe('repo:org/consumer:pull_request')
    fc.assert(fc.property(fc.string(), text => subjectOf(text) === undefined))
  })
})
