import { UserFault, type ActionContext, type Records } from '@gpu-actions/action-kit'
import { ec2Access, ec2Ending, isFinal, type AwsWorld, type Ec2Access } from '@gpu-actions/aws'
import {
  attemptsRecord,
  endLease,
  leaseRecord,
  type EndingProvider,
  type Lease,
  type Place,
  type Receipt,
  type Search,
} from '@gpu-actions/lease'
import type { action } from './action.ts'
import { findElsewhere } from './elsewhere.ts'
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
  const begin = (leaseId: string, more: readonly Place[] = []): void => {
    if (!ends.has(leaseId)) ends.set(leaseId, endOne(context, tools, leaseId, deadline, more))
  }
  if (search === undefined) for (const leaseId of job) begin(leaseId)
  if (context.inputs.leaseId !== undefined) begin(context.inputs.leaseId)
  const unanswered =
    search !== undefined && 'by' in search ? await findLeases(context, tools, search, deadline, begin) : []
  if (search !== undefined && 'by' in search && search.by === 'id' && ends.size === 0 && unanswered.length === 0) {
    const asking = { ...tools, log, called: `the lease of ${search.ids.join(', ')}`, asked: askedIn(tools) }
    for (const { leaseId, place } of await findElsewhere(asking, search)) if (leaseId !== null) begin(leaseId, [place])
  }
  const ended = await Promise.all(ends.values())
  const [first] = unanswered
  if (ended.length === 0 && first !== undefined) throw first.error
  if (ended.length === 0) {
    log.info(`Nothing that is alive or ended lately was found in ${askedIn(tools).join(', ')}: nothing to end.`)
  }
  return [...ended, ...unanswered]
}

/** One that cannot be read must not keep the machine alive: what it would have said is looked for, and is told. */
const leaseIn = (records: Records): Promise<Lease | undefined> => leaseRecord.read(records).catch(() => undefined)

/** A file that cannot be read is a trace of a lease all the same. */
const isThere = (read: Promise<unknown>): Promise<boolean> =>
  read.then(
    record => record !== undefined,
    () => true,
  )

/** The leases that have a record in this job's run directory. */
export async function leasesOfJob(context: TeardownContext): Promise<readonly string[]> {
  const ids = await context.runDirectories.list()
  const leased = await Promise.all(
    ids.map(async id => {
      const records = context.runDirectories.open(id)
      return (await isThere(attemptsRecord.read(records))) || (await isThere(leaseRecord.read(records)))
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
    const lease = await leaseIn(context.runDirectories.open(id))
    if (lease?.places[0] !== undefined) return lease.places[0].region
  }
  return undefined
}

interface Tools {
  readonly provider: EndingProvider
  readonly access: Ec2Access
  readonly regions: readonly string[]
  readonly homeRegion: string
}

const askedIn = ({ homeRegion, regions }: Tools): readonly [string, ...string[]] => [homeRegion, ...regions.slice(1)]

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
  tools: Tools,
  search: Search,
  deadline: number,
  begin: (leaseId: string) => void,
): Promise<readonly Unanswered[]> {
  const places = await placesOf(context, tools, askedIn(tools), deadline)
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

async function endOne(
  context: TeardownContext,
  tools: Tools,
  leaseId: string,
  deadline: number,
  more: readonly Place[],
): Promise<LeaseEnd> {
  const { clock, log, run, inputs } = context
  const records = context.runDirectories.open(leaseId)
  const setting = {
    provider: tools.provider,
    clock,
    log,
    records,
    leaseId,
    repository: run.repository,
    deadline,
    waitUntilGone: inputs.waitUntilGone,
    isFinal,
  }
  try {
    // The records name account and places: whose credentials these are shows when those are tried.
    const recorded = (await leaseIn(records))?.places[0]?.account
    if (recorded !== undefined) {
      const places = (inputs.awsRegion ?? []).map(region => ({ account: recorded, region }))
      return { leaseId, receipt: await endLease({ ...setting, places }) }
    }
    const places = [...(await placesOf(context, tools, tools.regions, deadline)), ...more]
    const receipt = await endLease({ ...setting, places })
    if (receipt.machines.length > 0 || receipt.tokens.length > 0) return { leaseId, receipt }
    const search = { by: 'lease', repository: run.repository, leaseId, tokens: [] } as const
    const asking = { ...tools, log, called: `lease ${leaseId}`, asked: askedIn(tools) }
    const found = await findElsewhere(asking, search)
    if (found.length === 0) return { leaseId, receipt }
    return { leaseId, receipt: await endLease({ ...setting, places: [...places, ...found.map(({ place }) => place)] }) }
  } catch (error) {
    return { leaseId, error }
  }
}
