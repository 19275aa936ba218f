import { CancelSpotInstanceRequestsCommand, TerminateInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2'
import { messageOf } from '@gpu-actions/action-kit/ports'
import type { Machine, TerminateRefusal } from '@gpu-actions/lease'
import { calling, codeOf, faultOf } from '../errors.ts'
import { inParts } from './find.ts'

/**
 * EC2 takes 1000 and advises fewer. An account may end 1000 machines at once and 20 a second after that: a larger batch
 * would have to wait longer for its turn as a whole.
 */
const batchSize = 250

/** Faults of one id that fail its whole batch. */
const ofOneId = (code: string): boolean => code.startsWith('InvalidInstanceID') || code === 'OperationNotPermitted'

/** Fewer than these wait for their turn together. */
const smallBatch = 50

const protectedFrom = (id: string, region: string, error: unknown): string =>
  `${id} in ${region} is protected against termination, so it runs and costs until the protection is off: ` +
  `aws ec2 modify-instance-attribute --region ${region} --instance-id ${id} --no-disable-api-termination; ` +
  `then end it again (${messageOf(error)})`

async function batch(ec2: EC2Client, region: string, ids: readonly string[]): Promise<readonly TerminateRefusal[]> {
  const what = ids.length > 3 ? `${ids.length} machines` : ids.join(', ')
  const call = { doing: `Ending ${what}`, permission: 'ec2:TerminateInstances', region }
  const failed = await calling(call, async () => {
    try {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [...ids], SkipOsShutdown: true }))
      return undefined
    } catch (error) {
      const tooMany = faultOf(error) === 'throttled' && ids.length > smallBatch
      if (!ofOneId(codeOf(error)) && !tooMany) throw error
      return error
    }
  })
  if (failed === undefined) return []
  const [id] = ids
  if (ids.length === 1 && id !== undefined) {
    return codeOf(failed).startsWith('InvalidInstanceID')
      ? [{ id, fault: 'not-found', message: `${id} is not known in ${region}` }]
      : [{ id, fault: 'protected', message: protectedFrom(id, region, failed) }]
  }
  const middle = Math.ceil(ids.length / 2)
  // Half by half: one bad id must not keep the others alive.
  return [...(await batch(ec2, region, ids.slice(0, middle))), ...(await batch(ec2, region, ids.slice(middle)))]
}

/** Cancels spot requests; those that are closed already stay so. @throws OutsideFault */
export async function cancelRequests(ec2: EC2Client, region: string, ids: readonly string[]): Promise<void> {
  const call = {
    doing: `Cancelling spot requests (${ids.length})`,
    permission: 'ec2:CancelSpotInstanceRequests',
    region,
  }
  for (const some of inParts(ids, batchSize)) {
    const command = new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [...some] })
    await calling(call, () => ec2.send(command))
  }
}

/**
 * Orders instances of one region to end, without waiting for their operating systems, and closes their spot requests.
 * Of those that have ended only the requests are closed.
 * @returns those that would not
 * @throws OutsideFault when the call itself failed
 */
export async function terminate(
  ec2: EC2Client,
  region: string,
  machines: readonly Machine[],
): Promise<readonly TerminateRefusal[]> {
  const ids = machines.filter(({ state }) => state !== 'gone').map(({ id }) => id)
  const refusals: TerminateRefusal[] = []
  for (const some of inParts(ids, batchSize)) refusals.push(...(await batch(ec2, region, some)))
  // Only then: a cancelled request leaves its machine alone, and nothing would be known of it any more.
  const refused = new Set(refusals.filter(({ fault }) => fault !== 'not-found').map(({ id }) => id))
  const ending = machines.filter(({ id }) => !refused.has(id))
  await cancelRequests(ec2, region, [...new Set(ending.flatMap(machine => machine.requests))])
  return refusals
}
