import { describe, expect, test } from '@jest/globals'
import { launchFaults } from '@gpu-actions/lease'
import { adviceFor, calling, faultOf, knownCodes, outsideFault } from '../src/index.ts'

const call = { doing: 'Launching g5.2xlarge', permission: 'ec2:RunInstances', region: 'us-west-2' }

const error = (name: string, httpStatusCode?: number, message = 'said the service'): Error =>
  Object.assign(new Error(message), { name, $metadata: httpStatusCode === undefined ? {} : { httpStatusCode } })

describe('the class of an error', () => {
  test.each([
    ['InsufficientInstanceCapacity', 500, 'capacity'],
    ['UnfulfillableCapacity', 500, 'capacity'],
    ['SpotMaxPriceTooLow', 400, 'price'],
    ['Unsupported', 400, 'zone'],
    ['InsufficientFreeAddressesInSubnet', 400, 'subnet'],
    ['VcpuLimitExceeded', 400, 'quota'],
    ['MaxSpotInstanceCountExceeded', 400, 'quota'],
    ['RequestLimitExceeded', 503, 'throttled'],
    ['EC2ThrottledException', 503, 'throttled'],
    ['SomethingNew', 429, 'throttled'],
    ['PendingVerification', 400, 'account'],
    ['OptInRequired', 401, 'account'],
    ['UnauthorizedOperation', 403, 'denied'],
    ['AccessDeniedException', 400, 'denied'],
    ['ExpiredToken', 400, 'credentials'],
    ['RequestExpired', 400, 'credentials'],
    ['InvalidClientTokenId', 403, 'credentials'],
    ['CredentialsProviderError', undefined, 'credentials'],
    ['InvalidParameterValue', 400, 'invalid'],
    ['InvalidAMIID.NotFound', 400, 'invalid'],
    ['SomethingNew', 400, 'invalid'],
    ['IdempotentParameterMismatch', 400, 'token'],
    ['IdempotentInstanceTerminated', 400, 'token'],
    ['InvalidInstanceID.NotFound', 400, 'not-found'],
    ['ReservationCapacityExceeded', 400, 'capacity'],
    ['InvalidCapacityReservationState.PendingActivation', 400, 'capacity'],
    ['InvalidCapacityReservationId.NotFound', 400, 'invalid'],
    ['NoSuchResourceException', 400, 'not-found'],
    ['IDPCommunicationErrorException', 400, 'server'],
    ['DryRunOperation', 412, 'dry-run'],
    ['InternalError', 500, 'server'],
    ['Unavailable', 503, 'server'],
    ['TimeoutError', undefined, 'server'],
    ['ECONNRESET', undefined, 'server'],
  ] as const)('of %s with status %p is %s', (name, status, fault) => expect(faultOf(error(name, status))).toBe(fault))

  test('of something thrown that is no error is server, because nothing is known', () => {
    expect(faultOf('cut')).toBe('server')
  })

  test('of every known code is one of the classes', () => {
    const classes = new Set<string>([...launchFaults, 'not-found', 'dry-run'])
    expect([...knownCodes.values()].filter(fault => !classes.has(fault))).toEqual([])
  })
})

describe('the words of an error', () => {
  test('every known code has advice that is a sentence', () => {
    for (const code of knownCodes.keys()) expect(adviceFor(error(code, 400), call)).toMatch(/^[A-Z].{20,}\.$/)
  })

  test('a denied call names the permission of its operation', () => {
    const fault = outsideFault(error('UnauthorizedOperation', 403), call)
    expect(fault.message).toBe(
      'Launching g5.2xlarge in us-west-2 failed: UnauthorizedOperation (permission ec2:RunInstances)',
    )
    expect(fault.advice).toContain('Allow ec2:RunInstances')
  })

  test('a denied call names the permission that the reply names, when it is another', () => {
    const text = 'User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: iam:PassRole on resource: r'
    expect(outsideFault(error('UnauthorizedOperation', 403, text), call).advice).toContain('Allow iam:PassRole')
  })

  test('a quota and a capacity fault differ, and the quota has a link', () => {
    expect(adviceFor(error('VcpuLimitExceeded', 400), call)).toContain('servicequotas')
    expect(adviceFor(error('InsufficientInstanceCapacity', 500), call)).toContain('none of these machines free')
  })

  test.each([
    ['AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'spot.amazonaws.com'],
    ['InvalidCapacityReservationState.PendingActivation', 'has not started yet'],
    ['ReservationCapacityExceeded', 'in use'],
    ['MaxSpotInstanceCountExceeded', 'some minutes'],
  ])('%s has advice of its own', (code, words) => expect(adviceFor(error(code, 400), call)).toContain(words))

  test('what has words already keeps them, and its class is that of what it was made from', async () => {
    const fault = outsideFault(error('ExpiredToken', 400), call)
    await expect(calling(call, () => Promise.reject(fault))).rejects.toBe(fault)
    expect(faultOf(fault)).toBe('credentials')
  })

  test('a cancelled call stays what it is', async () => {
    const aborted = error('AbortError')
    await expect(calling(call, () => Promise.reject(aborted))).rejects.toBe(aborted)
  })
})
