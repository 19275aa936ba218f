import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { clientSettings, repeatable, watched, type AwsOptions } from '../client-settings.ts'
import { serviceClock } from '../service-clock.ts'

/** A Cognito user pool, and the client that reaches it. */
export interface UserPool {
  readonly id: string
  /** The region that is called. */
  readonly region: string
  /** The region that the id names. It differs from `region` only for the replica of a pool in another region. */
  readonly homeRegion: string
  client(): CognitoIdentityProviderClient
  /** Where the client sent its last call; the pool's keys are served below it. Undefined before the first call. */
  endpoint(): URL | undefined
  /** The service's own time in milliseconds since the epoch, from the `Date` header of its replies. */
  serviceNow(): number
}

/** What AWS asks of the id of a user pool. The part before `_` is its region. */
export const userPoolId = /^(?<region>[a-z]{2}(-[a-z]+)+-\d+)_[0-9A-Za-z]+$/

export interface UserPoolOptions {
  readonly id: string
  /** Else the one that the id names. */
  readonly region?: string | undefined
  /** For `AdminInitiateAuth`; else what the environment gives, in the SDK's order. */
  readonly credentials?: AwsOptions['credentials']
}

interface EndpointContext {
  readonly endpointV2?: { readonly url: URL }
}

interface Stack {
  add(
    middleware: (
      next: (args: never) => Promise<unknown>,
      context: EndpointContext,
    ) => (args: never) => Promise<unknown>,
    options: { step: 'build'; name: string },
  ): void
}

/** @throws RangeError when the id is none of a user pool */
export function userPool(options: UserPoolOptions): UserPool {
  const homeRegion = userPoolId.exec(options.id)?.groups?.['region']
  if (homeRegion === undefined) throw new RangeError(`'${options.id}' is no id of a Cognito user pool`)
  const region = options.region ?? homeRegion
  const clock = serviceClock()
  let made: CognitoIdentityProviderClient | undefined
  let endpoint: URL | undefined
  const make = (): CognitoIdentityProviderClient => {
    const given = options.credentials === undefined ? {} : { credentials: options.credentials }
    const client = new CognitoIdentityProviderClient(clientSettings({ region, ...given }, repeatable))
    const stack = client.middlewareStack as unknown as Stack
    // The SDK resolves the endpoint for each call (environment, shared configuration, region) and offers it only here.
    stack.add(
      (next, context) => args => {
        endpoint = context.endpointV2?.url ?? endpoint
        return next(args)
      },
      { step: 'build', name: 'noteEndpoint' },
    )
    return watched(client, clock)
  }
  return {
    id: options.id,
    region,
    homeRegion,
    client: () => (made ??= make()),
    endpoint: () => endpoint,
    serviceNow: () => clock.now(),
  }
}
