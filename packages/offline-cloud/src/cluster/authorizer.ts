import { errors } from 'jose'
import type { Cloud } from '../cloud.ts'
import { hashOf } from '../cognito/pool.ts'
import { cognito } from '../world/cognito.ts'
import type { Cluster } from './model.ts'
import { ApiRefusal } from './refusal.ts'

type Header = (name: string) => string | undefined

const acceptedClients: readonly unknown[] = cognito.clusterApiClients

const unauthorized = (description?: string): ApiRefusal => {
  const reason = description === undefined ? '' : ` scope="" error="invalid_token" error_description="${description}"`
  return new ApiRefusal(401, 'Unauthorized', 'Unauthorized', `Bearer${reason}`)
}

/**
 * Checks the Bearer token as the JWT authorizer of an HTTP API does: signature, issuer, expiry, `aud` or else
 * `client_id`. The authorizer does not look at `token_use`, so an access token gets past it; the API behind refuses
 * that one with 403.
 */
export async function requireUser(cloud: Cloud, header: Header): Promise<string> {
  const [, token] = /^(?:bearer )?(\S+)$/i.exec(header('authorization') ?? '') ?? []
  if (token === undefined) throw unauthorized()
  const claims = await cloud.userPool.verify(token).catch((cause: unknown) => {
    if (cause instanceof errors.JWTExpired) throw unauthorized('the token has expired')
    if (cause instanceof errors.JOSEError) throw unauthorized()
    throw cause
  })
  const audience = claims.aud ?? claims['client_id']
  if (!acceptedClients.includes(audience)) throw unauthorized('the token does not have a valid audience')
  if (claims['token_use'] !== 'id') throw new ApiRefusal(403, 'Forbidden', 'Forbidden')
  return claims.sub ?? ''
}

function headerOrRefuse(header: Header, name: string): string {
  const value = header(name)
  if (value !== undefined && value !== '') return value
  throw new ApiRefusal(401, 'Unauthorized', `Missing header: ${name}`)
}

function requireTenant(cluster: Cluster, header: Header): void {
  if (headerOrRefuse(header, 'X-Radix-Tenant-Id') !== cluster.tenantId)
    throw new ApiRefusal(403, 'Forbidden', 'The tenant does not own this cluster')
}

/** Checks a one-time token; `spend` decides whether it is used up. */
export function requireOneTimeToken(cloud: Cloud, cluster: Cluster, header: Header, spend: boolean): void {
  const token = headerOrRefuse(header, 'X-Radix-One-Time-Token')
  if (spend) requireTenant(cluster, header)
  const hash = hashOf(token)
  const known = cluster.oneTimeTokens.find(candidate => candidate.hash === hash)
  if (known === undefined) throw new ApiRefusal(401, 'Unauthorized', 'The one-time token is not valid')
  if (known.isSpent) throw new ApiRefusal(401, 'Unauthorized', 'The one-time token was used before')
  if (known.expiresAt <= cloud.clock.now()) throw new ApiRefusal(401, 'Unauthorized', 'The one-time token has expired')
  known.isSpent ||= spend
}

/** Checks the agent's own token. */
export function requireAgent(cluster: Cluster, header: Header): void {
  const token = headerOrRefuse(header, 'X-Radix-Cluster-Token')
  requireTenant(cluster, header)
  if (!cluster.clusterTokens.has(hashOf(token)))
    throw new ApiRefusal(401, 'Unauthorized', 'The cluster token is not valid')
}
