import { messageOf } from '@gpu-actions/action-kit'
import { idTokens, missingOfLogin, type AwsWorld } from '@gpu-actions/aws'
import { clusterApi, readBase, type ClusterApi } from '@gpu-actions/cluster-api'
import { leaseIdAtEnd, type SweepReport, type SweepRow } from '@gpu-actions/lease'
import type { SweepContext } from './context.ts'

/** What a sweep of clusters has found, and what went wrong, as sentences. */
export type ClusterSweep = readonly [rows: readonly SweepRow[], problems: readonly string[]]

interface Cluster {
  readonly id: string
  readonly name: string
}

/** So long may one request take, in milliseconds. */
const requestMs = 10_000

/**
 * Ends the clusters of leases that this sweep found overdue. A cluster bears no mark but its name, so that only a lease
 * whose machines or other remains were seen, with the marks of this repository, speaks for it.
 */
export async function sweepClusters(
  context: SweepContext,
  world: AwsWorld,
  report: SweepReport,
  deadline: number,
): Promise<ClusterSweep> {
  const { inputs, log } = context
  if (inputs.apiBase === undefined) return [[], []]
  if (inputs.idToken === undefined && missingOfLogin(inputs).length > 0) {
    return [
      [],
      [
        `Clusters were not looked at: there is no id token, and no whole login (${missingOfLogin(inputs).join(', ')} not given)`,
      ],
    ]
  }
  const signal = AbortSignal.timeout(Math.max(1_000, deadline - context.clock.now()))
  try {
    const api = open(context, world, inputs.apiBase, signal)
    const clusters = await api.clusters({ signal })
    if (clusters === null) return [[], [`Clusters were not looked at: ${api.host} does not list them`]]
    const named = clusters.filter(({ name }) => leaseIdAtEnd(name) !== undefined)
    log.info(`${clusters.length} clusters at ${api.host}, ${named.length} of them named after a lease`)
    const rows: SweepRow[] = []
    for (const cluster of named) rows.push(...(await judge(context, api, cluster, report, signal)))
    return [rows, []]
  } catch (error) {
    return [[], [`Clusters were not swept: ${messageOf(error)}`]]
  }
}

function open(context: SweepContext, world: AwsWorld, apiBase: string, signal: AbortSignal) {
  const { clock, log, inputs } = context
  const hide = (secret: string): void => context.mask(secret)
  const url = readBase(apiBase, { productionHosts: [], onProduction: 'warn' }, log)
  const token = idTokens(inputs, { clock, credentials: world.credentials, log, mask: hide, signal })
  return clusterApi({ base: url.href, token, clock, log, mask: hide, requestMs })
}

async function judge(
  context: SweepContext,
  api: ClusterApi,
  { id, name }: Cluster,
  report: SweepReport,
  signal: AbortSignal,
): Promise<readonly SweepRow[]> {
  // deploy-agent puts the id of the lease behind the name.
  const leaseId = leaseIdAtEnd(name) ?? null
  const own = report.rows.filter(row => row.leaseId === leaseId)
  const [lease] = own
  if (lease === undefined) {
    context.log.info(`Cluster ${name} at ${api.host}: nothing of its lease is left to tell whose it is; not touched`)
    return []
  }
  const isOverdue = own.every(
    row => row.verdict === 'expired' || row.verdict === 'overaged' || row.verdict === 'ending',
  )
  const outcome = !isOverdue
    ? 'kept'
    : report.dryRun
      ? 'would-end'
      : (await end(context, api, { id, name }, signal))
        ? 'gone'
        : 'left'
  return [
    {
      kind: 'cluster',
      // Its id is masked; people know it by its name.
      id: name,
      place: null,
      instanceType: null,
      state: outcome === 'gone' ? 'deleted' : 'listed',
      since: null,
      leaseId,
      runId: lease.runId,
      job: lease.job,
      expiresAt: lease.expiresAt,
      usdPerHour: 0,
      costUsd: 0,
      verdict: isOverdue ? 'expired' : 'alive',
      until: lease.until,
      outcome,
      consoleLink: outcome === 'left' ? `https://${api.host}` : null,
      byHand: outcome === 'left' ? `delete the cluster named ${name} in the dashboard of ${api.host}` : null,
    },
  ]
}

/** @returns whether it was seen gone */
async function end({ log }: SweepContext, api: ClusterApi, { id, name }: Cluster, signal: AbortSignal) {
  try {
    await api.delete(id, { signal })
    const found = await api.cluster(id, { signal })
    return found === null || found.word === 'deleted'
  } catch (error) {
    log.warning(`Cluster ${name} at ${api.host} could not be ended: ${messageOf(error)}`)
    return false
  }
}
