import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import type { LaunchFault } from '@gpu-actions/lease'

/** Beside the classes of a launch: something that is not there, and the answer of a dry run that would have worked. */
export type AwsFault = LaunchFault | 'not-found' | 'dry-run'

const byCode = new Map<string, AwsFault>([
  ['InsufficientInstanceCapacity', 'capacity'],
  ['InsufficientHostCapacity', 'capacity'],
  ['InsufficientCapacity', 'capacity'],
  ['UnfulfillableCapacity', 'capacity'],
  ['ReservationCapacityExceeded', 'capacity'],
  // A block that has not started yet is there later, as free machines are.
  ['InvalidCapacityReservationState.PendingActivation', 'capacity'],
  ['SpotMaxPriceTooLow', 'price'],
  ['Unsupported', 'zone'],
  ['InsufficientFreeAddressesInSubnet', 'subnet'],
  ['VcpuLimitExceeded', 'quota'],
  ['MaxSpotInstanceCountExceeded', 'quota'],
  ['InstanceLimitExceeded', 'quota'],
  ['VolumeLimitExceeded', 'quota'],
  ['RequestLimitExceeded', 'throttled'],
  ['EC2ThrottledException', 'throttled'],
  ['Throttling', 'throttled'],
  ['ThrottlingException', 'throttled'],
  ['ThrottledException', 'throttled'],
  ['RequestThrottled', 'throttled'],
  ['RequestThrottledException', 'throttled'],
  ['TooManyRequestsException', 'throttled'],
  ['PendingVerification', 'account'],
  ['OptInRequired', 'account'],
  ['Blocked', 'account'],
  ['RegionDisabledException', 'account'],
  ['SubscriptionRequiredException', 'account'],
  ['UnauthorizedOperation', 'denied'],
  ['AccessDenied', 'denied'],
  ['AccessDeniedException', 'denied'],
  ['AuthFailure', 'denied'],
  ['AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'denied'],
  ['IDPRejectedClaim', 'denied'],
  ['IDPRejectedClaimException', 'denied'],
  ['InvalidIdentityToken', 'denied'],
  ['InvalidIdentityTokenException', 'denied'],
  ['IDPCommunicationError', 'server'],
  ['IDPCommunicationErrorException', 'server'],
  ['ExpiredToken', 'credentials'],
  ['ExpiredTokenException', 'credentials'],
  ['RequestExpired', 'credentials'],
  ['InvalidClientTokenId', 'credentials'],
  ['UnrecognizedClientException', 'credentials'],
  ['InvalidSignatureException', 'credentials'],
  ['SignatureDoesNotMatch', 'credentials'],
  ['CredentialsProviderError', 'credentials'],
  ['TokenProviderError', 'credentials'],
  ['IdempotentParameterMismatch', 'token'],
  ['IdempotentInstanceTerminated', 'token'],
  ['InvalidInstanceID.NotFound', 'not-found'],
  ['InvalidVolume.NotFound', 'not-found'],
  ['InvalidNetworkInterfaceID.NotFound', 'not-found'],
  ['InvalidSpotInstanceRequestID.NotFound', 'not-found'],
  ['InvalidCapacityReservationId.NotFound', 'invalid'],
  ['InvalidCapacityReservationId.Malformed', 'invalid'],
  ['InvalidCapacityReservationState', 'invalid'],
  ['ParameterNotFound', 'not-found'],
  ['NoSuchResourceException', 'not-found'],
  ['NotFoundException', 'not-found'],
  ['InvalidParameterValue', 'invalid'],
  ['InvalidParameterCombination', 'invalid'],
  ['InvalidParameter', 'invalid'],
  ['MissingParameter', 'invalid'],
  ['InvalidAMIID.NotFound', 'invalid'],
  ['InvalidAMIID.Unavailable', 'invalid'],
  ['InvalidSubnetID.NotFound', 'invalid'],
  ['InvalidGroup.NotFound', 'invalid'],
  ['IllegalArgumentException', 'invalid'],
  ['ValidationError', 'invalid'],
  ['ValidationException', 'invalid'],
  ['DryRunOperation', 'dry-run'],
])

/** Every code with a class of its own, for tables and tests. */
export const knownCodes: ReadonlyMap<string, AwsFault> = byCode

const property = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

const metadata = (error: unknown, name: string): unknown => property(property(error, '$metadata'), name)

/** The service's own code, such as `VcpuLimitExceeded`; for other errors the name of the error. */
export const codeOf = (error: unknown): string => {
  const name = property(error, 'name')
  return typeof name === 'string' ? name : 'Error'
}

export const requestIdOf = (error: unknown): string | null => {
  const id = metadata(error, 'requestId')
  return typeof id === 'string' ? id : null
}

/**
 * Gives an error of any AWS call its one class. Known codes win over the HTTP status: a capacity fault carries a 500.
 * What never got a reply (connection cut, time-out) is `server`: nobody knows whether the call was carried out.
 */
export function faultOf(error: unknown): AwsFault {
  // What was put into words already has its class from what it was put into words for.
  if (error instanceof OutsideFault) return faultOf(error.cause)
  const known = byCode.get(codeOf(error))
  if (known !== undefined) return known
  const status = metadata(error, 'httpStatusCode')
  if (status === 429) return 'throttled'
  return typeof status !== 'number' || status >= 500 ? 'server' : 'invalid'
}

/** Classes that another try of the same call may overcome. */
export const isTransient = (fault: AwsFault): boolean => fault === 'throttled' || fault === 'server'

/** A call and where it went, for the words of its failure. */
export interface Call {
  /** What was being done: `Looking for the machines of lease 1-1-abc`. */
  readonly doing: string
  /** The IAM action: `ec2:DescribeInstances`. */
  readonly permission: string
  readonly region: string
}

/** The permission that was missing: the one that the reply names, else that of the call. */
export function missingPermission(error: unknown, call: Call): string {
  const named = /not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)/.exec(messageOf(error))?.[1]
  return named ?? call.permission
}

