import { OutsideFault, messageOf, type Clock } from '@gpu-actions/action-kit/ports'
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import type { UserPool } from './pool.ts'

/** Whom a token has to be from, whom it has to be for, and when. */
export interface Expected {
  readonly use: 'id' | 'access'
  /** Any of them. */
  readonly issuers: readonly string[]
  readonly clientId: string
  /** Milliseconds since the epoch, on the service's time. */
  readonly now: number
}

/** What a checked token says. */
export interface Checked {
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

const domain = (region: string): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

/**
 * Who may have issued the tokens of a pool: the endpoint that was called, the pool's home region, or the "updated"
 * issuer, which AWS recommends for new pools (Cognito API reference, IssuerConfigurationType).
 */
export function issuersOf(pool: Pick<UserPool, 'id' | 'region' | 'homeRegion'>): readonly string[] {
  const issuer = (host: string, region: string): string => `https://${host}.${region}.${domain(region)}/${pool.id}`
  return [
    ...new Set([
      issuer('cognito-idp', pool.homeRegion),
      issuer('cognito-idp', pool.region),
      issuer('issuer-cognito-idp', pool.homeRegion),
    ]),
  ]
}

/**
 * Where the pool's public keys are served: below the endpoint that the SDK resolved, which on AWS is the issuer itself.
 * @param claimed who the token says has issued it: believed only as far as the pool may have that issuer
 */
export function keysUrl(pool: Pick<UserPool, 'id' | 'region' | 'homeRegion'>, endpoint: URL, claimed: unknown): URL {
  const base = `${endpoint.href.replace(/\/$/, '')}/${pool.id}`
  const known = issuersOf(pool)
  const issuer = known.includes(base) ? known.find(one => one === claimed) : undefined
  return new URL(`${issuer ?? base}/.well-known/jwks.json`)
}

/** Why a token is refused, without a word of the token itself. */
function reasonOf(error: unknown, expected: Expected): string {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    switch (error.claim) {
      case 'iss':
        return `it was not issued by ${expected.issuers.join(' or ')} (iss)`
      case 'aud':
        return `it is not for app client ${expected.clientId} (aud)`
      default:
        return `its claim ${error.claim} is missing or wrong`
    }
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong'
  if (error instanceof errors.JWKSNoMatchingKey) return 'it is signed with a key that the pool does not have'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is not signed with RS256'
  if (error instanceof errors.JOSEError) return `it is no token of Cognito (${error.code})`
  throw error
}

function unexpected(use: Expected['use'], reason: string): OutsideFault {
  return new OutsideFault({
    what: `Cognito gave a token that must not be used: the ${use} token is refused because ${reason}`,
    advice:
      'Check that client-id and user-pool-id belong together. If they do, something between this runner and Cognito changes its replies: do not go on.',
  })
}

/**
 * Checks a token: signature, issuer, client, expiry, kind.
 * @throws OutsideFault that says what is wrong, and never shows the token
 */
export async function verifyToken(token: string, keys: JWTVerifyGetKey, expected: Expected): Promise<Checked> {
  const { use, clientId } = expected
  const payload = await jwtVerify(token, keys, {
    algorithms: ['RS256'],
    issuer: [...expected.issuers],
    requiredClaims: ['sub', 'exp', 'token_use', ...(use === 'access' ? ['client_id'] : [])],
    currentDate: new Date(expected.now),
    // An access token has no audience: its client stands in a claim of its own.
    ...(use === 'id' ? { audience: clientId } : {}),
  }).then(
    verified => verified.payload,
    (error: unknown) => {
      throw unexpected(use, reasonOf(error, expected))
    },
  )
  return checkedOf(payload, expected)
}

function checkedOf(payload: JWTPayload, { use, clientId }: Expected): Checked {
  if (payload['token_use'] !== use) throw unexpected(use, 'it is a token of another kind (token_use)')
  if (use === 'access' && payload['client_id'] !== clientId) {
    throw unexpected(use, `it is not for app client ${clientId} (client_id)`)
  }
  const { sub, exp, aud } = payload
  if (use === 'id' && aud !== clientId) throw unexpected(use, `it is for more than app client ${clientId} (aud)`)
  if (sub === undefined || sub === '' || exp === undefined) throw unexpected(use, 'it names no user or no end')
  return { subject: sub, expiresAt: exp * 1000 }
}

/** Looks at the keys, when the first does not succeed. */
const tries = 3
const pauseMs = 500

/** Checks both tokens of a login against the keys of the pool. @throws OutsideFault */
export async function verifyTokens(
  tokens: { readonly idToken: string; readonly accessToken: string },
  expected: { readonly pool: UserPool; readonly clientId: string },
  clock: Clock,
  signal?: AbortSignal,
): Promise<Checked> {
  const { pool, clientId } = expected
  const endpoint = pool.endpoint()
  if (endpoint === undefined) throw new Error('Tokens are checked after a login only')
  const keys = await poolKeys(keysUrl(pool, endpoint, claimedIssuer(tokens.idToken)), clock, signal)
  const common = { issuers: issuersOf(pool), clientId, now: pool.serviceNow() }
  const id = await verifyToken(tokens.idToken, keys, { ...common, use: 'id' })
  const access = await verifyToken(tokens.accessToken, keys, { ...common, use: 'access' })
  if (access.subject !== id.subject) throw unexpected('access', 'it is of another user than the id token (sub)')
  return id
}

/** Only to find the keys; nothing is believed before they have confirmed it. */
function claimedIssuer(token: string): unknown {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

async function poolKeys(url: URL, clock: Clock, signal: AbortSignal | undefined): Promise<JWTVerifyGetKey> {
  const keys = createRemoteJWKSet(url)
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      await keys.reload()
      return keys
    } catch (error) {
      if (attempt >= tries) {
        throw new OutsideFault({
          what: `Fetching the public keys of the user pool from ${url.href} failed ${tries} times: the tokens cannot be checked`,
          advice: 'Let the runner reach that address, then try again.',
          cause: new Error(messageOf(error)),
        })
      }
      await clock.sleep(pauseMs * attempt, signal)
    }
  }
}
