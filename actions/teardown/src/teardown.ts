import { join } from 'node:path'
import type { AwsWorld } from '@gpu-actions/aws'
import {
  earlierReceipt,
  receiptRecord,
  resourceEnds,
  resourceReceipt,
  withResources,
  type Receipt,
} from '@gpu-actions/lease'
import { endLeases, type LeaseEnd, type TeardownContext } from './leases.ts'
import { report, type Ended } from './report.ts'
import { endEverythingElse, type ResourcesEnd } from './resources.ts'

/**
 * Ends machines on the one hand, clusters and token parameters on the other, at the same time: neither waits for the
 * other, and neither fails because the other does. Then both go on one receipt for each lease.
 */
export async function teardown(context: TeardownContext, world: AwsWorld): Promise<void> {
  const startedAt = context.clock.now()
  const deadline = startedAt + context.inputs.timeout
  const [machines, everythingElse] = await Promise.all([
    settled(endLeases(context, world, deadline)),
    settled(endEverythingElse(context, world, deadline)),
  ])
  const leases = 'error' in machines ? [] : machines.done
  const resources = 'error' in everythingElse ? [] : everythingElse.done
  const ended: Ended[] = []
  for (const lease of leases) {
    const own = resources.find(({ place }) => place === lease.leaseId)
    ended.push(await joined(context, lease, own))
  }
  for (const alone of resources.filter(({ place }) => leases.every(({ leaseId }) => leaseId !== place))) {
    ended.push(await withoutMachines(context, alone, startedAt, 'error' in machines))
  }
  if ('error' in machines) ended.push({ ...nothing, name: 'the machines', error: machines.error })
  if ('error' in everythingElse) ended.push({ ...nothing, name: 'the clusters', error: everythingElse.error })
  await report(context, ended)
}

/** What a work has done, or why it has failed as a whole. */
const settled = <T>(work: Promise<T>): Promise<{ readonly done: T } | { readonly error: unknown }> =>
  work.then(
    done => ({ done }),
    (error: unknown) => ({ error }),
  )

const nothing = { receipt: null, path: null, error: undefined, left: [], problems: [] }

async function written(context: TeardownContext, place: string, receipt: Receipt) {
  const records = context.runDirectories.open(place)
  await receiptRecord.write(records, receipt)
  return { receipt, path: join(records.path, receiptRecord.file) }
}

/** What is left of resources when there is no receipt to say so. */
const unwritten = (resources: ResourcesEnd | undefined) => ({
  left: (resources?.ends ?? []).flatMap(({ left }) => (left === null ? [] : [left])),
  problems: (resources?.ends ?? []).flatMap(({ resource: { problem } }) => (problem === null ? [] : [problem])),
})

async function joined(context: TeardownContext, lease: LeaseEnd, resources: ResourcesEnd | undefined): Promise<Ended> {
  const name = `lease ${lease.leaseId}`
  // A receipt for its cluster alone would look like the end of the lease.
  if ('error' in lease) return { ...nothing, name, error: lease.error, ...unwritten(resources) }
  const receipt = withResources(lease.receipt, resources?.ends ?? [])
  return { ...nothing, name, ...(await written(context, lease.leaseId, receipt)) }
}

/** Resources of a place whose machine is none of ours, or was not to be ended. */
async function withoutMachines(
  context: TeardownContext,
  resources: ResourcesEnd,
  startedAt: number,
  isMachineOpen: boolean,
): Promise<Ended> {
  const { place, leaseId, ends } = resources
  const name = `what is registered in ${place}`
  if (ends.length === 0) return { ...nothing, name }
  if (isMachineOpen && leaseId !== null) return { ...nothing, name, ...unwritten(resources) }
  const earlier = await earlierReceipt(context.runDirectories.open(place))
  const owner = { leaseId, provider: 'none', repository: context.run.repository }
  const times = { startedAt, finishedAt: context.clock.now() }
  const before = earlier === undefined ? [] : resourceEnds(earlier)
  const receipt =
    earlier !== undefined && earlier.machines.length > 0
      ? withResources(earlier, ends)
      : withResources(resourceReceipt(owner, before, times), ends)
  return { ...nothing, name, ...(await written(context, place, receipt)) }
}
