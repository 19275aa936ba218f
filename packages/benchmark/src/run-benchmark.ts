import { messageOf, type Clock, type Log, type Records } from '@gpu-actions/action-kit/ports'
import { quote, type Host, type JobEnd, type RunningJob } from '@gpu-actions/host'
import { lineReader, type Line } from './events.ts'
import { endingOf, hear, hearText, nothingTold, resultOf, type Ending, type Told } from './outcome.ts'
import { progressTeller } from './progress.ts'
import { prepareWorkplace, type Workplace } from './python.ts'
import type { Result } from './result.ts'
import { buildArguments, type BenchmarkWish } from './wish.ts'

export interface BenchmarkPorts {
  readonly clock: Clock
  readonly log: Log
  readonly records: Pick<Records, 'appendLog'>
  /** Aborts when the run is to be cancelled. */
  readonly signal: AbortSignal
}

/** A run and, unless it completed, whose fault that was. */
export interface BenchmarkRun {
  readonly result: Result
  readonly fault: Error | null
}

/** The whole output of the host program, below `logs/`. */
const logName = 'benchmark.log'

/** A cancelled job has seconds to live: what has not ended by then is left to the job's own time limit. */
const cancelPatienceMs = 5_000
const tidyPatienceMs = 15_000

/**
 * Runs the benchmark on a host from beginning to end, with live progress in the log.
 * Never rejects: a run that failed, too, is a result, with the blocks it had measured.
 * @param program the host programs, a zipapp
 * @param place the lease that the host belongs to
 */
export async function runBenchmark(
  host: Host,
  program: Uint8Array,
  wish: BenchmarkWish,
  ports: BenchmarkPorts,
  place: { readonly leaseId: string | null } = { leaseId: null },
): Promise<BenchmarkRun> {
  const startedAt = ports.clock.now()
  const listener = listen(ports)
  const finish = (ending: Ending): BenchmarkRun => {
    const frame = { wish, host: host.name, leaseId: place.leaseId, startedAt, endedAt: ports.clock.now() }
    return { result: resultOf(frame, listener.told(), ending), fault: ending.fault }
  }
  try {
    const end = await runJob(host, program, wish, ports, listener)
    await listener.end()
    return finish(endingOf(end, listener.told(), wish, host.name))
  } catch (thrown) {
    const status = ports.signal.aborted ? 'cancelled' : 'failed'
    await listener.end()
    return finish({ status, fault: thrown instanceof Error ? thrown : new Error(messageOf(thrown)) })
  }
}

async function runJob(
  host: Host,
  program: Uint8Array,
  wish: BenchmarkWish,
  ports: BenchmarkPorts,
  listener: Listener,
): Promise<JobEnd> {
  ports.log.info(`Looking for a Python with PyTorch on ${host.name}; the first import on a fresh volume takes minutes`)
  const { python, folder } = await prepareWorkplace(host, wish.python, ports)
  try {
    const path = `${folder}/programs.pyz`
    await host.upload(path, program)
    ports.signal.throwIfAborted()
    ports.log.info(`Starting the benchmark with ${python}`)
    const job = await host.start({
      name: 'resnet50',
      command: [python, path, ...buildArguments(wish)],
      environment: { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
      timeoutMs: wish.timeoutMs,
    })
    return await followToItsEnd(job, ports, listener)
  } finally {
    if (!ports.signal.aborted) await tidy(host, { python, folder }, ports)
  }
}

async function followToItsEnd(job: RunningJob, ports: BenchmarkPorts, listener: Listener): Promise<JobEnd> {
  try {
    return await job.follow(listener.hear, { signal: ports.signal })
  } catch (thrown) {
    if (!ports.signal.aborted) ports.log.warning('The benchmark is out of sight: ending it')
    const waiting = new AbortController()
    const late = ports.clock.sleep(cancelPatienceMs, waiting.signal).then(
      () => ports.log.warning(`The benchmark has not ended yet; its own time limit ends it`),
      () => undefined,
    )
    const ended = job
      .cancel()
      .catch((error: unknown) => ports.log.warning(`Ending the benchmark failed: ${messageOf(error)}`))
      .finally(() => waiting.abort())
    await Promise.race([ended, late])
    throw thrown
  }
}

/** Removes the folder on the host; what is left there harms nobody, so a failure is only told. */
async function tidy(host: Host, { folder }: Workplace, { log, signal }: BenchmarkPorts): Promise<void> {
  try {
    await host.run(`rm -rf ${quote(folder)}`, { timeoutMs: tidyPatienceMs, signal })
  } catch (error) {
    log.debug(`${folder} is left on ${host.name}: ${messageOf(error)}`)
  }
}

interface Listener {
  readonly hear: (text: string) => void
  told(): Told
  /** Takes the last torn line and waits until the log file is written. */
  end(): Promise<void>
}

/** Keeps the raw output, tells the progress, shows what else the host prints as untrusted text. */
function listen({ log, records }: BenchmarkPorts): Listener {
  const reader = lineReader()
  const tell = progressTeller()
  let told = nothingTold
  let written: Promise<void> = Promise.resolve()
  let foreign: string[] = []
  const showForeign = (): void => {
    if (foreign.length > 0) log.untrusted(foreign.join('\n'))
    foreign = []
  }
  const take = (lines: readonly Line[]): void => {
    for (const line of lines) {
      if (line.kind === 'text') {
        told = hearText(told, line.text)
        foreign.push(line.text)
      } else {
        showForeign()
        told = hear(told, line.event)
        const sentence = tell(line.event)
        if (sentence !== undefined) log.info(sentence)
      }
    }
    showForeign()
  }
  return {
    hear(text) {
      written = written
        .then(() => records.appendLog(logName, text))
        .catch((error: unknown) => log.warning(`${logName} is not whole: ${messageOf(error)}`))
      take(reader.push(text))
    },
    told: () => told,
    async end() {
      take(reader.end())
      await written
    },
  }
}
