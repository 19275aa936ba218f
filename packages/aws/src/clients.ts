import { EC2Client } from '@aws-sdk/client-ec2'
import { SSMClient } from '@aws-sdk/client-ssm'
import { STSClient } from '@aws-sdk/client-sts'
import { clientSettings, repeatable, watched, type AwsOptions } from './client-settings.ts'
import { serviceClock } from './service-clock.ts'

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
  /** The service's own time in milliseconds since the epoch, from the `Date` header of its replies. */
  serviceNow(): number
}

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** Makes the clients of a region. No call is sent by this. */
export function awsClients(options: AwsOptions): AwsClients {
  const clock = serviceClock()
  return {
    region: options.region,
    ec2: once(() => watched(new EC2Client(clientSettings(options, repeatable)), clock)),
    ec2Once: once(() => watched(new EC2Client(clientSettings(options, 1)), clock)),
    ssm: once(() => watched(new SSMClient(clientSettings(options, repeatable)), clock)),
    ssmOnce: once(() => watched(new SSMClient(clientSettings(options, 1)), clock)),
    sts: once(() => watched(new STSClient(clientSettings(options, repeatable)), clock)),
    serviceNow: () => clock.now(),
  }
}
