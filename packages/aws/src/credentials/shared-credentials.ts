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

interface Stack {
  add(
    middleware: (next: (args: never) => Promise<unknown>) => (args: never) => Promise<unknown>,
    options: { step: 'initialize'; priority: 'low'; name: string },
  ): void
}

/**
 * Lets a client have new credentials when a service says that they have run out, and send the same input once more: a
 * launch has the same token then. A call that was refused so was not carried out.
 */
export function renewing<C extends { readonly middlewareStack: unknown }>(
  client: C,
  credentials: SharedCredentials | undefined,
): C {
  if (credentials === undefined) return client
  const stack = client.middlewareStack as Stack
  stack.add(
    next => async args => {
      const seen = credentials.generation()
      try {
        return await next(args)
      } catch (error) {
        if (!ranOut.has(codeOf(error))) throw error
        await credentials.renew(seen)
        return await next(args)
      }
    },
    { step: 'initialize', priority: 'low', name: 'renewCredentials' },
  )
  return client
}
