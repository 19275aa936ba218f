import type { Clock, Log } from '@gpu-actions/action-kit/ports'
import type { AwsOptions } from '../client-settings.ts'
import { login } from './login.ts'
import { userPool } from './pool.ts'
import { tokenSource } from './token-source.ts'

/** What an id token, or a new one, is had by: the inputs that actions with an id token share. */
export interface IdTokenInputs {
  readonly idToken?: string | undefined
  readonly userPoolId?: string | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface IdTokenPorts {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly mask: (secret: string) => void
  /** Of AWS, for a new login; else what the environment gives. */
  readonly credentials?: AwsOptions['credentials']
  readonly signal?: AbortSignal
}

/** The inputs that a new login would need and that are not there. */
export const missingOfLogin = ({ userPoolId, clientId, username, password }: IdTokenInputs): readonly string[] =>
  Object.entries({ 'user-pool-id': userPoolId, 'client-id': clientId, username, password }).flatMap(([id, value]) =>
    value === undefined ? [id] : [],
  )

/**
 * The token port of the cluster API's client: gives the token of the input while it lasts, then logs in. Called with a
 * token that was just refused, it logs in at once; without the inputs of a login it gives the refused token again, so
 * that the API's own words are what fails.
 */
export function idTokens(inputs: IdTokenInputs, ports: IdTokenPorts): (refused?: string) => Promise<string> {
  const { userPoolId, clientId, clientSecret, username, password, idToken } = inputs
  const { clock, credentials, log, mask, signal } = ports
  if (userPoolId === undefined || clientId === undefined || username === undefined || password === undefined) {
    const given = tokenSource({ given: idToken, now: () => clock.now(), log })
    return async refused => refused ?? (await given.idToken())
  }
  const pool = userPool({ id: userPoolId, credentials })
  const source = tokenSource({
    given: idToken,
    now: () => pool.serviceNow(),
    log,
    login: async () => {
      log.info(`Logging in to the Cognito user pool ${pool.id} for a new id token.`)
      const request = { clientId, clientSecret, username, password, revokeRefreshToken: true } as const
      return login({ ...request, flow: 'ADMIN_USER_PASSWORD_AUTH' }, { pool, clock, log, mask, signal })
    },
  })
  return refused => source.idToken(refused)
}

/** Who has issued a token, by its own words; undefined when it cannot be read. For a comparison of regions only. */
export function issuerOf(token: string | undefined): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString())
    const issuer: unknown = typeof claims === 'object' && claims !== null ? Reflect.get(claims, 'iss') : undefined
    return typeof issuer === 'string' ? issuer : undefined
  } catch {
    return undefined
  }
}
