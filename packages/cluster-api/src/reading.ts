import type { Dialect } from './dialect.ts'

/** What a job's status means. `unknown` is a word that the dialect does not have, or none at all. */
export type JobClass = 'success' | 'failure' | 'running' | 'unknown'

/** What the API says about a job. What it does not say is null, never 0. */
export interface JobReport {
  readonly jobId: string
  /** As the API said it, in lower case; empty when it said nothing. */
  readonly word: string
  readonly class: JobClass
  /** Images per second. */
  readonly throughput: number | null
  /** Seconds, of the whole command: with an image that was to be pulled first, the pull is in it. */
  readonly durationSeconds: number | null
  readonly exitCode: number | null
  readonly error: string | null
}

export interface ClusterReport {
  /** In lower case; empty when the API said nothing. */
  readonly word: string
  readonly ready: boolean
  readonly ended: boolean
  readonly agentVersion: string | null
}

/** What stands at a dotted path; undefined where there is nothing. `.` is the value itself. */
export function at(value: unknown, path: string): unknown {
  if (path === '.') return value
  let found = value
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || Array.isArray(found) || !Object.hasOwn(found, name))
      return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found
}

/** The first of the paths where `read` finds something. */
function first<T>(value: unknown, paths: readonly string[], read: (found: unknown) => T | null): T | null {
  for (const path of paths) {
    const found = read(at(value, path))
    if (found !== null) return found
  }
  return null
}

const textOf = (found: unknown): string | null => {
  if (typeof found === 'number' && Number.isFinite(found)) return String(found)
  return typeof found === 'string' && found.trim() !== '' ? found.trim() : null
}

const numberOf = (found: unknown): number | null => {
  const number = typeof found === 'string' && found.trim() !== '' ? Number(found) : found
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

// A machine that did nothing has no throughput: some write 0 for a figure that they do not have.
const positive = (found: unknown): number | null => {
  const number = numberOf(found)
  return number !== null && number > 0 ? number : null
}

/** Text at the first path that holds some, without spaces around it; null when none does. */
export const readText = (reply: unknown, paths: readonly string[]): string | null => first(reply, paths, textOf)

/** The list at the first path that holds one; null when none does. */
export const readList = (reply: unknown, paths: readonly string[]): readonly unknown[] | null =>
  first(reply, paths, found => (Array.isArray(found) ? (found as readonly unknown[]) : null))

const classOf = (dialect: Dialect, word: string): JobClass => {
  const { success, failure, running } = dialect.words
  if (success.includes(word)) return 'success'
  if (failure.includes(word)) return 'failure'
  return running.includes(word) ? 'running' : 'unknown'
}

/** Reads a job's status from whatever the API answered; never throws. */
export function readJob(dialect: Dialect, jobId: string, reply: unknown): JobReport {
  const { fields } = dialect
  const word = (readText(reply, fields.jobStatus) ?? '').toLowerCase()
  return {
    jobId,
    word,
    class: classOf(dialect, word),
    throughput: first(reply, fields.throughput, positive),
    durationSeconds: first(reply, fields.duration, positive),
    exitCode: first(reply, fields.exitCode, numberOf),
    error: readText(reply, fields.error),
  }
}

/** Reads a cluster's status from whatever the API answered; never throws. */
export function readCluster(dialect: Dialect, reply: unknown): ClusterReport {
  const word = (readText(reply, dialect.fields.clusterStatus) ?? '').toLowerCase()
  return {
    word,
    ready: dialect.words.ready.includes(word),
    ended: dialect.words.ended.includes(word),
    agentVersion: readText(reply, dialect.fields.agentVersion),
  }
}
