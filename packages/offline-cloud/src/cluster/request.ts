import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import type { Cluster, Job } from './model.ts'
import { ApiRefusal, notFound } from './refusal.ts'

/** A call of the cluster API whose caller has been let in. */
export interface ApiRequest {
  readonly header: (name: string) => string | undefined
  /** What the path names: `id` of a cluster, `job`. */
  readonly params: Readonly<Record<string, string>>
  /** The body as JSON, null for none. */
  readonly body: unknown
  /** The user of the ID token; empty where none is asked for. */
  readonly user: string
}

/** `body` is JSON unless it is a text. */
export interface ApiAnswer {
  readonly body: object | string
  readonly contentType?: string
}

/** Reads the body of a call; what does not fit is refused with its place. */
export function readBody<const S extends v.GenericSchema>(schema: S, request: ApiRequest): v.InferOutput<S> {
  const result = v.safeParse(schema, request.body ?? {})
  if (result.success) return result.output
  const faults = result.issues.map(issue => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`)
  throw new ApiRefusal(422, 'UnprocessableEntity', faults.join('; '))
}

/** The living cluster that the path names. */
export function clusterOf(cloud: Cloud, request: ApiRequest, id = request.params['id'] ?? ''): Cluster {
  const cluster = cloud.clusters.clusters.get(id)
  if (cluster === undefined || cluster.deletedAt !== null) throw notFound('Cluster')
  return cluster
}

/** The job that the path names; of the cluster that the path names, where it names one. */
export function jobOf(cloud: Cloud, request: ApiRequest): Job {
  const job = cloud.clusters.jobs.get(request.params['job'] ?? '')
  const clusterId = request.params['id']
  if (job === undefined || (clusterId !== undefined && job.clusterId !== clusterId)) throw notFound('Job')
  return job
}
