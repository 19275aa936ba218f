import { randomUUID } from 'node:crypto'
import { createLocalJWKSet, errors, exportJWK, generateKeyPair, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose'
import { AwsError } from '../aws/errors.ts'

/** A token issuer as GitHub has one: RS256 with a key made at start, tokens of five minutes on the cloud's clock. */
export interface Issuer {
  readonly issuer: string
  readonly keys: JSONWebKeySet
  /** A signed token with these claims for an audience. */
  issue(audience: string, claims: Readonly<Record<string, string>>): Promise<string>
  /** The subject of a token that this issuer signed for an audience; refused in the words of STS otherwise. */
  verify(token: string, audience: string): Promise<{ readonly subject: string }>
}

const lifetimeSeconds = 300

/** `now` is the cloud's clock in ms. */
export async function createIssuer(issuer: string, now: () => number): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  const kid = randomUUID()
  const keys: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }] }
  const keySet = createLocalJWKSet(keys)
  return {
    issuer,
    keys,
    issue(audience, claims) {
      const issuedAt = Math.floor(now() / 1000)
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(claims['sub'] ?? '')
        .setJti(randomUUID())
        .setIssuedAt(issuedAt)
        .setNotBefore(issuedAt - 5)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .sign(privateKey)
    },
    async verify(token, audience) {
      try {
        const { payload } = await jwtVerify(token, keySet, {
          issuer,
          audience,
          algorithms: ['RS256'],
          currentDate: new Date(now()),
        })
        return { subject: payload.sub ?? '' }
      } catch (cause) {
        throw refusal(cause)
      }
    },
  }
}

function refusal(cause: unknown): AwsError {
  if (cause instanceof errors.JWTExpired)
    return new AwsError(
      'ExpiredTokenException',
      'Token expired: the current time is past the expiration time of the token',
    )
  if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'aud')
    return new AwsError('InvalidIdentityToken', 'Incorrect token audience')
  if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'iss')
    return new AwsError('InvalidIdentityToken', 'No OpenIDConnect provider found in your account for the issuer')
  if (cause instanceof errors.JOSEError)
    return new AwsError('InvalidIdentityToken', `Couldn't verify the token: ${cause.message}`)
  throw cause
}
