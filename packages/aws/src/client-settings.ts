import type { EC2ClientConfig } from '@aws-sdk/client-ec2'
import type { ServiceClock } from './service-clock.ts'

export interface AwsOptions {
  readonly region: string
  /** Else what the environment gives, in the SDK's order. */
  readonly credentials?: NonNullable<EC2ClientConfig['credentials']>
}

/** Attempts of calls that only read or are idempotent (reference: terminate wants five or more). */
export const repeatable = 5

/** What every client of AWS is made with. */
export const clientSettings = (options: AwsOptions, maxAttempts: number) => ({
  region: options.region,
  maxAttempts,
  customUserAgent: 'gpu-actions',
  // A reply that does not come must become an error while there is still time to find the machine.
  requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
})

interface Stack {
  add(
    middleware: (
      next: (args: never) => Promise<{ response: unknown }>,
    ) => (args: never) => Promise<{ response: unknown }>,
    options: { step: 'deserialize'; priority: 'low'; name: string },
  ): void
}

/** Sits next to the wire, so that it sees failed replies too. */
function observeDate(stack: Stack, clock: ServiceClock): void {
  stack.add(
    next => async args => {
      const result = await next(args)
      const { response } = result
      if (typeof response === 'object' && response !== null && 'headers' in response) {
        const headers = response.headers
        if (typeof headers === 'object' && headers !== null && 'date' in headers) clock.observe(headers.date)
      }
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'observeServiceDate' },
  )
}

/** Lets the clock follow the service's replies to this client. */
export function watched<C extends { readonly middlewareStack: unknown }>(client: C, clock: ServiceClock): C {
  observeDate(client.middlewareStack as Stack, clock)
  return client
}
