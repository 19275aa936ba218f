import { STSClient } from '@aws-sdk/client-sts'
import type { Clock } from '@gpu-actions/action-kit/ports'
import { clientSettings, watched, type AwsOptions } from './client-settings.ts'
import { awsClients, once, type AwsClients } from './clients.ts'
import { assumeRole } from './credentials/role.ts'
import { sharedCredentials, type SharedCredentials } from './credentials/shared-credentials.ts'
import { serviceClock, type ServiceClock } from './service-clock.ts'

export interface WorldOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** ARN of the role that every client uses from the first call on; without it, what the environment gives. */
  readonly roleToAssume?: string | undefined
  /** A new OIDC token of the job for an audience; needed with a role. */
  readonly idToken?: ((audience: string) => Promise<string>) | undefined
  /** Of the role's session: repository and run, for CloudTrail. */
  readonly sessionName: string
  readonly clock: Clock
}

/** AWS as one step sees it: clients of every region, with the same credentials and one clock. */
export interface AwsWorld {
  /** The region that the job's AWS settings name. */
  readonly environmentRegion: string | undefined
  /** The same clients for each call. */
  clientsFor(region: string): AwsClients
  /** For clients of other services; undefined: what the environment gives, in the SDK's order. */
  readonly credentials: AwsOptions['credentials']
}

/** No call is sent by this. The role is taken with the first call of a client. */
export function awsWorld(options: WorldOptions): AwsWorld {
  const { environment } = options
  const environmentRegion = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined
  const clock = serviceClock(() => options.clock.now())
  const regions = new Map<string, AwsClients>()
  const shared = roleOf(options, clock, () => environmentRegion ?? regions.keys().next().value ?? 'us-east-1')
  return {
    environmentRegion,
    clientsFor: region => {
      const known = regions.get(region) ?? awsClients({ region, clock, shared })
      regions.set(region, known)
      return known
    },
    credentials: shared?.provider,
  }
}

function roleOf(options: WorldOptions, watch: ServiceClock, region: () => string): SharedCredentials | undefined {
  const { roleToAssume: role, idToken, sessionName, clock } = options
  if (role === undefined) return undefined
  if (idToken === undefined) throw new TypeError('a role to assume needs a source of OIDC tokens')
  const sts = once(() => watched(new STSClient(clientSettings({ region: region() }, 1)), watch))
  return sharedCredentials(
    () => assumeRole({ role, idToken, sessionName, clock, region: region(), sts }),
    () => watch.now(),
  )
}
