import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import { hashOf } from '../cognito/pool.ts'
import { requireAgent, requireOneTimeToken } from './authorizer.ts'
import { jobsOf, type Job } from './model.ts'
import { ApiRefusal } from './refusal.ts'
import { clusterOf, jobOf, readBody, type ApiAnswer, type ApiRequest } from './request.ts'

/** `POST /v1/clusters/{id}/auth/exchange`: spends a one-time token for a cluster token. */
export function exchangeToken(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  requireOneTimeToken(cloud, cluster, request.header, true)
  const token = `clt_${randomBytes(32).toString('base64url')}`
  cluster.clusterTokens.add(hashOf(token))
  return { body: { cluster_token: token } }
}

const members = v.record(v.string(), v.unknown())
const heartbeatBody = v.object({
  status: v.string(),
  agent_version: v.optional(v.string()),
  capabilities: v.optional(members),
})

/** `POST /v1/clusters/{id}/heartbeat`: the first one makes the cluster active. */
export function heartbeat(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  requireAgent(cluster, request.header)
  const body = readBody(heartbeatBody, request)
  cluster.lastHeartbeat = cloud.clock.now()
  cluster.agentVersion = body.agent_version ?? cluster.agentVersion
  cluster.capabilities = body.capabilities ?? cluster.capabilities
  if (!cluster.neverActive) cluster.status = 'active'
  return { body: { status: 'ok' } }
}

const pollBody = v.object({ max_jobs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 1) })

/** `POST /v1/clusters/{id}/jobs/poll`: the oldest queued jobs, each of them once. */
export function pollJobs(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  requireAgent(cluster, request.header)
  const { max_jobs: most } = readBody(pollBody, request)
  const isDue = ({ status }: Job): boolean =>
    status === 'queued' || (cloud.clusterApi.redelivers && status === 'running')
  const due = jobsOf(cloud.clusters, cluster.id).filter(isDue).slice(0, most)
  for (const job of due) {
    job.status = 'running'
    job.handedOut += 1
  }
  return { body: { jobs: due.map(order) } }
}

const order = (job: Job): object => ({
  job_id: job.id,
  job_kind: job.kind,
  params: job.params,
  image: job.image,
  command: job.command,
  args: job.args,
  env: job.env,
  input_payload: job.inputPayload,
  orchestration: job.orchestration ?? { num_gpus: 1, launcher: 'torchrun' },
})

const completeBody = v.object({
  tenant_id: v.optional(v.string()),
  status: v.picklist(['succeeded', 'failed', 'cancelled', 'canceled']),
  output_payload: v.optional(v.nullable(members)),
  metrics: v.optional(v.nullable(members), {}),
  error_message: v.optional(v.nullable(v.string()), null),
})

/** `POST /v1/clusters/{id}/jobs/{job}/complete`: the first report counts; a repeated one is taken and changes nothing. */
export function completeJob(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  requireAgent(cluster, request.header)
  const job = jobOf(cloud, request)
  const body = readBody(completeBody, request)
  if (job.handedOut === 0) throw new ApiRefusal(409, 'Conflict', 'The job was not given to an agent')
  job.completions += 1
  if (job.status === 'running' && !job.isStuck) {
    job.status = body.status === 'canceled' ? 'cancelled' : body.status
    job.metrics = body.metrics ?? {}
    job.errorMessage = body.error_message
  }
  return { body: { status: 'ok' } }
}
