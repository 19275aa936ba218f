/** How a command on a machine stands, in words for a user. */
export interface Standing {
  /** `going`: ask again; `ended`: the script ran to its end; `failed`: it did not, and there is no exit code. */
  readonly kind: 'going' | 'ended' | 'failed'
  /** Goes on from "the script": `waits to be delivered`. */
  readonly says: string
  readonly advice?: string
  /** Whether the same call may work when it is sent again later. */
  readonly mayPass?: boolean
}

const agentAdvice =
  'See whether the machine still runs and is Online in Fleet Manager of the Systems Manager console; it may be overloaded, shutting down or cut off from the network.'
const stoppedAdvice = "See the command's history in the Systems Manager console for who stopped it."

/** `StatusDetails` of an invocation; documentation and service differ in spaces, so these have none. */
const standings: ReadonlyMap<string, Standing> = new Map([
  ['Pending', { kind: 'going', says: 'waits to be delivered' }],
  ['InProgress', { kind: 'going', says: 'runs' }],
  ['Delayed', { kind: 'going', says: 'cannot be delivered just now; the service keeps trying' }],
  ['Cancelling', { kind: 'going', says: 'is being cancelled' }],
  ['Success', { kind: 'ended', says: 'ended with exit code 0' }],
  ['Failed', { kind: 'ended', says: 'ended with an exit code other than 0' }],
  [
    'DeliveryTimedOut',
    { kind: 'failed', says: 'was not taken by the agent in time', advice: agentAdvice, mayPass: true },
  ],
  [
    'ExecutionTimedOut',
    {
      kind: 'failed',
      says: 'ran longer than its time and was ended',
      advice: 'Give it more time, or see why it hangs.',
      mayPass: true,
    },
  ],
  [
    'TimedOut',
    { kind: 'failed', says: 'was not delivered or did not end in time', advice: agentAdvice, mayPass: true },
  ],
  [
    'Undeliverable',
    {
      kind: 'failed',
      says: 'could not be delivered: the machine does not exist or does not answer',
      advice: agentAdvice,
      mayPass: true,
    },
  ],
  [
    'Terminated',
    { kind: 'failed', says: 'was cancelled, because its command had too many errors', advice: stoppedAdvice },
  ],
  ['Cancelled', { kind: 'failed', says: 'was cancelled before its end', advice: stoppedAdvice }],
  [
    'InvalidPlatform',
    { kind: 'failed', says: 'does not fit the operating system of the machine', advice: 'Use a Linux image.' },
  ],
  [
    'AccessDenied',
    {
      kind: 'failed',
      says: 'was refused',
      advice: 'Allow ssm:SendCommand on the instance and on the document AWS-RunShellScript.',
    },
  ],
] satisfies [string, Standing][])

/** What a value of `StatusDetails` or `Status` means, if it is a known one. */
export const knownStanding = (status: string | undefined): Standing | undefined =>
  standings.get((status ?? '').replaceAll(' ', ''))

/**
 * Puts the outcome of an invocation into words.
 * @param invocation `StatusDetails` says more than `Status`, which is for details that are not known; a negative
 * `ResponseCode` means that the script was not started, or that its end was not heard of
 */
export function standingOf(invocation: {
  readonly StatusDetails?: string | undefined
  readonly Status?: string | undefined
  readonly ResponseCode?: number | undefined
}): Standing {
  const { StatusDetails: details, Status: status, ResponseCode: code = -1 } = invocation
  const known = knownStanding(details) ?? knownStanding(status)
  if (known === undefined)
    return {
      kind: 'failed',
      says: `has the unknown status ${details ?? status ?? 'none'}`,
      advice: 'See the command in the Systems Manager console.',
    }
  if (known.kind === 'ended' && code < 0)
    return {
      kind: 'failed',
      says: 'was not started, was ended by a signal, or its end was not heard of',
      advice: agentAdvice,
      mayPass: true,
    }
  return known
}