/** Credentials that were good once. */
const expired: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired'])

const quotaLink = (region: string): string =>
  `https://${region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas`

/** What to do about codes for which their class says too little. */
const adviceByCode = new Map<string, (region: string) => string>([
  [
    'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
    () =>
      'The first spot machine of an account needs the role AWSServiceRoleForEC2Spot: an administrator makes it once with `aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`. Or set market to on-demand.',
  ],
  [
    'InvalidCapacityReservationState.PendingActivation',
    () => 'The capacity block has not started yet: start the job at its start.',
  ],
  [
    'ReservationCapacityExceeded',
    () => 'Every machine of the reservation is in use: wait until one ends, or launch without capacity-reservation-id.',
  ],
  [
    'InvalidCapacityReservationState',
    () =>
      'The reservation is not active (any more): see it in the EC2 console, or launch without capacity-reservation-id.',
  ],
  [
    'InvalidCapacityReservationId.NotFound',
    region => `Check capacity-reservation-id: it is not in ${region}, or not shared with this account.`,
  ],
  [
    'MaxSpotInstanceCountExceeded',
    region =>
      `Raise the spot quota of this instance family in ${region}: ${quotaLink(region)}. Spot machines that ended a moment ago still count for some minutes.`,
  ],
  ['VolumeLimitExceeded', region => `Raise the quota of EBS storage in ${region}, or set a smaller volume-size.`],
  [
    'InvalidAMIID.NotFound',
    region =>
      `Check the image: it is not in ${region}, not shared with this account, or a policy of allowed images hides it.`,
  ],
])

/** What to do about a class of failure, as a sentence. */
export function adviceFor(error: unknown, call: Call): string {
  const own = adviceByCode.get(codeOf(error))
  if (own !== undefined) return own(call.region)
  switch (faultOf(error)) {
    case 'capacity':
      return 'AWS has none of these machines free right now: name more instance types or more subnets (zones), or try again later.'
    case 'price':
      return 'Set no maximum price for the spot request.'
    case 'zone':
      return 'Use a subnet in another zone: this one does not offer the instance type.'
    case 'subnet':
      return 'Use another subnet: this one has no free addresses.'
    case 'quota':
      return `Raise the quota of this instance family in ${call.region}: ${quotaLink(call.region)}. Waiting or other zones do not help.`
    case 'throttled':
      return 'The account sends too many requests; try again in a few minutes.'
    case 'account':
      return 'The owner of the AWS account has to act: open the AWS console and follow the notice of AWS Support.'
    case 'denied':
      return `Allow ${missingPermission(error, call)} in the policy of the workflow's role (docs/iam/workflow-role.json has all that is needed).`
    case 'credentials':
      return expired.has(codeOf(error))
        ? 'The AWS credentials of the job have expired. With role-to-assume (and `permissions: id-token: write`) this step gets new ones by itself, as often as it needs.'
        : 'Give the job valid AWS credentials: role-to-assume (and `permissions: id-token: write`), or aws-actions/configure-aws-credentials in a step before this one.'
    case 'token':
      return 'The launch token was used before; look for its machine in the EC2 console by the client token.'
    case 'not-found':
      return `Check that it exists in ${call.region}, in the account of these credentials.`
    case 'server':
      return 'AWS or the network did not answer as it should; try again, and see https://health.aws.amazon.com/health/status.'
    case 'invalid':
      return 'Correct the input that the message names.'
    case 'dry-run':
      return 'Nothing to do: the dry run shows that the call would have worked.'
  }
}

/** Puts the failure of a call into words: what was being done, why it failed, what to do. */
export function outsideFault(error: unknown, call: Call): OutsideFault {
  const denied = faultOf(error) === 'denied' ? ` (permission ${missingPermission(error, call)})` : ''
  return new OutsideFault({
    what: `${call.doing} in ${call.region} failed: ${codeOf(error)}${denied}`,
    advice: adviceFor(error, call),
    cause: error,
  })
}

/** Sends a call and puts its failure into words. */
export async function calling<T>(call: Call, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    // A cancelled job is no failure of AWS.
    if (codeOf(error) === 'AbortError' || codeOf(error) === 'Cancelled') throw error
    // Credentials that could not be had have words of their own.
    if (error instanceof OutsideFault || error instanceof UserFault) throw error
    throw outsideFault(error, call)
  }
}
