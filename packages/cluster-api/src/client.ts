import type { Clock, Log } from '@gpu-actions/action-kit/ports'
import { bodyOf, pathOf, referenceDialect, type Dialect } from './dialect.ts'
import { ApiFault, codeOf } from './faults.ts'
import { checkHealth } from './health.ts'
import { readCluster, readJob, readList, readText, type ClusterReport, type JobReport } from './reading.ts'
import { send, unreadable, type RequestPorts } from './requests.ts'

export interface ClusterApiOptions {
  /** Address of the API, path included. */
  readonly base: string
  /**
   * An id token that is good for some time; called before each request. Called with the token that was just refused,
   * it makes a new login; when it cannot, it gives the same token again.
   */
  readonly token: (refused?: string) => Promise<string>
  readonly clock: Clock
  readonly log: Pick<Log, 'debug' | 'info' | 'warning'>
  /** Told every cluster id, tenant id and one-time token before anything else can print it. */
  readonly mask: (secret: string) => void
  readonly fetch?: typeof fetch
  readonly dialect?: Dialect
  /** Time limit of one request, in milliseconds; default 30,000. */
  readonly requestMs?: number
}

export interface RegisteredCluster {
  readonly id: string
  readonly name: string
  readonly tenantId: string
}

export interface JobWish {
  readonly epochs: number
  readonly batchSize: number
  /** More values for the body of the dialect, by the names in braces. */
  readonly more?: Readonly<Record<string, unknown>>
}

interface Cancellable {
  readonly signal?: AbortSignal
}

/** The cluster API. Every failure is an ApiFault with advice; an abort rejects with the signal's reason. */
export interface ClusterApi {
  /** For sentences: the host's name, and the port where it has one. */
  readonly host: string
  readonly dialect: Dialect
  /** Registers a cluster. After a lost reply it is looked for by its name where the API lists clusters. */
  register(wish: { readonly name: string; readonly region?: string }, options?: Cancellable): Promise<RegisteredCluster>
  /** All clusters of the user that have a name; null when the API does not list clusters. Ids are masked. */
  clusters(options?: Cancellable): Promise<readonly { readonly id: string; readonly name: string }[] | null>
  /** Ids of the clusters with this name; null when the API does not list clusters. */
  find(name: string, options?: Cancellable): Promise<readonly string[] | null>
  /** A token with which one agent can join, once. */
  onboardingToken(clusterId: string, options?: Cancellable): Promise<string>
  /** How a cluster stands; null when there is none. */
  cluster(clusterId: string, options?: Cancellable): Promise<ClusterReport | null>
  /** Starts the benchmark on a cluster, with its sizes said. @returns the job's id */
  startJob(clusterId: string, wish: JobWish, options?: Cancellable): Promise<string>
  /** How a job stands; null when none of the paths knows it. */
  job(clusterId: string, jobId: string, options?: Cancellable): Promise<JobReport | null>
  /** Deletes a cluster; one that is not there is success. Whether it is gone, `cluster` tells. */
  delete(clusterId: string, options?: Cancellable): Promise<'deleted' | 'was-gone'>
  /** Whether something that is no server in trouble answers there. Sends no token. */
  health(options?: Cancellable): Promise<void>
}

const isGone = (fault: unknown): boolean => codeOf(fault) === 404 || codeOf(fault) === 410

