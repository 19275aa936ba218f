import { createHmac } from 'node:crypto'
import {
  AdminInitiateAuthCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
  type AdminInitiateAuthCommandOutput,
} from '@aws-sdk/client-cognito-identity-provider'
import { OutsideFault, messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { codeOf } from '../errors.ts'
import { challengeFailure } from './challenges.ts'
import { loginFailure, type Attempted, type AuthFlow } from './failures.ts'
import type { UserPool } from './pool.ts'
import { verifyTokens } from './verify.ts'

/** Who logs in, and how. */
export interface LoginRequest {
  readonly clientId: string
  readonly clientSecret?: string | undefined
  readonly username: string
  readonly password: string
  readonly flow: AuthFlow
  /** Right after the login. The id token lives on until it expires; nobody can get another one with the refresh token. */
  readonly revokeRefreshToken: boolean
}

export interface LoginPorts {
  readonly pool: UserPool
  readonly clock: Clock
  readonly log: Pick<Log, 'warning'>
  /** Hides a value in all that is printed from now on. */
  readonly mask: (secret: string) => void
  readonly signal?: AbortSignal | undefined
}

/** What a login gives. Both tokens are masked. */
export interface Tokens {
  readonly idToken: string
  readonly accessToken: string
  /** When the id token expires, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** The user's id in the pool (claim `sub`). */
  readonly subject: string
}

/** What an app client with a secret wants beside user name and password: base64 of HMAC-SHA256 (reference: aws.md section 10). */
export const secretHash = (username: string, clientId: string, clientSecret: string): string =>
  createHmac('sha256', clientSecret)
    .update(username + clientId)
    .digest('base64')

/**
 * Logs a user in with a password and checks the tokens that come back.
 * A refused login is never sent again: wrong passwords lock the user.
 * @throws OutsideFault, one sentence and one advice for each kind of failure; never with a secret in it
 */
export async function login(request: LoginRequest, ports: LoginPorts): Promise<Tokens> {
  const { pool, mask, signal } = ports
  const { clientId, clientSecret, flow, password, username } = request
  const hash = clientSecret === undefined ? undefined : secretHash(username, clientId, clientSecret)
  const secrets = [password, clientSecret, hash].filter(secret => secret !== undefined)
  secrets.forEach(mask)
  const attempted: Attempted = { pool, clientId, flow, withSecret: hash !== undefined }
  let reply: AdminInitiateAuthCommandOutput
  try {
    reply = await initiate(request, hash, ports)
  } catch (error) {
    signal?.throwIfAborted()
    throw loginFailure(error, attempted, secrets)
  }
  const { IdToken, AccessToken, RefreshToken } = reply.AuthenticationResult ?? {}
  for (const token of [IdToken, AccessToken, RefreshToken, reply.Session]) if (token !== undefined) mask(token)
  if (reply.ChallengeName !== undefined) throw challengeFailure(reply.ChallengeName, attempted)
  if (RefreshToken !== undefined && request.revokeRefreshToken) await revoke(RefreshToken, request, ports)
  if (IdToken === undefined || AccessToken === undefined) {
    throw new OutsideFault({
      what: `Logging in to the Cognito user pool ${pool.id} failed: Cognito gave neither a challenge nor both tokens`,
      advice: 'Try again; if it stays like this, something between this runner and Cognito changes its replies.',
    })
  }
  const tokens = { idToken: IdToken, accessToken: AccessToken }
  return { ...tokens, ...(await verifyTokens(tokens, { pool, clientId }, ports.clock, signal)) }
}

function initiate(request: LoginRequest, hash: string | undefined, ports: LoginPorts) {
  const client = ports.pool.client()
  const input = {
    ClientId: request.clientId,
    AuthFlow: request.flow,
    AuthParameters: {
      USERNAME: request.username,
      PASSWORD: request.password,
      ...(hash === undefined ? {} : { SECRET_HASH: hash }),
    },
  }
  const options = ports.signal === undefined ? {} : { abortSignal: ports.signal }
  return request.flow === 'ADMIN_USER_PASSWORD_AUTH'
    ? client.send(new AdminInitiateAuthCommand({ ...input, UserPoolId: ports.pool.id }), options)
    : client.send(new InitiateAuthCommand(input), options)
}

/** Goes through even when the job is being cancelled; a failure is told and is no reason to fail. */
async function revoke(refreshToken: string, request: LoginRequest, { pool, log }: LoginPorts): Promise<void> {
  const secret = request.clientSecret === undefined ? {} : { ClientSecret: request.clientSecret }
  try {
    await pool.client().send(new RevokeTokenCommand({ Token: refreshToken, ClientId: request.clientId, ...secret }))
  } catch (error) {
    const said = [refreshToken, request.clientSecret ?? '', request.password]
      .filter(text => text !== '')
      .reduce((text, hidden) => text.replaceAll(hidden, '***'), messageOf(error))
    log.warning(
      `The refresh token was not revoked (${codeOf(error)}: ${said}). Nobody holds it any more, but it stays valid until it expires; see whether token revocation is enabled for app client ${request.clientId}.`,
    )
  }
}
