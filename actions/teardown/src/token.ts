import type { Clock, Log } from '@gpu-actions/action-kit'
import { login, tokenSource, userPool } from '@gpu-actions/aws'

/** What an id token, or a new one, is had by. */
export interface TokenInputs {
  readonly idToken?: string | undefined
  readonly userPoolId?: string | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface TokenPorts {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly mask: (secret: string) => void
  readonly signal?: AbortSignal
}

/** The inputs that a new login would need and that are not there. */
export const missingOfLogin = ({ userPoolId, clientId, username, password }: TokenInputs): readonly string[] =>
  Object.entries({ 'user-pool-id': userPoolId, 'client-id': clientId, username, password }).flatMap(([id, value]) =>
    value === undefined ? [id] : [],
  )

/**
 * The token port of the cluster API's client: gives the token of the input while it lasts, then logs in.
 * Without the inputs of a login a refused token is given again, so that the API's own words are what fails.
 */
export function tokenFor(inputs: TokenInputs, ports: TokenPorts): (refused?: string) => Promise<string> {
  const { userPoolId, clientId, clientSecret, username, password, idToken } = inputs
  const { clock, log, mask, signal } = ports
  if (userPoolId === undefined || clientId === undefined || username === undefined || password === undefined) {
    const given = tokenSource({ given: idToken, now: () => clock.now(), log })
    return async refused => refused ?? (await given.idToken())
  }
  const pool = userPool({ id: userPoolId })
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
