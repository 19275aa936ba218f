import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { formatDuration, OutsideFault, poll } from '@gpu-actions/action-kit/ports'
import { ssmFault, type SsmTarget } from './command.ts'

export interface RegistrationOptions {
  /** When to give up: milliseconds since the epoch, on the target's clock. */
  readonly deadline: number
  readonly signal?: AbortSignal
  /**
   * Asked now and then: what makes waiting pointless (a machine that ended at boot), or undefined. What it returns is
   * thrown.
   */
  readonly hopeless?: () => Promise<Error | undefined>
  /** Asked once, when the deadline has passed: what the machine, its profile, its network and its console tell. */
  readonly diagnose: () => Promise<string>
}

/** Between two looks, in milliseconds: a change is noticed after 1.5 seconds in the median. */
const pace = { firstMs: 1_500, maxMs: 2_200 }
/** Looks between two questions whether waiting has sense. */
const looksPerQuestion = 4

/** What the Systems Manager knows of a machine; undefined before it has registered. */
async function pingStatus(target: SsmTarget, signal?: AbortSignal): Promise<string | undefined> {
  const { clients, instanceId } = target
  try {
    const { InstanceInformationList } = await clients
      .ssm()
      .send(
        new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [instanceId] }] }),
        signal === undefined ? {} : { abortSignal: signal },
      )
    return InstanceInformationList?.[0]?.PingStatus
  } catch (error) {
    signal?.throwIfAborted()
    throw ssmFault(
      target,
      `Waiting for ${instanceId} to register with the Systems Manager`,
      'ssm:DescribeInstanceInformation',
      error,
    )
  }
}

/**
 * Waits until the machine is Online with the Systems Manager.
 * @returns how long it took, in milliseconds
 * @throws OutsideFault with the diagnosis as advice when the deadline passes; what `hopeless` returns
 */
export async function waitForRegistration(target: SsmTarget, options: RegistrationOptions): Promise<number> {
  const { clock, instanceId } = target
  const { signal } = options
  const began = clock.now()
  let last: string | undefined
  let looks = 0
  const online = await poll(
    clock,
    async () => {
      last = await pingStatus(target, signal)
      if (last === 'Online') return true
      const pointless = ++looks % looksPerQuestion === 0 ? await options.hopeless?.() : undefined
      if (pointless !== undefined) throw pointless
      return undefined
    },
    { ...pace, deadline: options.deadline, ...(signal === undefined ? {} : { signal }) },
  )
  if (online === true) return clock.now() - began
  throw new OutsideFault({
    what: `${instanceId} did not register with the Systems Manager within ${formatDuration(clock.now() - began)} (${last === undefined ? 'never seen' : `last seen as ${last}`})`,
    advice: await options.diagnose(),
  })
}
