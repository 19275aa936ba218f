import { beforeAll, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose'
import { issuersOf, keysUrl, verifyToken, type Expected } from '../src/cognito/verify.ts'

jest.setTimeout(30_000)

const pool = { id: 'us-west-2_Pool1', region: 'us-west-2', homeRegion: 'us-west-2' }
const issuer = 'https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Pool1'
const clientId = 'client1'
const now = Date.UTC(2026, 10, 3)
const seconds = now / 1000

let ours: CryptoKey
let strange: CryptoKey
let keys: JWTVerifyGetKey
beforeAll(async () => {
  const pair = await generateKeyPair('RS256')
  ours = pair.privateKey
  strange = (await generateKeyPair('RS256')).privateKey
  keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] })
})

const sign = (claims: JWTPayload, key: CryptoKey = ours, kid = 'k1'): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(key)

const expected = (use: 'id' | 'access'): Expected => ({ use, issuers: issuersOf(pool), clientId, now })
const common = { iss: issuer, sub: 'user-1', iat: seconds, exp: seconds + 3600 }
const claims = {
  id: { ...common, token_use: 'id', aud: clientId },
  access: { ...common, token_use: 'access', client_id: clientId },
} satisfies Record<string, JWTPayload>

const check = (token: string, use: 'id' | 'access' = 'id') => verifyToken(token, keys, expected(use))

describe('a token of the pool', () => {
  test.each(['id', 'access'] as const)('that is right is taken as an %s token', async use => {
    await expect(check(await sign(claims[use]), use)).resolves.toEqual({
      subject: 'user-1',
      expiresAt: now + 3_600_000,
    })
  })

  test('of one kind is never taken for the other', async () => {
    await expect(check(await sign(claims.id), 'access')).rejects.toThrow('client_id')
    await expect(check(await sign(claims.access), 'id')).rejects.toThrow('aud')
    await expect(check(await sign({ ...claims.id, client_id: clientId }), 'access')).rejects.toThrow('token_use')
    await expect(check(await sign({ ...claims.access, aud: clientId }), 'id')).rejects.toThrow('token_use')
  })

  test.each([
    ['signed by somebody else under the same key id', () => sign(claims.id, strange), 'its signature is wrong'],
    [
      'signed with an unknown key',
      () => sign(claims.id, ours, 'k2'),
      'it is signed with a key that the pool does not have',
    ],
    ['not signed at all', () => Promise.resolve(new UnsecuredJWT(claims.id).encode()), 'it is not signed with RS256'],
    [
      'signed with the public key as a password (HS256)',
      () => new SignJWT(claims.id).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(new Uint8Array(32)),
      'it is not signed with RS256',
    ],
    ['cut short', async () => (await sign(claims.id)).slice(0, -40), 'its signature is wrong'],
    ['no token', () => Promise.resolve('not a token'), 'it is no token of Cognito'],
  ])('%s is refused', async (_, token, reason) => {
    await expect(check(await token())).rejects.toThrow(`refused because ${reason}`)
  })

  test('is refused from the second on in which it ends', async () => {
    await expect(check(await sign({ ...claims.id, exp: seconds }))).rejects.toThrow('it has expired')
    await expect(check(await sign({ ...claims.id, exp: seconds + 1 }))).resolves.toBeDefined()
  })

  test('is refused for any issuer, client, kind or end but the right one', async () => {
    const wrong = fc.oneof(
      fc.record({ iss: fc.oneof(fc.webUrl(), fc.string(), fc.constant(`${issuer}/`), fc.constant(`${issuer}1`)) }),
      fc.record({ aud: fc.oneof(fc.string(), fc.array(fc.string()), fc.constant([clientId, 'other'])) }),
      fc.record({ token_use: fc.oneof(fc.string(), fc.constant('access'), fc.integer()) }),
      fc.record({ exp: fc.integer({ min: 0, max: seconds }) }),
      fc.record({ sub: fc.constant('') }),
      fc.constantFrom('iss', 'aud', 'token_use', 'exp', 'sub').map(name => ({ [name]: undefined })),
    )
    await fc.assert(
      fc.asyncProperty(wrong, async change => {
        const changed = { ...claims.id, ...change } as JWTPayload
        fc.pre(Object.keys(change).some(name => changed[name] !== (claims.id as JWTPayload)[name]))
        await expect(check(await sign(changed))).rejects.toThrow('the id token is refused because')
      }),
      { numRuns: 150 },
    )
  })

  test('is taken whatever else it claims', async () => {
    const more = fc.dictionary(
      fc.string().filter(name => !(name in claims.id) && name !== 'nbf' && name !== '__proto__'),
      fc.jsonValue(),
    )
    await fc.assert(
      fc.asyncProperty(more, async extra => {
        await expect(check(await sign({ ...extra, ...claims.id }))).resolves.toMatchObject({ subject: 'user-1' })
      }),
      { numRuns: 50 },
    )
  })

  test('is not shown by its refusal, neither whole nor in parts', async () => {
    const token = await sign({ ...claims.id, email: 'somebody@example.com' }, strange)
    const failure = await check(token).catch((error: unknown) => error)
    const words = JSON.stringify(failure) + String(failure) + String((failure as Error).cause)
    for (const part of [...token.split('.'), 'somebody@example.com']) expect(words).not.toContain(part)
  })
})

describe('the keys of a pool', () => {
  const aws = new URL('https://cognito-idp.us-west-2.amazonaws.com')
  const updated = 'https://issuer-cognito-idp.us-west-2.amazonaws.com/us-west-2_Pool1'

  test('lie below the endpoint that was called', () => {
    expect(keysUrl(pool, aws, issuer).href).toBe(`${issuer}/.well-known/jwks.json`)
    expect(keysUrl(pool, new URL('http://127.0.0.1:4000'), issuer).href).toBe(
      'http://127.0.0.1:4000/us-west-2_Pool1/.well-known/jwks.json',
    )
    expect(keysUrl(pool, new URL('https://proxy.example.com/aws/'), issuer).href).toBe(
      'https://proxy.example.com/aws/us-west-2_Pool1/.well-known/jwks.json',
    )
  })

  test('lie at the updated issuer when the pool has that one', () => {
    expect(keysUrl(pool, aws, updated).href).toBe(`${updated}/.well-known/jwks.json`)
  })

  test('are never fetched from where a token wants it', () => {
    const safe = `${issuer}/.well-known/jwks.json`
    for (const claimed of [
      'https://issuer-cognito-idp.example.com/us-west-2_Pool1',
      'https://issuer-cognito-idp.us-west-2.amazonaws.com/us-west-2_Other',
      'https://example.com',
      undefined,
      7,
    ]) {
      expect(keysUrl(pool, aws, claimed).href).toBe(safe)
    }
  })
})
