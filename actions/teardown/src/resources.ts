import { createHash } from 'node:crypto'
import { messageOf, type Records } from '@gpu-actions/action-kit'
import { ec2Access, missingOfLogin, tokenParameter, type AwsWorld } from '@gpu-actions/aws'
import { agentFile, parseAgentRecord, type AgentRecord } from '@gpu-actions/cluster-api'
import {
  endResource,
  endResources,
  isLeaseId,
  leaseRecord,
  type Lease,
  type Place,
  type Resource,
  type ResourceEnd,
} from '@gpu-actions/lease'
import { clusterResource, type Cluster } from './cluster.ts'
import { leasesOfJob, type TeardownContext } from './leases.ts'
import { parameterResource } from './parameter.ts'

/** Clusters and parameters cost nothing: what does not end within this time, in milliseconds, is left to a person. */
const patienceMs = 120_000

/** What became of the resources that belong to one run directory. */
export interface ResourcesEnd {
  /** The run directory. */
  readonly place: string
  /** null where no lease of ours is */
  readonly leaseId: string | null
  readonly ends: readonly ResourceEnd[]
}

/** A run directory in which resources may be recorded. */
interface Site {
  readonly place: string
  readonly records: Records
  readonly lease: Lease | undefined
  readonly agent: AgentRecord | undefined
  /** What an input names and no record does. */
  readonly given: Cluster | undefined
}

async function siteOf(context: TeardownContext, place: string): Promise<Site> {
  const records = context.runDirectories.open(place)
  const readable = async <T>(file: string, read: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      context.log.warning(`${file} of ${place} cannot be read, and what it names is not ended: ${messageOf(error)}`)
      return undefined
    }
  }
  return {
    place,
    records,
    lease: await leaseRecord.read(records).catch(() => undefined),
    agent: await readable(agentFile, async () => {
      const found = await records.read(agentFile)
      return found === undefined ? undefined : parseAgentRecord(found)
    }),
    given: undefined,
  }
}

/** Where resources are recorded that the inputs ask to end. */
async function sitesOf(context: TeardownContext): Promise<readonly Site[]> {
  const { leaseId, instanceId, clusterId, apiBase } = context.inputs
  const all = await Promise.all((await context.runDirectories.list()).map(place => siteOf(context, place)))
  const isAsked = ({ place, lease, agent }: Site): boolean => {
    if (clusterId !== undefined && agent?.clusterId === clusterId) return true
    if (leaseId !== undefined || instanceId !== undefined)
      return (
        (leaseId !== undefined && (place === leaseId || agent?.leaseId === leaseId)) ||
        (instanceId !== undefined &&
          (place === `host-${instanceId}` || lease?.machines.some(({ id }) => id === instanceId) === true))
      )
    return true
  }
  const recorded = all.filter(site => site.agent !== undefined && isAsked(site))
  if (clusterId === undefined || recorded.some(({ agent }) => agent?.clusterId === clusterId)) return recorded
  const given = { id: clusterId, name: null, apiBase }
  const [only, ...others] = leaseId === undefined ? await leasesOfJob(context) : [leaseId]
  const hash = createHash('sha256').update(clusterId).digest('hex').slice(0, 8)
  const place = only !== undefined && others.length === 0 ? only : `host-cluster-${hash}`
  const known = recorded.find(site => site.place === place) ?? (await siteOf(context, place))
  return [...recorded.filter(site => site !== known), { ...known, given }]
}

/** Ends the clusters and token parameters that this job knows of, or that the inputs name. Never rejects for one of them. */
export async function endEverythingElse(
  context: TeardownContext,
  world: AwsWorld,
  deadline: number,
): Promise<readonly ResourcesEnd[]> {
  const sites = await sitesOf(context)
  const until = Math.min(deadline, context.clock.now() + patienceMs)
  const signal = AbortSignal.timeout(Math.max(1_000, until - context.clock.now()))
  return Promise.all(sites.map(site => endAt(site, context, world, { until, signal })))
}

