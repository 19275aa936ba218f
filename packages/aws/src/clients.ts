import { EC2Client } from '@aws-sdk/client-ec2'
import { SSMClient } from '@aws-sdk/client-ssm'
import { STSClient } from '@aws-sdk/client-sts'
import { clientSettings, repeatable, watched, type AwsOptions } from './client-settings.ts'
import { renewing, type SharedCredentials } from './credentials/shared-credentials.ts'
import { serviceClock, type ServiceClock } from './service-clock.ts'

export type { AwsOptions } from './client-settings.ts'

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
  /** The client of another service, with the same credentials; made once for each name. */
  other<C extends AnyClient>(name: string, make: (settings: ClientSettings) => C, region?: string): C
  /** The service's own time in milliseconds since the epoch, from the `Date` header of its replies. */
  serviceNow(): number
}

export interface AnyClient {
  readonly middlewareStack: unknown
}

export type ClientSettings = ReturnType<typeof clientSettings>

/** Makes it when it is first asked for, and only once. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

export interface ClientsOptions extends AwsOptions {
  /** One for all regions. */
  readonly clock?: ServiceClock
  /** Instead of `credentials`. */
  readonly shared?: SharedCredentials | undefined
}

/** Makes the clients of a region. No call is sent by this. */
export function awsClients(options: ClientsOptions): AwsClients {
  const { region, shared, clock = serviceClock() } = options
  const credentials = shared?.provider ?? options.credentials
  const settings = (attempts: number, where = region): ClientSettings =>
    clientSettings({ region: where, ...(credentials === undefined ? {} : { credentials }) }, attempts)
  const ready = <C extends AnyClient>(client: C): C => renewing(watched(client, clock), shared)
  const others = new Map<string, AnyClient>()
  return {
    region,
    ec2: once(() => ready(new EC2Client(settings(repeatable)))),
    ec2Once: once(() => ready(new EC2Client(settings(1)))),
    ssm: once(() => ready(new SSMClient(settings(repeatable)))),
    ssmOnce: once(() => ready(new SSMClient(settings(1)))),
    sts: once(() => ready(new STSClient(settings(repeatable)))),
    other: <C extends AnyClient>(name: string, make: (given: ClientSettings) => C, where?: string): C => {
      const known = (others.get(name) as C | undefined) ?? ready(make(settings(repeatable, where)))
      others.set(name, known)
      return known
    },
    serviceNow: () => clock.now(),
  }
}
