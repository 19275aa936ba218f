import { UserFault, type ActionContext } from '@gpu-actions/action-kit'
import { ec2Access, ec2Ending, isFinal, type AwsWorld, type Ec2Access } from '@gpu-actions/aws'
import {
  attemptsRecord,
  endLease,
  leaseRecord,
  type EndingProvider,
  type Place,
  type Receipt,
  type Search,
} from '@gpu-actions/lease'
import type { action } from './action.ts'

export type TeardownContext = ActionContext<typeof action.inputs, typeof action.outputs>

/** The outcome of one lease: its receipt, or why there is none. */
export type LeaseEnd = { readonly leaseId: string } & ({ readonly receipt: Receipt } | { readonly error: unknown })

/**
 * Ends the machines of the leases that the inputs name, each lease in its own right: one that fails does not stop the
 * others.
 * @throws UserFault, OutsideFault when nobody knows which leases there are
 */
export async function endLeases(
  context: TeardownContext,
  world: AwsWorld,
  deadline: number,
): Promise<readonly LeaseEnd[]> {
  const { log } = context
  const job = await leasesOfJob(context)
  const search = remoteSearch(context)
  if (search === undefined && job.length === 0) {
    log.info('This job has leased nothing: nothing to end.')
    return []
  }
  const regions = context.inputs.awsRegion ?? (world.environmentRegion === undefined ? [] : [world.environmentRegion])
  const homeRegion = regions[0] ?? (await recordedRegion(context, job))
  if (homeRegion === undefined) {
    throw new UserFault('teardown: one input is wrong, nothing was done', [
      'aws-region: is required, because neither AWS_REGION nor AWS_DEFAULT_REGION is set',
    ])
  }
  const access = ec2Access(region => world.clientsFor(region), homeRegion)
  const provider = ec2Ending(access)
  const leaseIds =
    search === undefined ? job : await findLeases(context, { provider, access, regions, homeRegion }, search)
  if (leaseIds.length === 0) {
    log.info(
      `Nothing that is alive or ended lately was found in ${[homeRegion, ...regions.slice(1)].join(', ')}: nothing to end.`,
    )
  }
  return Promise.all(leaseIds.map(leaseId => endOne(context, { provider, access, regions }, leaseId, deadline)))
}

/** The leases that have a record in this job's run directory. */
export async function leasesOfJob(context: TeardownContext): Promise<readonly string[]> {
  const ids = await context.runDirectories.list()
  const leased = await Promise.all(
    ids.map(async id => {
      const records = context.runDirectories.open(id)
      return (await attemptsRecord.read(records)) !== undefined || (await leaseRecord.read(records)) !== undefined
    }),
  )
  return ids.filter((_, index) => leased[index])
}

/** A search that the cloud has to answer; undefined when the run directory says it all. */
function remoteSearch(context: TeardownContext): Search | { readonly leaseId: string } | undefined {
  const { inputs, run } = context
  if (inputs.leaseId !== undefined && inputs.instanceId === undefined) return { leaseId: inputs.leaseId }
  if (inputs.instanceId !== undefined) return { by: 'id', repository: run.repository, ids: [inputs.instanceId] }
  return inputs.scope === 'run' ? { by: 'run', repository: run.repository, runId: run.runId } : undefined
}

async function recordedRegion(context: TeardownContext, job: readonly string[]): Promise<string | undefined> {
  for (const id of job) {
    const lease = await leaseRecord.read(context.runDirectories.open(id))
    if (lease?.places[0] !== undefined) return lease.places[0].region
  }
  return undefined
}

interface Tools {
  readonly provider: EndingProvider
  readonly access: Ec2Access
  readonly regions: readonly string[]
}

const placesOf = async ({ access, regions }: Pick<Tools, 'access' | 'regions'>): Promise<readonly Place[]> => {
  if (regions.length === 0) return []
  const account = await access.account()
  return regions.map(region => ({ account, region }))
}

/** The ids of the leases that a search shows, and that of the input. */
async function findLeases(
  context: TeardownContext,
  tools: Tools & { readonly homeRegion: string },
  search: Search | { readonly leaseId: string },
): Promise<readonly string[]> {
  if (!('by' in search)) return [search.leaseId]
  const regions = tools.regions.length > 0 ? tools.regions : [tools.homeRegion]
  const machines = await tools.provider.find(search, await placesOf({ access: tools.access, regions }))
  const given = context.inputs.leaseId === undefined ? [] : [context.inputs.leaseId]
  const found = machines.flatMap(machine => (machine.leaseId === null ? [] : [machine.leaseId]))
  return [...new Set([...given, ...found])]
}

async function endOne(context: TeardownContext, tools: Tools, leaseId: string, deadline: number): Promise<LeaseEnd> {
  const records = context.runDirectories.open(leaseId)
  try {
    // The records name account and places: whose credentials these are shows when those are tried.
    const recorded = (await leaseRecord.read(records))?.places[0]?.account
    const given = context.inputs.awsRegion ?? []
    const receipt = await endLease({
      provider: tools.provider,
      clock: context.clock,
      log: context.log,
      records,
      leaseId,
      repository: context.run.repository,
      places: recorded === undefined ? await placesOf(tools) : given.map(region => ({ account: recorded, region })),
      deadline,
      waitUntilGone: context.inputs.waitUntilGone,
      isFinal,
    })
    return { leaseId, receipt }
  } catch (error) {
    return { leaseId, error }
  }
}
