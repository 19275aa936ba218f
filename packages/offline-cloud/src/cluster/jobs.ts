import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import { unknownWord, wordFor } from './clusters.ts'
import { jobsOf, type Cluster, type Job } from './model.ts'
import { ApiRefusal } from './refusal.ts'
import { clusterOf, jobOf, readBody, type ApiAnswer, type ApiRequest } from './request.ts'
import { nested } from './shape.ts'

const members = v.record(v.string(), v.unknown())
const words = v.array(v.string())

const containerFields = {
  image: v.optional(v.nullable(v.string()), null),
  command: v.optional(words, []),
  args: v.optional(words, []),
  env: v.optional(v.record(v.string(), v.string()), {}),
  input_payload: v.optional(members, {}),
  orchestration: v.optional(v.nullable(members), null),
  gpu_count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
}

interface Launch extends v.InferOutput<v.ObjectSchema<typeof containerFields, undefined>> {
  readonly kind: string
  readonly params: Readonly<Record<string, unknown>>
}

/** `POST /v1/clusters/{id}/jobs` */
export function createJob(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const cluster = clusterOf(cloud, request)
  const { jobKindField, jobParamsField } = cloud.clusterApi
  const kind = readBody(v.object({ [jobKindField]: v.pipe(v.string(), v.minLength(1)) }), request)
  const params = readBody(v.object({ [jobParamsField]: v.optional(members, {}) }), request)
  const container = readBody(v.object(containerFields), request)
  return launch(cloud, cluster, {
    ...container,
    kind: kind[jobKindField] ?? '',
    params: params[jobParamsField] ?? {},
  })
}

/** `POST /v1/jobs`: a container on a named cluster. */
export function createContainerJob(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const { cluster_id: id, ...container } = readBody(
    v.object({ ...containerFields, cluster_id: v.string(), image: v.string() }),
    request,
  )
  return launch(cloud, clusterOf(cloud, request, id), { ...container, kind: 'container', params: {} })
}

const isUnfinished = ({ status }: Job): boolean => status === 'queued' || status === 'running'

function launch(cloud: Cloud, cluster: Cluster, wanted: Launch): ApiAnswer {
  const unfinished = jobsOf(cloud.clusters, cluster.id).filter(isUnfinished).length
  const most = cluster.policy['max_gpu_jobs_per_user'] ?? Number.POSITIVE_INFINITY
  if (cloud.clusterApi.limitsJobs && unfinished >= most)
    throw new ApiRefusal(409, 'JobLimit', `The limit of ${most} running GPU job(s) per user is reached`)
  const gpus = wanted.gpu_count
  const job: Job = {
    id: randomUUID(),
    clusterId: cluster.id,
    kind: wanted.kind,
    params: wanted.params,
    image: wanted.image,
    command: wanted.command,
    args: wanted.args,
    env: wanted.env,
    inputPayload: wanted.input_payload,
    orchestration: wanted.orchestration ?? (gpus === undefined ? null : { num_gpus: gpus }),
    createdAt: cloud.clock.now(),
    isStuck: cloud.faults.take(['job-stuck'], { service: 'cluster', operation: 'CreateJob' }) !== null,
    status: 'queued',
    metrics: null,
    errorMessage: null,
    handedOut: 0,
    completions: 0,
  }
  cloud.clusters.jobs.set(job.id, job)
  const shown = nested(cloud.clusterApi.jobIdField, job.id)
  return { body: { ...shown, ...('job' in shown ? {} : { status: wordFor(cloud, job.status) }) } }
}

/** The status of a job, on the one of its paths that this API has. */
export function getJob(cloud: Cloud, request: ApiRequest): ApiAnswer {
  const job = jobOf(cloud, request)
  const isUnknown = cloud.faults.take(['unknown-status'], { service: 'cluster', operation: 'GetJob' }) !== null
  const { statusShape, metricsShape } = cloud.clusterApi
  const isNested = statusShape.startsWith('job.')
  const measured = job.metrics ?? {}
  const metrics =
    job.metrics === null
      ? {}
      : metricsShape === 'metrics'
        ? { metrics: measured }
        : { throughput: measured['throughput_images_per_sec'], duration: measured['duration_seconds'] }
  const inner = {
    job_id: job.id,
    job_kind: job.kind,
    cluster_id: job.clusterId,
    [statusShape.replace('job.', '')]: isUnknown ? unknownWord : wordFor(cloud, job.status),
    error_message: job.errorMessage,
    ...metrics,
  }
  return { body: isNested ? { job: inner } : inner }
}
