import * as v from 'valibot'

const success = v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(299))

/** The calls of the cluster API whose success code can be chosen. */
export const successCodesByDefault = {
  CreateCluster: 201,
  CreateOnboardingToken: 201,
  GetCluster: 200,
  DeleteCluster: 204,
  CreateJob: 201,
  GetJob: 200,
  ExchangeToken: 200,
  Heartbeat: 200,
  PollJobs: 200,
  CompleteJob: 200,
} as const

export const clusterApiSchema = v.strictObject({
  idField: v.exactOptional(v.picklist(['cluster_id', 'id'])),
  jobIdField: v.exactOptional(v.picklist(['job.job_id', 'job_id', 'id', 'jobId'])),
  statusShape: v.exactOptional(
    v.picklist(['status', 'state', 'job_status', 'job.status', 'job.state', 'job.job_status']),
  ),
  metricsShape: v.exactOptional(v.picklist(['metrics', 'flat'])),
  statusPath: v.exactOptional(v.picklist(['/v1/jobs/{job}', '/v1/clusters/{id}/jobs/{job}', '/v1/jobs/{job}/status'])),
  statusWords: v.exactOptional(v.record(v.string(), v.string())),
  successCodes: v.exactOptional(v.strictObject(v.entriesFromList(keys(), v.exactOptional(success)))),
  tenantInReply: v.exactOptional(v.boolean()),
  jobKindField: v.exactOptional(v.string()),
  jobParamsField: v.exactOptional(v.string()),
  lifetimeField: v.exactOptional(v.string()),
  lists: v.exactOptional(v.boolean()),
  redelivers: v.exactOptional(v.boolean()),
  limitsJobs: v.exactOptional(v.boolean()),
  installerFault: v.exactOptional(v.picklist(['digest-missing', 'digest-invalid'])),
})

function keys() {
  return Object.keys(successCodesByDefault) as (keyof typeof successCodesByDefault)[]
}

type Chosen = v.InferOutput<typeof clusterApiSchema>

/**
 * Which of the replies that are known or possible the API gives; nobody has confirmed which is right.
 *
 * - `idField`, `jobIdField`: where the answer to a creation holds the id.
 * - `statusShape`: where the status of a job is; below `job.` its metrics are there too.
 * - `metricsShape`: `metrics` for `.metrics.throughput_images_per_sec` and `.metrics.duration_seconds`, `flat` for
 *   `.throughput` and `.duration`.
 * - `statusPath`: the only path that gives the status of a job; the others answer 404.
 * - `statusWords`: other words for a job's or a cluster's status, such as `{ succeeded: 'completed' }`.
 * - `successCodes`: by operation. 204 has no body, so only where nobody needs one.
 * - `tenantInReply`: whether the creation of a cluster tells its tenant. If not, the agent's default holds.
 * - `jobKindField`, `jobParamsField`: the members of a job's launch body.
 * - `lifetimeField`: the member that sets a one-time token's lifetime in seconds; others are ignored.
 * - `lists`: `GET /v1/clusters` lists the user's clusters; the published contract names no such call.
 * - `redelivers`: a job is given again to every poll until it is complete, instead of once.
 * - `limitsJobs`: a user's unfinished GPU job beyond the policy is refused with 409.
 * - `installerFault`: how install.sh fails; there are no images here that it could install.
 */
export type ClusterApiShape = Required<{ [K in keyof Omit<Chosen, 'successCodes'>]: Chosen[K] & {} }> & {
  readonly successCodes: Readonly<Record<keyof typeof successCodesByDefault, number>>
}

export const defaultShape: ClusterApiShape = {
  idField: 'cluster_id',
  jobIdField: 'job_id',
  statusShape: 'status',
  metricsShape: 'metrics',
  statusPath: '/v1/jobs/{job}',
  statusWords: {},
  successCodes: successCodesByDefault,
  tenantInReply: true,
  jobKindField: 'job_kind',
  jobParamsField: 'params',
  lifetimeField: 'expires_in_seconds',
  lists: false,
  redelivers: false,
  limitsJobs: false,
  installerFault: 'digest-missing',
}

/** An object with one value at a dotted path: `nested('job.id', 1)` is `{ job: { id: 1 } }`. */
export const nested = (path: string, value: unknown): Readonly<Record<string, unknown>> =>
  path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>
