import { UserFault } from '@gpu-actions/action-kit/ports'
import * as v from 'valibot'

/**
 * Everything about the cluster API that its documents leave open or that differs between versions, in one table: paths,
 * bodies, names of fields, words, success codes. Plain JSON, so that it can be replaced by configuration.
 *
 * In paths `{cluster}` and `{job}` stand for ids. In bodies a value such as `{epochs}` stands for what is sent, with its
 * own type; a member whose value is not given is left out. Fields are dotted paths, the first that holds something wins.
 */
const texts = v.pipe(v.array(v.string()), v.minLength(1), v.readonly())
const body = v.nullable(v.record(v.string(), v.unknown()))
const path = v.pipe(v.string(), v.startsWith('/', 'a path begins with /'))
const range = v.pipe(v.tuple([v.number(), v.number()]), v.readonly())
const section = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.strictObject(entries), v.readonly())

const pathsSchema = section({
  /** POST registers a cluster. GET, where the API has it, lists them: a lost reply is then resolved by name. */
  clusters: path,
  cluster: path,
  onboardingToken: path,
  /** POST starts a job. GET, where the API has it, lists them. */
  jobs: path,
  /** Tried in this order until one is found. */
  jobStatus: v.pipe(v.array(path), v.minLength(1), v.readonly()),
  health: v.pipe(v.array(path), v.minLength(1), v.readonly()),
})

const bodiesSchema = section({
  cluster: body,
  onboardingToken: body,
  job: body,
})

const fieldsSchema = section({
  clusterId: texts,
  clusterName: texts,
  tenantId: texts,
  oneTimeToken: texts,
  clusterStatus: texts,
  agentVersion: texts,
  jobId: texts,
  jobStatus: texts,
  throughput: texts,
  duration: texts,
  exitCode: texts,
  error: texts,
  /** Where a list stands in its reply; `.` is the reply itself. */
  list: texts,
  /** What an error reply says. */
  message: texts,
})

const wordsSchema = section({
  /** Of a cluster. */
  ready: texts,
  ended: texts,
  /** Of a job. */
  success: texts,
  failure: texts,
  running: texts,
})

const dialectSchema = section({
  paths: pathsSchema,
  bodies: bodiesSchema,
  fields: fieldsSchema,
  words: wordsSchema,
  /** First and last code of each range that means success. */
  success: v.pipe(v.array(range), v.minLength(1), v.readonly()),
  /** Of an agent when the API does not tell the tenant. */
  tenant: v.string(),
  /** Sent with calls that are not safe to repeat, the same value with each repetition; null: none. */
  repeatHeader: v.nullable(v.string()),
})

export type Dialect = v.InferOutput<typeof dialectSchema>
type Sections = Pick<Dialect, 'paths' | 'bodies' | 'fields' | 'words'>
/** What differs from the reference's dialect. */
export type DialectChanges = { readonly [K in keyof Sections]?: Partial<Sections[K]> } & Partial<
  Omit<Dialect, keyof Sections>
>

const inJob = (...names: readonly string[]): readonly string[] => [...names, ...names.map(name => `job.${name}`)]

/** The reference's readings (design: reference/cluster-api.md, sections 3 and 6). */
export const referenceDialect: Dialect = {
  paths: {
    clusters: '/v1/clusters',
    cluster: '/v1/clusters/{cluster}',
    onboardingToken: '/v1/clusters/{cluster}/onboarding-token',
    jobs: '/v1/clusters/{cluster}/jobs',
    jobStatus: ['/v1/jobs/{job}', '/v1/clusters/{cluster}/jobs/{job}', '/v1/jobs/{job}/status'],
    health: ['/health', '/'],
  },
  bodies: {
    cluster: { name: '{name}', region: '{region}' },
    onboardingToken: null,
    job: { job_kind: 'resnet50_benchmark', params: { epochs: '{epochs}', batch_size: '{batchSize}' } },
  },
  fields: {
    clusterId: ['cluster_id', 'id', 'cluster.cluster_id', 'cluster.id'],
    clusterName: ['name', 'cluster_name'],
    tenantId: ['tenant_id', 'cluster.tenant_id'],
    oneTimeToken: ['one_time_token', 'token.one_time_token'],
    clusterStatus: ['status', 'state', 'cluster.status', 'cluster.state'],
    agentVersion: ['agent_version', 'cluster.agent_version'],
    jobId: ['job.job_id', 'job_id', 'id', 'jobId'],
    jobStatus: inJob('status', 'state', 'job_status'),
    throughput: inJob('metrics.throughput_images_per_sec', 'throughput'),
    duration: inJob('metrics.duration_seconds', 'duration'),
    exitCode: inJob('metrics.exit_code'),
    error: inJob('error_message', 'error'),
    list: ['clusters', 'jobs', 'items', 'data', '.'],
    message: ['message', 'detail', 'error', 'error.message'],
  },
  words: {
    ready: ['active'],
    ended: ['deleted', 'deleting'],
    success: ['completed', 'succeeded', 'success', 'complete'],
    failure: ['failed', 'error', 'cancelled', 'canceled'],
    running: ['queued', 'pending', 'running'],
  },
  success: [[200, 299]],
  tenant: 'demo-tenant',
  repeatHeader: 'Idempotency-Key',
}

/**
 * The reference's dialect with changes, such as `{ words: { ready: ['active', 'online'] } }`.
 * @throws UserFault that names everything that is wrong with them
 */
export function dialectWith(changes: unknown): Dialect {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes))
    throw new UserFault('The dialect of the cluster API must be an object')
  const given: Readonly<Record<string, unknown>> = { ...changes }
  const { paths, bodies, fields, words } = referenceDialect
  const over = (base: object, name: string): unknown => {
    const change = given[name]
    return change === undefined ? base : typeof change === 'object' ? { ...base, ...change } : change
  }
  const merged = {
    ...referenceDialect,
    ...given,
    paths: over(paths, 'paths'),
    bodies: over(bodies, 'bodies'),
    fields: over(fields, 'fields'),
    words: over(words, 'words'),
  }
  const read = v.safeParse(dialectSchema, merged)
  if (read.success) return read.output
  throw new UserFault(
    'The dialect of the cluster API is wrong',
    read.issues.map(issue => `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`),
  )
}

/** Fills ids into a path. */
export const pathOf = (template: string, ids: Readonly<Record<string, string>>): string =>
  template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? ''))

/** Fills values into a body. What has no value is left out, and so is an object that is left without members. */
export function bodyOf(template: unknown, values: Readonly<Record<string, unknown>>): unknown {
  if (typeof template === 'string') {
    const [, name] = /^\{(\w+)\}$/.exec(template) ?? []
    return name === undefined ? template : values[name]
  }
  if (Array.isArray(template)) return template.map(item => bodyOf(item, values)).filter(item => item !== undefined)
  if (typeof template !== 'object' || template === null) return template
  const members = Object.entries(template)
  const filled = members.map(([name, value]) => [name, bodyOf(value, values)] as const)
  const kept = filled.filter(([, value]) => value !== undefined)
  return kept.length === 0 && members.length > 0 ? undefined : Object.fromEntries(kept)
}

/** Whether a code means success. */
export const isSuccess = (dialect: Dialect, code: number): boolean =>
  dialect.success.some(([first, last]) => code >= first && code <= last)
