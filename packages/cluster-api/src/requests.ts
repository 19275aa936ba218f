import { randomUUID } from 'node:crypto'
import { OutsideFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { isSuccess, type Dialect } from './dialect.ts'
import { apiFault, ApiFault, codeOf, neverSent, type Trouble } from './faults.ts'
import { readText } from './reading.ts'

/** What the calls need from outside. */
export interface RequestPorts {
  /** Without a slash at its end. */
  readonly base: string
  /**
   * An id token that is good for some time. Called before each request; keeps the token itself. Called with the token
   * that was just refused, it makes a new login; when it cannot, it gives the same token again.
   */
  readonly token: (refused?: string) => Promise<string>
  readonly clock: Clock
  readonly log: Pick<Log, 'debug' | 'info' | 'warning'>
  readonly dialect: Dialect
  readonly fetch: typeof fetch
  /** Time limit of one request, in milliseconds. */
  readonly requestMs: number
}

export interface Call {
  /** For sentences: `Registering cluster ci-gpu-bench`. */
  readonly doing: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly signal?: AbortSignal
  /** Tries; default 5. */
  readonly tries?: number
  /**
   * For calls that are not safe to repeat: asked after each failure that may have been executed nevertheless.
   * Gives what the lost reply would have said, or undefined: then the call is repeated.
   */
  readonly resolve?: () => Promise<unknown>
}

const longestPauseMs = 10_000
const longestWishMs = 30_000
const replyCharacters = 1_000_000

interface Answer {
  readonly trouble: Trouble | null
  readonly reply: unknown
  readonly retryAfterMs: number | null
}

/** One request. What goes wrong is told, not thrown, except the caller's own abort. */
async function once(ports: RequestPorts, call: Call, token: string, repeat: string): Promise<Answer> {
  const { repeatHeader } = ports.dialect
  const answer = (trouble: Trouble | null, reply: unknown = null, retryAfterMs: number | null = null): Answer => ({
    trouble,
    reply,
    retryAfterMs,
  })
  const limit = AbortSignal.timeout(ports.requestMs)
  try {
    const response = await ports.fetch(ports.base + call.path, {
      method: call.method,
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${token}`,
        ...(call.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(call.resolve !== undefined && repeatHeader !== null ? { [repeatHeader]: repeat } : {}),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      // The token would travel along.
      redirect: 'manual',
      signal: call.signal === undefined ? limit : AbortSignal.any([limit, call.signal]),
    })
    const code = response.status
    const text = (await response.text()).slice(0, replyCharacters)
    const reply = parse(text)
    if (!isSuccess(ports.dialect, code)) {
      const message = readText(reply, ports.dialect.fields.message) ?? (reply === undefined ? text.trim() : '')
      return answer({ kind: 'answered', code, message: oneLine(message) }, null, wishOf(response, ports.clock))
    }
    if (text.trim() === '') return answer(null, {})
    return reply === undefined ? answer({ kind: 'unreadable', why: 'is not JSON' }) : answer(null, reply)
  } catch (cause) {
    call.signal?.throwIfAborted()
    return answer({ kind: 'transport', cause, never: neverSent(cause) })
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').slice(0, 200)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How long the server wants to be left alone: seconds, or a date. */
function wishOf(response: Response, clock: Clock): number | null {
  const header = response.headers.get('retry-after')
  if (header === null) return null
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWishMs) : null
}

const passes = (trouble: Trouble): boolean =>
  trouble.kind === 'transport' || (trouble.kind === 'answered' && (trouble.code === 429 || trouble.code >= 500))

const mayHaveHappened = (trouble: Trouble): boolean =>
  trouble.kind === 'transport' ? !trouble.never : trouble.kind === 'answered' && trouble.code >= 500

/** Whether the token source has another token now. A refused login has words of its own. */
async function renews(ports: RequestPorts, token: string, fault: ApiFault): Promise<boolean> {
  try {
    return (await ports.token(token)) !== token
  } catch (error) {
    // Not allowed is not expired: what the login says would lead astray.
    if (codeOf(fault) === 403) throw fault
    if (!(error instanceof OutsideFault)) throw error
    throw new ApiFault(fault.trouble, `${fault.message}. ${error.message}`, error.advice)
  }
}

/**
 * Makes a call: backs off on 429, 5xx and lost connections, logs in once more when the token is refused.
 * @returns the reply's JSON, {} for an empty one
 * @throws ApiFault; the signal's reason when it was aborted
 */
export async function send(ports: RequestPorts, call: Call): Promise<unknown> {
  const { clock, log } = ports
  const { host } = new URL(ports.base)
  const tries = call.tries ?? 5
  const repeat = randomUUID()
  let renewed: boolean | null = null
  for (let attempt = 1; ;) {
    call.signal?.throwIfAborted()
    const token = await ports.token()
    const { trouble, reply, retryAfterMs } = await once(ports, call, token, repeat)
    if (trouble === null) return reply
    const fault = apiFault(host, call.doing, trouble, renewed === true)
    const isRefusal = trouble.kind === 'answered' && (trouble.code === 401 || trouble.code === 403)
    if (isRefusal && renewed === null) {
      renewed = await renews(ports, token, fault)
      if (!renewed) throw fault
      log.info(`The cluster API refused the id token (${trouble.code}); logged in again.`)
      continue
    }
    if (!passes(trouble) || attempt >= tries) throw fault
    if (call.resolve !== undefined && mayHaveHappened(trouble)) {
      const found = await call.resolve()
      if (found !== undefined) return found
      log.warning(`${fault.message}. It may have been done nevertheless; it is tried again.`)
    }
    log.debug(`${fault.message} (try ${attempt} of ${tries})`)
    const pause = retryAfterMs ?? Math.min(500 * 2 ** (attempt - 1), longestPauseMs)
    await clock.sleep(pause * (0.75 + clock.random() / 2), call.signal)
    attempt++
  }
}

/** A reply without what was asked for. */
export const unreadable = (ports: RequestPorts, doing: string, why: string): ApiFault =>
  apiFault(new URL(ports.base).host, doing, { kind: 'unreadable', why }, false)
