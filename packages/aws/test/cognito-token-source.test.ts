import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UnsecuredJWT } from 'jose'
import { loginFailure } from '../src/cognito/failures.ts'
import { tokenSource } from '../src/index.ts'

const minute = 60_000
const hour = 60 * minute

const jwt = (expiresAt: number): string => new UnsecuredJWT({ exp: expiresAt / 1000 }).encode()

const refusal = (name: string, httpStatusCode = 400): Error =>
  loginFailure(
    Object.assign(new Error('Incorrect username or password.'), { name, $metadata: { httpStatusCode } }),
    {
      pool: { id: 'us-west-2_Pool1', region: 'us-west-2', homeRegion: 'us-west-2' },
      clientId: 'c',
      flow: 'USER_PASSWORD_AUTH',
      withSecret: false,
    },
    [],
  )

/** A source whose time and logins the test rules. */
function world(options: { given?: string; alone?: boolean; lifetime?: number } = {}) {
  const state = {
    now: 1_800_000_000_000,
    logins: 0,
    failWith: undefined as Error | undefined,
    warnings: [] as string[],
  }
  const source = tokenSource({
    given: options.given,
    now: () => state.now,
    log: { warning: message => void state.warnings.push(message) },
    login: options.alone
      ? undefined
      : async () => {
          state.logins += 1
          const idToken = `token-${state.logins}`
          await Promise.resolve()
          if (state.failWith !== undefined) throw state.failWith
          return { idToken, expiresAt: state.now + (options.lifetime ?? hour) }
        },
  })
  return { state, source }
}

describe('a source of tokens', () => {
  test('logs in once for all that ask at the same time', async () => {
    const { state, source } = world()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => source.idToken()))
    expect(new Set(tokens)).toEqual(new Set(['token-1']))
    expect(state.logins).toBe(1)
  })

  test('logs in again when the token is about to expire, and not before', async () => {
    const { state, source } = world()
    await source.idToken()
    state.now += 54 * minute
    expect(await source.idToken()).toBe('token-1')
    state.now += 2 * minute
    expect(await source.idToken()).toBe('token-2')
  })

  test('uses a token of an earlier step as long as it lives', async () => {
    const { state, source } = world({ given: jwt(1_800_000_000_000 + hour) })
    expect(await source.idToken()).not.toMatch(/^token-/)
    state.now += 56 * minute
    expect(await source.idToken()).toBe('token-1')
  })

  test('gives another token for one that a server refused, but logs in once for all who report it', async () => {
    const { state, source } = world()
    const first = await source.idToken()
    const again = await Promise.all([source.idToken(first), source.idToken(first)])
    expect(again).toEqual(['token-2', 'token-2'])
    expect(await source.idToken(first)).toBe('token-2')
    expect(state.logins).toBe(2)
  })

  test('says what is missing when nobody can log in', async () => {
    const given = jwt(1_800_000_000_000 + hour)
    const { state, source } = world({ alone: true, given })
    state.now += 59 * minute
    expect(await source.idToken()).toBe(given)
    await expect(source.idToken(given)).rejects.toMatchObject({ advice: expect.stringContaining('user-pool-id') })
    state.now += minute
    await expect(source.idToken()).rejects.toThrow('has expired or was refused')
    await expect(world({ alone: true }).source.idToken()).rejects.toThrow('has expired or was refused')
  })

  test('uses a token that it cannot read until a server refuses it', async () => {
    const { state, source } = world({ given: 'opaque' })
    state.now += 1000 * hour
    expect(await source.idToken()).toBe('opaque')
    expect(await source.idToken('opaque')).toBe('token-1')
  })

  test('never sends a refused password again', async () => {
    const { state, source } = world()
    state.failWith = refusal('NotAuthorizedException')
    for (let index = 0; index < 10; index++) {
      await expect(source.idToken()).rejects.toBe(state.failWith)
      state.now += 10 * minute
    }
    expect(state.logins).toBe(1)
  })

  test('goes on with the old token while the service is down, and asks at a measured pace', async () => {
    const { state, source } = world()
    await source.idToken()
    state.now += 56 * minute
    state.failWith = refusal('InternalErrorException', 500)
    for (let index = 0; index < 60; index++) {
      expect(await source.idToken()).toBe('token-1')
      state.now += 1000
    }
    expect(state.logins).toBe(1 + 2)
    expect(state.warnings).toHaveLength(2)
    state.failWith = undefined
    state.now += minute
    expect(await source.idToken()).toBe('token-4')
  })

  test('fails when the old token has expired and the service is still down', async () => {
    const { state, source } = world()
    await source.idToken()
    state.now += 61 * minute
    state.failWith = refusal('InternalErrorException', 500)
    await expect(source.idToken()).rejects.toBe(state.failWith)
  })

  test('does not log in for every call when tokens are short-lived', async () => {
    const { state, source } = world({ lifetime: 5 * minute })
    for (let index = 0; index < 100; index++) {
      await source.idToken()
      state.now += 1000
    }
    expect(state.logins).toBe(1)
  })

  test('never gives an expired or a just refused token, whatever happens', async () => {
    const step = fc.record({ wait: fc.nat(2 * hour), refuse: fc.boolean(), down: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: minute, max: 2 * hour }),
        async (steps, lifetime) => {
          const ends = new Map<string, number>()
          let now = 0
          let down = false
          let last: string | undefined
          const source = tokenSource({
            now: () => now,
            log: { warning: () => undefined },
            login: () => {
              if (down) return Promise.reject(refusal('InternalErrorException', 500))
              const idToken = `t${ends.size}`
              ends.set(idToken, now + lifetime)
              return Promise.resolve({ idToken, expiresAt: now + lifetime })
            },
          })
          for (const { wait, refuse, ...next } of steps) {
            now += wait
            down = next.down
            const refused = refuse ? last : undefined
            const token = await source.idToken(refused).catch(() => undefined)
            if (token === undefined) continue
            expect(ends.get(token)).toBeGreaterThan(now)
            expect(token).not.toBe(refused)
            last = token
          }
        },
      ),
    )
  })
})
