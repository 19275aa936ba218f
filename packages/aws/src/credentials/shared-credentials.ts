import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { codeOf } from '../errors.ts'

export interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
}

/** Credentials that all clients of a step share, and that are had anew when they end. */
export interface SharedCredentials {
  /** Gives those that are good for some time yet. */
  readonly provider: CredentialsProvider
  /** Changes with every renewal. */
  generation(): number
  /** Has new ones, unless that was done since `generation`. Calls at the same time share one renewal. */
  renew(generation: number): Promise<void>
}

/** The SDK keeps what a provider gave for itself, unless it is told that the provider does. */
export interface CredentialsProvider {
  (): Promise<Identity>
  readonly memoized: true
}

/** What has to be known of credentials to keep them. */
export interface Session {
  readonly identity: Identity
  /** Milliseconds since the epoch, on the service's clock. */
  readonly expiresAt: number
}

const fiveMinutes = 300_000

/**
 * @param assume gets new credentials; what it throws is thrown by the call that needed them
 * @param now the service's time, milliseconds since the epoch
 */
export function sharedCredentials(assume: () => Promise<Session>, now: () => number): SharedCredentials {
  let held: (Session & { readonly renewAt: number }) | undefined
  let pending: Promise<unknown> | undefined
  let generation = 0

  const renew = async (): Promise<void> => {
    const session = await assume()
    const left = session.expiresAt - now()
    held = { ...session, renewAt: now() + Math.max(left - fiveMinutes, left / 2) }
    generation++
  }
  const renewal = (): Promise<unknown> => (pending ??= renew().finally(() => (pending = undefined)))

  const give = async (): Promise<Identity> => {
    const before = held
    if (before === undefined || now() >= before.renewAt) {
      try {
        await renewal()
      } catch (error) {
        // Until its end the old session is as good as a new one.
        if (before === undefined || now() >= before.expiresAt) throw error
      }
    }
    if (held === undefined) throw new Error('a renewal without credentials')
    return held.identity
  }
  return {
    provider: Object.assign(give, { memoized: true as const }),
    generation: () => generation,
    renew: async seen => {
      if (seen === generation) await renewal()
    },
  }
}

/** What a service says to credentials that were good once. */
const ranOut: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
])

function refusedAgain(error: unknown): OutsideFault {
  const metadata: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, '$metadata') : undefined
  // Where the clocks differ, the SDK takes every refusal for one of the clock, and would send the call again and again.
  if (typeof metadata === 'object' && metadata !== null) Reflect.set(metadata, 'clockSkewCorrected', false)
  return new OutsideFault({
    what: `AWS refuses a session of the role that is new: ${codeOf(error)}`,
    advice: 'See whether the sessions of the role were revoked in IAM just now; then run the job again.',
    cause: error,
  })
}

/** What the SDK signs a request with. It is chosen once for a call, above the SDK's own retries. */
interface Context {
  readonly __smithy_context?: { readonly selectedHttpAuthScheme?: { identity: Identity } }
}

interface Stack {
  addRelativeTo(
    middleware: (next: (args: never) => Promise<unknown>, context: Context) => (args: never) => Promise<unknown>,
    options: { relation: 'before'; toMiddleware: 'httpSigningMiddleware'; name: string },
  ): void
}

/**
 * Lets a client have new credentials when a service says that they have run out, and sign and send the same request
 * once more: a launch has the same token then. A call that was refused so was not carried out. It sits below the SDK's
 * retries, which would repeat such a call with the dead credentials.
 */
export function renewing<C extends { readonly middlewareStack: unknown }>(
  client: C,
  credentials: SharedCredentials | undefined,
): C {
  if (credentials === undefined) return client
  const stack = client.middlewareStack as Stack
  stack.addRelativeTo(
    (next, context) => async args => {
      const scheme = context.__smithy_context?.selectedHttpAuthScheme
      const seen = credentials.generation()
      // Another call may have had new ones since this one chose its own, or its repetition comes long after.
      if (scheme !== undefined) scheme.identity = await credentials.provider()
      try {
        return await next(args)
      } catch (error) {
        if (scheme === undefined || !ranOut.has(codeOf(error))) throw error
        await credentials.renew(seen)
        scheme.identity = await credentials.provider()
        return next(args).catch((second: unknown) => {
          throw ranOut.has(codeOf(second)) ? refusedAgain(second) : second
        })
      }
    },
    { relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'renewCredentials' },
  )
  return client
}
