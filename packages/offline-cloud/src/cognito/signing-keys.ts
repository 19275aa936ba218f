import type { JSONWebKeySet } from 'jose'
import type { Cloud } from '../cloud.ts'
import { requestId } from '../ids.ts'
import { cognito } from '../world/cognito.ts'

/** The public keys of a user pool, under the name GetSigningKeys for faults and in the list of calls. */
export function signingKeys(
  cloud: Cloud,
  poolId: string,
): { readonly status: 200 | 404 | 500; readonly body: JSONWebKeySet | { readonly message: string } } {
  const target = { service: 'cognito-idp', operation: 'GetSigningKeys' } as const
  // This is a document, not a call: a fault strikes it only when it names it.
  const struck = cloud.faults.take(['server-error'], target, ({ operation }) => operation !== undefined)
  const record = (outcome: string): void =>
    cloud.calls.record({
      ...target,
      at: new Date(cloud.clock.now()).toISOString(),
      outcome,
      requestId: requestId(),
      parameters: { pool: poolId },
    })
  if (struck !== null) {
    record('server-error')
    return { status: 500, body: { message: 'Internal server error' } }
  }
  if (poolId !== cognito.poolId) {
    record('ResourceNotFoundException')
    return { status: 404, body: { message: `User pool ${poolId} does not exist.` } }
  }
  record('ok')
  return { status: 200, body: cloud.userPool.keys }
}
