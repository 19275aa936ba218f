import { randomBytes, randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import { hashOf } from '../cognito/pool.ts'
import { requireOneTimeToken } from './authorizer.ts'
import { jobsOf, type Cluster } from './model.ts'
import { ApiRefusal } from './refusal.ts'
import { clusterOf, readBody, type ApiAnswer, type ApiRequest } from './request.ts'

const createBody = v.object({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(63)),
  region: v.optional(v.string()),
  type: v.optional(v.string()),
})

/** What an agent takes for its tenant when nobody tells it. */
const defaultTenant = 'demo-tenant'
const defaultPolicy = { max_gpu_jobs_per_user: 1, max_gpu_jobs_total: 100 }

/** `POST /v1/clusters` */
export function createCluster(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const { name, region, type } = readBody(createBody, request)
  const cluster: Cluster = {
    id: randomUUID(),
    name,
    region: region ?? null,
    type: type ?? null,
    tenantId: tenantOf(cloud, request),
    createdAt: cloud.clock.now(),
    neverActive: cloud.faults.take(['agent-never-active'], { service: 'cluster', operation: 'CreateCluster' }) !== null,
    status: 'pending',
    agentVersion: null,
    lastHeartbeat: null,
    capabilities: null,
    policy: defaultPolicy,
    deletedAt: null,
    oneTimeTokens: [],
    clusterTokens: new Set(),
  }
  cloud.clusters.clusters.set(cluster.id, cluster)
  return { body: view(cloud, cluster, cluster.status) }
}

const tenantOf = (cloud: Cloud, { user }: ApiRequest): string =>
  cloud.clusterApi.tenantInReply ? `tenant-${user.slice(-12)}` : defaultTenant

/** The word that the API has for a status. */
export const wordFor = (cloud: Cloud, status: string): string => cloud.clusterApi.statusWords[status] ?? status

/** A word that nobody knows, for the fault unknown-status. */
export const unknownWord = 'warming'

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

const view = (cloud: Cloud, cluster: Cluster, status: string): object => ({
  [cloud.clusterApi.idField]: cluster.id,
  name: cluster.name,
  ...(cluster.region === null ? {} : { region: cluster.region }),
  ...(cluster.type === null ? {} : { type: cluster.type }),
  ...(cloud.clusterApi.tenantInReply ? { tenant_id: cluster.tenantId } : {}),
  status: wordFor(cloud, status),
  agent_version: cluster.agentVersion,
  last_heartbeat: iso(cluster.lastHeartbeat),
  created_at: iso(cluster.createdAt),
})

/** `GET /v1/clusters`, where the API has it: the clusters of the user's tenant that are not deleted. */
export function listClusters(cloud: Cloud, request: ApiRequest): ApiAnswer {
  if (!cloud.clusterApi.lists) throw new ApiRefusal(404, 'NotFound', 'Not Found')
  const living = [...cloud.clusters.clusters.values()].filter(
    ({ deletedAt, tenantId }) => deletedAt === null && tenantId === tenantOf(cloud, request),
  )
  return { body: { clusters: living.map(cluster => view(cloud, cluster, cluster.status)) } }
}

/** `GET /v1/clusters/{id}` */
export function getCluster(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  const target = { service: 'cluster', operation: 'GetCluster' } as const
  // Unless it names this call, the fault is about jobs.
  const isUnknown = cloud.faults.take(['unknown-status'], target, ({ operation }) => operation !== undefined) !== null
  return { body: view(cloud, cluster, isUnknown ? unknownWord : cluster.status) }
}

/** `DELETE /v1/clusters/{id}`: its tokens are void from then on, its unfinished jobs are cancelled. */
export function deleteCluster(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  cluster.deletedAt = cloud.clock.now()
  cluster.oneTimeTokens.splice(0)
  cluster.clusterTokens.clear()
  for (const job of jobsOf(cloud.clusters, cluster.id))
    if (job.status === 'queued' || job.status === 'running') job.status = 'cancelled'
  return { body: {} }
}

const longestLifetime = 24 * 3600
const defaultLifetime = 3600

/** `POST /v1/clusters/{id}/onboarding-token`: a token that can be exchanged once, valid for an hour unless asked. */
export function createOnboardingToken(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  const field = cloud.clusterApi.lifetimeField
  const seconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(longestLifetime))
  const body = readBody(v.object({ [field]: v.optional(seconds) }), request)
  const lifetime = body[field] ?? defaultLifetime
  const token = `ott_${randomBytes(32).toString('base64url')}`
  const expiresAt = cloud.clock.now() + lifetime * 1000
  cluster.oneTimeTokens.push({ hash: hashOf(token), expiresAt, isSpent: false })
  return { body: { one_time_token: token, expires_at: iso(expiresAt) } }
}

const limit = v.pipe(v.number(), v.integer(), v.minValue(0))
const policyBody = v.object({
  max_gpu_jobs_per_user: v.exactOptional(limit),
  max_gpu_jobs_total: v.exactOptional(limit),
})

/** `GET` and `POST /v1/admin/clusters/{id}/policy` */
export function getPolicy(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const { id, policy } = clusterOf(cloud, request)
  return { body: { cluster_id: id, ...policy, message: 'The policy of the cluster' } }
}

export function putPolicy(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  cluster.policy = { ...cluster.policy, ...readBody(policyBody, request) }
  return { body: { cluster_id: cluster.id, ...cluster.policy, message: 'The policy was updated' } }
}

const installerFaults = {
  'digest-missing': { code: 20, message: 'the digest of the approved agent image is missing' },
  'digest-invalid': { code: 21, message: 'the digest of the approved agent image is invalid' },
} as const

/** `GET /v1/clusters/{id}/install.sh`: fails as a server without an approved image lets it fail. */
export function getInstaller(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  requireOneTimeToken(cloud, cluster, request.header, false)
  const { code, message } = installerFaults[cloud.clusterApi.installerFault]
  const body = `#!/bin/sh\necho 'RADIX_INSTALLER_ERROR: ${message}' >&2\nexit ${code}\n`
  return { body, contentType: 'text/x-shellscript; charset=utf-8' }
}