async function endAt(
  site: Site,
  context: TeardownContext,
  world: AwsWorld,
  { until, signal }: { readonly until: number; readonly signal: AbortSignal },
): Promise<ResourcesEnd> {
  const { clock, log, inputs } = context
  const setting = { clock, log, deadline: until, waitUntilGone: inputs.waitUntilGone }
  const clusters = clustersOf(site, context).map(cluster =>
    clusterResource(cluster, {
      clock,
      log,
      mask: secret => context.mask(secret),
      login: inputs,
      credentials: world.credentials,
      signal,
    }),
  )
  const { recorded, byName } = parametersOf(site, context, world)
  const [ends, found] = await Promise.all([
    endResources([...clusters, ...recorded], setting),
    // That nobody recorded it may mean that it was never there: without the right to look, it is not missed.
    Promise.all(byName.map(one => endResource(one, { ...setting, log: quiet(context), waitUntilGone: false }))),
  ])
  const all = [...ends, ...found.filter(({ left }) => left === null)]
  await note(site, context, all)
  const leaseId = site.lease?.id ?? site.agent?.leaseId ?? (isLeaseId(site.place) ? site.place : null)
  return { place: site.place, leaseId, ends: all }
}

const quiet = ({ log }: TeardownContext) => ({
  info: (message: string) => log.debug(message),
  warning: (message: string) => log.debug(message),
})

function clustersOf({ agent, given }: Site, { inputs }: TeardownContext): readonly Cluster[] {
  const own = (): readonly Cluster[] => {
    if (agent === undefined) return []
    // `failed` without an id: the API had refused to register it.
    if (agent.status === 'failed' && agent.clusterId === null) return []
    const canLook = inputs.idToken !== undefined || missingOfLogin(inputs).length === 0
    // Its own step has seen it gone: one more look is for the receipt only.
    if (agent.status === 'deleted' && (!canLook || agent.clusterId === null)) return []
    return [{ id: agent.clusterId, name: agent.clusterName, apiBase: agent.apiBase }]
  }
  return [...own(), ...(given === undefined ? [] : [{ ...given, apiBase: given.apiBase ?? agent?.apiBase }])]
}

/** The parameter that the record names; else the one that a deployment for this lease would have used. */
function parametersOf({ place, agent, lease }: Site, { inputs }: TeardownContext, world: AwsWorld) {
  const account: Place | null = lease?.places[0] ?? null
  const region = account?.region ?? inputs.awsRegion?.[0] ?? world.environmentRegion
  const resource = (name: string, where: string): Resource => {
    const access = ec2Access(one => world.clientsFor(one), where)
    const own = account === null ? null : { ...account, region: where }
    return parameterResource({ name, region: where, place: own }, access)
  }
  if (agent?.token?.kind === 'ssm-parameter')
    return { recorded: [resource(agent.token.name, agent.token.region)], byName: [] }
  const byName = region === undefined || !isLeaseId(place) ? [] : [resource(tokenParameter(place), region)]
  return { recorded: [], byName }
}

/** Writes into deploy-agent's record what is gone, so that its post has nothing to do. */
async function note({ records, agent }: Site, context: TeardownContext, ends: readonly ResourceEnd[]): Promise<void> {
  if (agent === undefined) return
  const isGone = (kind: string, ids: readonly (string | null)[]): boolean =>
    ends.some(({ resource, left }) => left === null && resource.kind === kind && ids.includes(resource.id))
  const endedAt = new Date(context.clock.now()).toISOString()
  const cluster = agent.status !== 'deleted' && isGone('cluster', [agent.clusterId ?? agent.clusterName])
  const token = agent.token?.kind === 'ssm-parameter' && isGone('parameter', [agent.token.name])
  if (!cluster && !token) return
  await records.write(agentFile, {
    ...agent,
    ...(cluster ? { status: 'deleted', endedAt } : {}),
    ...(token ? { token: null } : {}),
  })
}
