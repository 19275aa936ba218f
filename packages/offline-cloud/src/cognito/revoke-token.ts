import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { appClient, needed, read } from './input.ts'

const input = v.object({ Token: needed, ClientId: needed, ClientSecret: v.optional(v.string()) })

/** RevokeToken: ends a refresh token. The id and access tokens of its login stay valid to whoever checks them alone. */
export async function revokeToken(cloud: Cloud, value: unknown): Promise<object> {
  const { Token, ClientId, ClientSecret } = read(input, value)
  const client = appClient(ClientId)
  if (client.secret !== null && ClientSecret !== client.secret)
    throw new AwsError('NotAuthorizedException', `Unable to verify client secret for client ${client.id}`)
  // Id and access tokens are signed JWTs of three parts, and cannot be revoked.
  if (Token.split('.').length === 3) throw new AwsError('UnsupportedTokenTypeException', 'Unsupported token type')
  const grant = cloud.userPool.granted(Token)
  if (grant === undefined) throw new AwsError('InvalidParameterException', 'Invalid token.')
  if (grant.client.id !== client.id)
    throw new AwsError('UnauthorizedException', 'The token was not issued to this client.')
  grant.isRevoked = true
  return {}
}
