import { formatDuration, OutsideFault, poll, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { ClusterApi } from './client.ts'
import { ApiFault } from './faults.ts'
import type { JobReport } from './reading.ts'

export interface WaitPorts {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warning'>
}

interface Patience {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** First pause between two looks, in milliseconds; default 1,000 for a cluster, 2,000 for a job. */
  readonly firstMs?: number
}

export interface Activation {
  /** What the API says of the agent; null when it does not. */
  readonly agentVersion: string | null
  /** From the beginning of the waiting. */
  readonly seconds: number
}

/** Words that nobody knows, or none at all, so many times in a row are a failure. */
const unknownsAllowed = 5
/** How often the log says that nothing has changed, in milliseconds. */
const quietMs = 60_000

/** Says what changes, and now and then that nothing does. */
function progress({ clock, log }: WaitPorts): (words: string) => void {
  const began = clock.now()
  let [last, at] = ['', began]
  return words => {
    const now = clock.now()
    if (words === last && now - at < quietMs) return
    ;[last, at] = [words, now]
    log.info(`${words} (after ${formatDuration(now - began)}).`)
  }
}

const isPassing = (fault: unknown): fault is ApiFault =>
  fault instanceof ApiFault &&
  (fault.trouble.kind === 'transport' ||
    (fault.trouble.kind === 'answered' && (fault.trouble.code === 429 || fault.trouble.code >= 500)))

/** Looks; trouble that may pass is told once, and is undefined. Anything else is thrown. */
function patiently<T>(log: WaitPorts['log'], look: () => Promise<T>): () => Promise<T | undefined> {
  let warned = false
  return async () => {
    try {
      const found = await look()
      warned = false
      return found
    } catch (fault) {
      if (!isPassing(fault)) throw fault
      if (!warned) log.warning(`${fault.message}. Looking again until the deadline.`)
      warned = true
      return undefined
    }
  }
}

/**
 * Waits until a cluster is active.
 * @param options `trouble`: asked every 15 seconds; a sentence from it ends the waiting (an agent that has died will
 *   not become active)
 * @throws OutsideFault when time is up, the cluster is gone, or its agent is
 */
export async function waitForActive(
  api: ClusterApi,
  cluster: { readonly id: string; readonly name: string },
  ports: WaitPorts,
  options: Patience & { readonly trouble?: () => Promise<string | null> },
): Promise<Activation> {
  const { clock } = ports
  const began = clock.now()
  const say = progress(ports)
  const abort = options.signal === undefined ? {} : { signal: options.signal }
  const look = patiently(ports.log, () => api.cluster(cluster.id, abort))
  let [missing, word, asked] = [0, '', began]
  const fail = (what: string): OutsideFault =>
    new OutsideFault({
      what: `Cluster ${cluster.name} did not become active: ${what}`,
      advice:
        'Read the diagnosis of the machine: is the agent running, does the machine reach the API (port 443 out, a route to the internet), and what does its log say?',
    })
  const active = await poll(
    clock,
    async () => {
      const found = await look()
      missing = found === null ? missing + 1 : 0
      if (missing >= unknownsAllowed) throw fail(`${api.host} does not know it any more`)
      if (found?.ready === true) return found
      if (found?.ended === true) throw fail(`it is ${found.word}`)
      if (found != null) {
        word = found.word
        say(`Cluster ${cluster.name} is ${word || 'without a status'}; waiting for its agent`)
      }
      if (options.trouble !== undefined && clock.now() - asked >= 15_000) {
        asked = clock.now()
        const trouble = await options.trouble()
        if (trouble !== null) throw fail(trouble)
      }
      return undefined
    },
    { firstMs: options.firstMs ?? 1_000, maxMs: 5_000, deadline: began + options.timeoutMs, ...abort },
  )
  if (active === undefined)
    throw fail(`it is still ${word || 'without a status'} after ${formatDuration(options.timeoutMs)}`)
  const seconds = (clock.now() - began) / 1000
  ports.log.info(`Cluster ${cluster.name} is active after ${formatDuration(seconds * 1000)}.`)
  return { agentVersion: active.agentVersion, seconds }
}

/** How a job ended, whatever happened: what is known of it, and the fault unless it completed with a throughput. */
export interface JobOutcome {
  readonly status: 'completed' | 'failed' | 'timed-out'
  /** The last that the API said; null when it never said anything. */
  readonly report: JobReport | null
  readonly fault: OutsideFault | null
}

const jobFault = (what: string, advice: string): OutsideFault => new OutsideFault({ what, advice })

function outcomeOf(report: JobReport): JobOutcome {
  const { jobId, throughput, error, exitCode } = report
  if (report.class === 'failure') {
    const why = error ?? (exitCode === null ? 'the API gives no reason' : `exit code ${exitCode}`)
    const fault = jobFault(
      `Job ${jobId} ended as ${report.word}: ${why.replaceAll(/\s+/g, ' ').slice(0, 600)}`,
      'Read the log of the agent on the machine. A smaller batch helps when memory ran out; without a GPU the benchmark refuses to run.',
    )
    return { status: 'failed', report, fault }
  }
  if (throughput !== null) return { status: 'completed', report, fault: null }
  const fault = jobFault(
    `Job ${jobId} is said to have ${report.word}, and no throughput came with it: that is no result`,
    'See whether the agent runs the benchmark at all, and whether the program prints its images/sec.',
  )
  return { status: 'failed', report, fault }
}

/**
 * Waits for the end of a job. Single failed requests, unknown words and servers in trouble are lived through; the
 * deadline decides.
 * @returns how it ended; rejects only with the signal's reason, or what is no OutsideFault
 */
export async function waitForJob(
  api: ClusterApi,
  job: { readonly clusterId: string; readonly id: string },
  ports: WaitPorts,
  options: Patience,
): Promise<JobOutcome> {
  const { clock, log } = ports
  const began = clock.now()
  const say = progress(ports)
  const abort = options.signal === undefined ? {} : { signal: options.signal }
  const look = patiently(log, () => api.job(job.clusterId, job.id, abort))
  let last: JobReport | null = null
  let unknowns = 0
  try {
    const ended = await poll(
      clock,
      async () => {
        const found = await look()
        if (found === undefined) return undefined
        last = found ?? last
        unknowns = found === null || found.class === 'unknown' ? unknowns + 1 : 0
        const word = found === null ? 'unknown to the API' : found.word || 'without a status'
        if (unknowns > 0)
          log.warning(`Job ${job.id} is ${word}, which says nothing (${unknowns} of ${unknownsAllowed} in a row).`)
        if (unknowns >= unknownsAllowed)
          throw jobFault(
            `Nobody knows how job ${job.id} stands: ${unknownsAllowed} times in a row it was ${word}`,
            'The API may have new words for a status, or another path: both can be configured.',
          )
        if (found?.class === 'success' || found?.class === 'failure') return found
        if (unknowns === 0) say(`Job ${job.id} is ${word}`)
        return undefined
      },
      { firstMs: options.firstMs ?? 2_000, maxMs: 8_000, deadline: began + options.timeoutMs, ...abort },
    )
    if (ended !== undefined) return outcomeOf(ended)
  } catch (fault) {
    options.signal?.throwIfAborted()
    if (!(fault instanceof OutsideFault)) throw fault
    return { status: 'failed', report: last, fault }
  }
  const fault = jobFault(
    `Job ${job.id} did not end within ${formatDuration(options.timeoutMs)}; it was ${wordOf(last)}`,
    'Give it more time (`timeout`, and the `ttl` of the machine), or make it smaller: fewer epochs, a smaller batch, a quicker type of machine. A job whose agent could not report its end stays running for ever.',
  )
  return { status: 'timed-out', report: last, fault }
}

const wordOf = (report: JobReport | null): string => report?.word || 'never seen'
