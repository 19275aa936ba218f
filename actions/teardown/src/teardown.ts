import { join } from 'node:path'
import { messageOf, OutsideFault, UserFault, type ActionContext } from '@gpu-actions/action-kit'
import { ec2Access, ec2Ending, isFinal, type Ec2Access } from '@gpu-actions/aws'
import {
  attemptsRecord,
  endLease,
  leaseRecord,
  receiptMarkdown,
  receiptRecord,
  receiptSentences,
  sum,
  toMicros,
  toUsd,
  type EndingProvider,
  type Place,
  type Receipt,
  type Search,
} from '@gpu-actions/lease'
import type { action } from './action.ts'
import type { TeardownPorts } from './real-ports.ts'

export type TeardownContext = ActionContext<typeof action.inputs, typeof action.outputs>

/** The outcome of one lease: its receipt, or why there is none. */
type Ended = { readonly leaseId: string } & (
  { readonly receipt: Receipt; readonly path: string } | { readonly error: unknown }
)

/** Ends the leases that the inputs name, each in its own right: one that fails does not stop the others. */
export async function teardown(context: TeardownContext, ports: TeardownPorts): Promise<void> {
  const { log } = context
  const job = await leasesOfJob(context)
  const search = remoteSearch(context)
  if (search === undefined && job.length === 0) {
    log.info('This job has leased nothing: nothing to end.')
    return report(context, [])
  }
  const regions = context.inputs.awsRegion ?? (ports.environmentRegion === undefined ? [] : [ports.environmentRegion])
  const homeRegion = regions[0] ?? (await recordedRegion(context, job))
  if (homeRegion === undefined) {
    throw new UserFault('teardown: one input is wrong, nothing was done', [
      'aws-region: is required, because neither AWS_REGION nor AWS_DEFAULT_REGION is set',
    ])
  }
  const access = ec2Access(region => ports.clientsFor(region), homeRegion)
  const provider = ec2Ending(access)
  const leaseIds =
    search === undefined ? job : await findLeases(context, { provider, access, regions, homeRegion }, search)
  if (leaseIds.length === 0) {
    log.info(
      `Nothing that is alive or ended lately was found in ${[homeRegion, ...regions.slice(1)].join(', ')}: nothing to end.`,
    )
  }
  const deadline = context.clock.now() + context.inputs.timeout
  const ended = await Promise.all(
    leaseIds.map(leaseId => endOne(context, { provider, access, regions }, leaseId, deadline)),
  )
  await report(context, ended)
}

/** The leases that have a record in this job's run directory. */
async function leasesOfJob(context: TeardownContext): Promise<readonly string[]> {
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

async function endOne(context: TeardownContext, tools: Tools, leaseId: string, deadline: number): Promise<Ended> {
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
    return { leaseId, receipt, path: join(records.path, receiptRecord.file) }
  } catch (error) {
    return { leaseId, error }
  }
}

/** Log, summary, outputs; and the failure, when anything is left. */
async function report(context: TeardownContext, ended: readonly Ended[]): Promise<void> {
  const { log } = context
  const proven = ended.flatMap(one => ('receipt' in one ? [one] : []))
  const receipts = proven.map(one => one.receipt)
  for (const receipt of receipts) {
    for (const sentence of receiptSentences(receipt)) log.info(sentence)
    await context.summarize(receiptMarkdown(receipt))
  }
  const machines = receipts.flatMap(receipt => receipt.machines)
  const left = receipts.flatMap(receipt => receipt.left)
  const ending = receipts.flatMap(receipt => receipt.ending)
  const failed = ended.flatMap(one => ('error' in one ? [one] : []))
  const cost = sum(receipts.map(receipt => (receipt.costUsd === null ? null : toMicros(receipt.costUsd))))
  context.setOutput('receipt-path', proven.map(one => one.path).join('\n'))
  context.setOutput(
    'terminated',
    machines.filter(({ state }) => state === 'gone' || state === 'ending' || state === 'unseen').length,
  )
  context.setOutput('remaining', left.length + failed.length)
  context.setOutput('billed-seconds', sum(receipts.map(receipt => receipt.billedSeconds)))
  context.setOutput('cost', cost === null ? null : toUsd(cost))
  if (ending.length > 0) {
    log.warning(`${ending.join(', ')}: still ending. That cannot be undone and is not billed; it was not seen gone.`)
  }
  const [first] = failed
  if (first !== undefined && left.length === 0 && failed.length === 1) throw first.error
  if (left.length + failed.length === 0) return
  throw new OutsideFault({
    what: [
      `${left.length + failed.length} could not be ended and can still cost money`,
      ...left.map(
        thing => `- ${thing.kind} ${thing.name ?? thing.id} in ${thing.place?.region ?? thing.consoleLink} (${thing.state}): ${thing.consoleLink}`,
      ),
      ...failed.map(({ leaseId, error }) => `- lease ${leaseId}: ${messageOf(error)}`),
      ...new Set(receipts.flatMap(receipt => receipt.problems)),
    ].join('\n'),
    advice: left.length > 0 ? `End it by hand: ${left.map(thing => thing.byHand).join(' ; ')}` : 'Run teardown again.',
  })
}