/** A client of the cluster API at `base`. */
export function clusterApi(options: ClusterApiOptions): ClusterApi {
  const { mask, dialect = referenceDialect } = options
  const ports: RequestPorts = {
    base: options.base.replace(/\/+$/, ''),
    token: options.token,
    clock: options.clock,
    log: options.log,
    dialect,
    fetch: options.fetch ?? fetch,
    requestMs: options.requestMs ?? 30_000,
  }
  const { host } = new URL(ports.base)
  const { paths, fields } = dialect
  /** The status path that the API turned out to have. */
  const chosen = new Map<string, string>()

  const secret = (text: string): string => {
    mask(text)
    return text
  }

  /** What a list holds, each read by `read`; null when the API does not list. */
  async function list<T>(doing: string, path: string, read: (item: unknown) => T | null, abort: Cancellable) {
    try {
      const reply = await send(ports, { doing, method: 'GET', path, tries: 2, ...abort })
      const items = readList(reply, fields.list)
      return items === null ? null : items.map(read).filter(item => item !== null)
    } catch (fault) {
      abort.signal?.throwIfAborted()
      // Nothing that is documented: whatever it answers, it is no help.
      if (fault instanceof ApiFault) return null
      throw fault
    }
  }

  async function clusters(abort: Cancellable = {}) {
    const named = (item: unknown): { readonly id: string; readonly name: string } | null => {
      const [id, name] = [readText(item, fields.clusterId), readText(item, fields.clusterName)]
      return id === null || name === null ? null : { id: secret(id), name }
    }
    return list('Listing clusters', paths.clusters, named, abort)
  }

  async function find(name: string, abort: Cancellable = {}): Promise<readonly string[] | null> {
    const all = await clusters(abort)
    return all?.flatMap(cluster => (cluster.name === name ? [cluster.id] : [])) ?? null
  }

  async function register(
    { name, region }: { readonly name: string; readonly region?: string },
    abort: Cancellable = {},
  ): Promise<RegisteredCluster> {
    const doing = `Registering cluster ${name} at ${host}`
    let recovered: string | null = null
    const reply = await send(ports, {
      doing,
      method: 'POST',
      path: paths.clusters,
      body: bodyOf(dialect.bodies.cluster, { name, region }),
      // Only a single one can be told to be the one whose reply was lost.
      resolve: async () => {
        const ids = await find(name, abort)
        recovered = ids?.length === 1 ? (ids[0] ?? null) : null
        if (recovered === null) return undefined
        // A list need not tell the tenant, without which no agent is let in.
        const path = pathOf(paths.cluster, { cluster: recovered })
        return send(ports, { doing: 'Asking how the cluster stands', method: 'GET', path, ...abort })
      },
      ...abort,
    })
    const id = recovered ?? readText(reply, fields.clusterId)
    if (id === null) throw unreadable(ports, doing, `names no cluster id (looked for ${fields.clusterId.join(', ')})`)
    const tenant = readText(reply, fields.tenantId)
    // The default is a public word that may stand in any text.
    return { id: secret(id), name, tenantId: tenant === null ? dialect.tenant : secret(tenant) }
  }

  async function onboardingToken(clusterId: string, abort: Cancellable = {}): Promise<string> {
    const doing = `Getting a one-time token for the agent from ${host}`
    const path = pathOf(paths.onboardingToken, { cluster: clusterId })
    const body = bodyOf(dialect.bodies.onboardingToken, {})
    const reply = await send(ports, { doing, method: 'POST', path, ...(body == null ? {} : { body }), ...abort })
    const token = readText(reply, fields.oneTimeToken)
    if (token === null)
      throw unreadable(ports, doing, `holds no one-time token (looked for ${fields.oneTimeToken.join(', ')})`)
    return secret(token)
  }

  async function cluster(clusterId: string, abort: Cancellable = {}): Promise<ClusterReport | null> {
    const path = pathOf(paths.cluster, { cluster: clusterId })
    try {
      return readCluster(
        dialect,
        await send(ports, { doing: 'Asking how the cluster stands', method: 'GET', path, ...abort }),
      )
    } catch (fault) {
      if (isGone(fault)) return null
      throw fault
    }
  }

  async function startJob(clusterId: string, wish: JobWish, abort: Cancellable = {}): Promise<string> {
    const doing = `Starting the benchmark (epochs ${wish.epochs}, batch size ${wish.batchSize}) through ${host}`
    const path = pathOf(paths.jobs, { cluster: clusterId })
    let recovered: string | null = null
    const readId = (item: unknown): string | null => readText(item, fields.jobId)
    const reply = await send(ports, {
      doing,
      method: 'POST',
      path,
      body: bodyOf(dialect.bodies.job, { epochs: wish.epochs, batchSize: wish.batchSize, ...wish.more }),
      resolve: async () => {
        const ids = await list('Listing jobs', path, readId, abort)
        recovered = ids?.length === 1 ? (ids[0] ?? null) : null
        return recovered === null ? undefined : {}
      },
      ...abort,
    })
    const id = recovered ?? readId(reply)
    if (id === null) throw unreadable(ports, doing, `names no job id (looked for ${fields.jobId.join(', ')})`)
    return id
  }

  /** @returns null when the path is not there */
  async function look(path: string, clusterId: string, jobId: string, abort: Cancellable): Promise<JobReport | null> {
    const call = { doing: `Asking how job ${jobId} stands`, method: 'GET', tries: 2, ...abort } as const
    try {
      const reply = await send(ports, { ...call, path: pathOf(path, { cluster: clusterId, job: jobId }) })
      return readJob(dialect, jobId, reply)
    } catch (fault) {
      if (isGone(fault)) return null
      throw fault
    }
  }

  async function job(clusterId: string, jobId: string, abort: Cancellable = {}): Promise<JobReport | null> {
    const path = chosen.get(jobId)
    if (path !== undefined) return look(path, clusterId, jobId, abort)
    let dropped: ApiFault | undefined
    for (const candidate of paths.jobStatus) {
      try {
        const report = await look(candidate, clusterId, jobId, abort)
        if (report === null) continue
        chosen.set(jobId, candidate)
        return report
      } catch (fault) {
        if (!(fault instanceof ApiFault) || fault.trouble.kind !== 'transport') throw fault
        dropped = fault
      }
    }
    // Whether the path that was not reached is the right one, the next look will tell.
    if (dropped !== undefined) throw dropped
    return null
  }

  async function remove(clusterId: string, abort: Cancellable = {}): Promise<'deleted' | 'was-gone'> {
    const path = pathOf(paths.cluster, { cluster: clusterId })
    try {
      await send(ports, { doing: `Deleting the cluster at ${host}`, method: 'DELETE', path, ...abort })
      return 'deleted'
    } catch (fault) {
      if (isGone(fault)) return 'was-gone'
      throw fault
    }
  }

  return {
    host,
    dialect,
    register,
    clusters,
    find,
    onboardingToken,
    cluster,
    startJob,
    job,
    delete: remove,
    health: abort => checkHealth(ports, abort),
  }
}
