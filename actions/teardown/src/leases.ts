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
import { persist } from './search.ts'

export type TeardownContext = ActionContext<typeof action.inputs, typeof action.outputs>

/** The outcome of one lease: its receipt, or why there is none. */
export type LeaseEnd = { readonly leaseId: string } & ({ readonly receipt: Receipt } | { readonly error: unknown })
/** A region that could not be searched, in the place of the leases that may be there. */
type Unanswered = Extract<LeaseEnd, { readonly error: unknown }>

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
  const tools = { provider, access, regions, homeRegion }
  const ends = new Map<string, Promise<LeaseEnd>>()
  const begin = (leaseId: string): void => {
    if (!ends.has(leaseId)) ends.set(leaseId, endOne(context, tools, leaseId, deadline))
  }
  if (search === undefined) job.forEach(begin)
  if (context.inputs.leaseId !== undefined) begin(context.inputs.leaseId)
  const unanswered =
    search !== undefined && 'by' in search ? await findLeases(context, tools, search, deadline, begin) : []
  const ended = await Promise.all(ends.values())
  const [first] = unanswered
  if (ended.length === 0 && first !== undefined) throw first.error
  if (ended.length === 0) {
    log.info(
      `Nothing that is alive or ended lately was found in ${[homeRegion, ...regions.slice(1)].join(', ')}: nothing to end.`,
    )
  }
  return [...ended, ...unanswered]
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

/** Places in the account of the credentials. */
const placesOf = async (
  context: TeardownContext,
  { access }: Pick<Tools, 'access'>,
  regions: readonly string[],
  deadline: number,
): Promise<readonly Place[]> => {
  if (regions.length === 0) return []
  const account = await persist(context, deadline, () => access.account())
  return regions.map(region => ({ account, region }))
}

/**
 * Looks for leases in every region in its own right, until each has answered; `begin` is told of a lease as soon as it
 * is found, so that no region that does not answer keeps a machine of another one alive.
 * @returns the regions that gave no answer
 */
async function findLeases(
  context: TeardownContext,
  tools: Tools & { readonly homeRegion: string },
  search: Search,
  deadline: number,
  begin: (leaseId: string) => void,
): Promise<readonly Unanswered[]> {
  const regions = tools.regions.length > 0 ? tools.regions : [tools.homeRegion]
  const places = await placesOf(context, tools, regions, deadline)
  const failures = await Promise.all(
    places.map(async place => {
      try {
        const machines = await persist(context, deadline, () => tools.provider.find(search, [place]))
        for (const { leaseId } of machines) if (leaseId !== null) begin(leaseId)
        return []
      } catch (error) {
        return [{ leaseId: `of ${place.region}, which gave no answer`, error }]
      }
    }),
  )
  return failures.flat()
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
      places:
        recorded === undefined
          ? await placesOf(context, tools, tools.regions, deadline)
          : given.map(region => ({ account: recorded, region })),
      deadline,
      waitUntilGone: context.inputs.waitUntilGone,
      isFinal,
    })
    return { leaseId, receipt }
  } catch (error) {
    return { leaseId, error }
  }
}
