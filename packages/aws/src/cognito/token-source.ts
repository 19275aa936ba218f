import { messageOf, OutsideFault, type Log } from '@gpu-actions/action-kit/ports'
import { decodeJwt } from 'jose'
import { faultOfFailure, mayPass } from './failures.ts'
import type { Tokens } from './login.ts'

/** Gives an id token whenever one is needed, however long the work takes. */
export interface TokenSource {
  /**
   * An id token that is good for some time. Calls at the same time share one login.
   * @param refused the token that a server has just refused (401): another one is given
   * @throws OutsideFault when the login fails, or when there is nobody to log in
   */
  idToken(refused?: string): Promise<string>
}

export interface TokenSourceOptions {
  /** An id token from an earlier step. */
  readonly given?: string | undefined
  /** Logs in; without it the given token is all there is. */
  readonly login?: (() => Promise<Pick<Tokens, 'idToken' | 'expiresAt'>>) | undefined
  /** Milliseconds since the epoch, on the service's time if that is known. */
  readonly now: () => number
  readonly log: Pick<Log, 'warning'>
  /** How long before its end a token is replaced, in milliseconds; never more than half of what it has left. */
  readonly marginMs?: number
}

const fiveMinutes = 300_000
/** Pause between two logins when the first has failed for a reason that may pass, in milliseconds. */
const pauseMs = 30_000

interface Held {
  readonly token: string
  readonly expiresAt: number
  readonly renewAt: number
}

/** When a token ends by its own words; one that cannot be read is used until a server refuses it. */
function expiryOf(token: string): number {
  try {
    return (decodeJwt(token).exp ?? Infinity) * 1000
  } catch {
    return Infinity
  }
}

const nobody = (): OutsideFault =>
  new OutsideFault({
    what: 'The id token has expired or was refused, and this step was not told how to log in again',
    advice:
      'Give this step user-pool-id, client-id, username and password beside id-token, or run cognito-login right before it. An id token lives an hour by default, and does not cross jobs.',
  })

/** A refused login is final, because another try could lock the user; one that may pass is tried again after a pause. */
export function tokenSource(options: TokenSourceOptions): TokenSource {
  const { login, now, log, marginMs = fiveMinutes } = options
  const hold = (token: string, expiresAt: number): Held => ({
    token,
    expiresAt,
    renewAt: Math.max(expiresAt - marginMs, now() + (expiresAt - now()) / 2),
  })
  let held = options.given === undefined ? undefined : hold(options.given, expiryOf(options.given))
  let pending: Promise<Held> | undefined
  let failed: { readonly error: unknown; readonly at: number } | undefined

  async function renew(logIn: NonNullable<typeof login>): Promise<Held> {
    if (failed !== undefined) {
      const fault = faultOfFailure(failed.error)
      if (fault === undefined || !mayPass(fault) || now() - failed.at < pauseMs) throw failed.error
    }
    try {
      const tokens = await logIn()
      failed = undefined
      return (held = hold(tokens.idToken, tokens.expiresAt))
    } catch (error) {
      failed = { error, at: now() }
      if (held !== undefined) log.warning(`No new id token: ${messageOf(error)}`)
      throw error
    }
  }

  return {
    async idToken(refused) {
      const usable = held !== undefined && held.token !== refused && held.expiresAt > now() ? held : undefined
      if (usable !== undefined && now() < usable.renewAt) return usable.token
      if (login === undefined) {
        if (usable === undefined) throw nobody()
        return usable.token
      }
      pending ??= renew(login).finally(() => (pending = undefined))
      try {
        return (await pending).token
      } catch (error) {
        if (usable !== undefined && usable.expiresAt > now()) return usable.token
        throw error
      }
    },
  }
}
