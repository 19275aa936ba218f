import { EC2Client, type EC2ClientConfig } from '@aws-sdk/client-ec2'
import { SSMClient } from '@aws-sdk/client-ssm'
import { STSClient } from '@aws-sdk/client-sts'
import { serviceClock, type ServiceClock } from './service-clock.ts'

export interface AwsOptions {
  readonly region: string
  /** Else what the environment gives, in the SDK's order. */
  readonly credentials?: NonNullable<EC2ClientConfig['credentials']>
}

/** The clients of one region. Each is made when it is first asked for; all share the service's clock. */
export interface AwsClients {
  readonly region: string
  /** Everything that may be repeated. */
  ec2(): EC2Client
  /** `RunInstances`: exactly one request for each `send`, because its outcome must be known before it is repeated. */
  ec2Once(): EC2Client
  ssm(): SSMClient
  /** `SendCommand` has no token: exactly one request for each `send`. */
  ssmOnce(): SSMClient
  sts(): STSClient
  /** The service's own time in milliseconds since the epoch, from the `Date` header of its replies. */
  serviceNow(): number
}

/** Attempts of calls that only read or are idempotent (reference: terminate wants five or more). */
const repeatable = 5

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

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** Makes the clients of a region. No call is sent by this. */
export function awsClients(options: AwsOptions): AwsClients {
  const clock = serviceClock()
  const settings = (maxAttempts: number) => ({
    region: options.region,
    maxAttempts,
    customUserAgent: 'gpu-actions',
    // A reply that does not come must become an error while there is still time to find the machine.
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000, throwOnRequestTimeout: true },
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  })
  const watched = <C extends { readonly middlewareStack: unknown }>(client: C): C => {
    observeDate(client.middlewareStack as Stack, clock)
    return client
  }
  return {
    region: options.region,
    ec2: once(() => watched(new EC2Client(settings(repeatable)))),
    ec2Once: once(() => watched(new EC2Client(settings(1)))),
    ssm: once(() => watched(new SSMClient(settings(repeatable)))),
    ssmOnce: once(() => watched(new SSMClient(settings(1)))),
    sts: once(() => watched(new STSClient(settings(repeatable)))),
    serviceNow: () => clock.now(),
  }
}
