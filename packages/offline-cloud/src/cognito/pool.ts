import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import { cognito, type AppClientData, type UserData } from '../world/cognito.ts'

/** What a login gives. `expiresIn` in seconds. */
export interface PoolTokens {
  readonly idToken: string
  readonly accessToken: string
  readonly expiresIn: number
}

/** A refresh token that was given out; the token itself is kept as a hash only. */
export interface RefreshGrant {
  readonly client: AppClientData
  readonly user: UserData
  /** `origin_jti`: what binds a login's tokens together. */
  readonly origin: string
  readonly expiresAt: number
  isRevoked: boolean
}

/** The user pool at work: its key, its logins, its failed logins. */
export interface UserPool {
  readonly keys: JSONWebKeySet
  /** Fresh id and access tokens of a login. */
  sign(client: AppClientData, user: UserData, origin: string): Promise<PoolTokens>
  /** A fresh refresh token. */
  grant(client: AppClientData, user: UserData, origin: string): string
  /** The grant behind a refresh token. */
  granted(refreshToken: string): RefreshGrant | undefined
  /** The claims of a token that this pool signed and that has not expired; throws jose's errors. */
  verify(token: string): Promise<JWTPayload>
  /** Wrong passwords in a row, by user. */
  readonly failures: Map<string, { count: number; lockedUntil: number }>
}

/** SHA-256 as hexadecimal digits: the only form in which tokens are kept. */
export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

// Real refresh tokens are encrypted JWTs: five parts, of which nobody can read more than the first.
const refreshHeader = Buffer.from('{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}').toString('base64url')
const refreshDays = 30

/** `now` is the cloud's clock in ms; `tokenSeconds` replaces the lifetime that the app clients say. */
export async function createUserPool(now: () => number, tokenSeconds?: number): Promise<UserPool> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  const kid = randomBytes(32).toString('base64')
  const keys: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }] }
  const keySet = createLocalJWKSet(keys)
  const grants = new Map<string, RefreshGrant>()

  const signed = (claims: JWTPayload, user: UserData, issuedAt: number, seconds: number): Promise<string> =>
    new SignJWT({ ...claims, event_id: randomUUID(), auth_time: issuedAt })
      .setProtectedHeader({ kid, alg: 'RS256' })
      .setIssuer(cognito.issuer)
      .setSubject(user.sub)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .sign(privateKey)

  return {
    keys,
    failures: new Map(),
    async sign(client, user, origin) {
      const issuedAt = Math.floor(now() / 1000)
      const lifetime = tokenSeconds ?? client.tokenSeconds
      const idClaims = {
        aud: client.id,
        token_use: 'id',
        origin_jti: origin,
        email: user.email,
        email_verified: true,
        'cognito:username': user.sub,
      }
      const accessClaims = {
        client_id: client.id,
        token_use: 'access',
        origin_jti: origin,
        scope: 'aws.cognito.signin.user.admin',
        username: user.sub,
      }
      const [idToken, accessToken] = await Promise.all([
        signed(idClaims, user, issuedAt, lifetime),
        signed(accessClaims, user, issuedAt, lifetime),
      ])
      return { idToken, accessToken, expiresIn: lifetime }
    },
    grant(client, user, origin) {
      const part = (bytes: number): string => randomBytes(bytes).toString('base64url')
      const token = [refreshHeader, part(256), part(12), part(600), part(16)].join('.')
      const expiresAt = now() + refreshDays * 24 * 3_600_000
      grants.set(hashOf(token), { client, user, origin, expiresAt, isRevoked: false })
      return token
    },
    granted: refreshToken => grants.get(hashOf(refreshToken)),
    async verify(token) {
      const { payload } = await jwtVerify(token, keySet, {
        issuer: cognito.issuer,
        algorithms: ['RS256'],
        currentDate: new Date(now()),
      })
      return payload
    },
  }
}
