import type { Cloud } from '../cloud.ts'
import { jobsOf, type Job } from '../cluster/model.ts'

/** A job as the state endpoint shows it. */
export interface JobView {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly params: Readonly<Record<string, unknown>>
  readonly metrics: Readonly<Record<string, unknown>> | null
  readonly errorMessage: string | null
  /** How often it was given to an agent; more than once only where the API redelivers. */
  readonly handedOut: number
  /** How often it was reported complete; more than once when an agent repeated itself. */
  readonly completions: number
}

/** A cluster as the state endpoint shows it, deleted ones too. */
export interface ClusterView {
  readonly id: string
  readonly name: string
  readonly region: string | null
  readonly tenantId: string
  readonly status: string
  readonly agentVersion: string | null
  readonly lastHeartbeat: string | null
  readonly capabilities: Readonly<Record<string, unknown>> | null
  readonly jobs: readonly JobView[]
  readonly deleted: boolean
}

const jobView = (job: Job): JobView => ({
  id: job.id,
  kind: job.kind,
  status: job.status,
  params: job.params,
  metrics: job.metrics,
  errorMessage: job.errorMessage,
  handedOut: job.handedOut,
  completions: job.completions,
})

/** Every cluster there was, oldest first. */
export const clusterViews = (cloud: Cloud): readonly ClusterView[] =>
  [...cloud.clusters.clusters.values()].map(cluster => ({
    id: cluster.id,
    name: cluster.name,
    region: cluster.region,
    tenantId: cluster.tenantId,
    status: cluster.status,
    agentVersion: cluster.agentVersion,
    lastHeartbeat: cluster.lastHeartbeat === null ? null : new Date(cluster.lastHeartbeat).toISOString(),
    capabilities: cluster.capabilities,
    jobs: jobsOf(cloud.clusters, cluster.id).map(jobView),
    deleted: cluster.deletedAt !== null,
  }))
