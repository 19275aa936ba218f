import { messageOf, type Clock, type Log, type Records } from '@gpu-actions/action-kit/ports'
import { quote, type Host, type JobEnd, type RunningJob } from '@gpu-actions/host'
import { lineReader, type Line } from './events.ts'
import { installTorch } from './install.ts'
import type { Interruption } from './notices.ts'
import { endingOf, interruptedEnding, resultOf, type Ending } from './outcome.ts'
import { alarmTeller, progressTeller } from './progress.ts'
import { prepareWorkplace, type Workplace } from './python.ts'
import type { Result } from './result.ts'
import { hear, hearText, nothingTold, type Told } from './told.ts'
import { buildArguments, type BenchmarkWish } from './wish.ts'

export interface BenchmarkPorts {
  readonly clock: Clock
  readonly log: Log
  readonly records: Pick<Records, 'appendLog'>
  /** Aborts when the run is to be cancelled. */
  readonly signal: AbortSignal
  /**
   * Whether the cloud took the machine back, asked when a run did not complete and its host had heard of nothing: the
   * code of the machine's `StateReason` (such as `Server.SpotInstanceTermination`), or null.
   */
  readonly takenBack?: () => Promise<string | null>
}

/** A run and, unless it completed, whose fault that was. */
export interface BenchmarkRun {
  readonly result: Result
  readonly fault: Error | null
}

/** The whole output of the host program and of the installation of PyTorch, below `logs/`. */
const logName = 'benchmark.log'
const installLogName = 'pytorch.log'

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
  let programAt: number | null = null
  const finish = async (found: Ending): Promise<BenchmarkRun> => {
    const endedAt = ports.clock.now()
    const interruption = await interruptionOf(found, listener.told(), ports)
    const ending = interruptedEnding(found, interruption, host.name)
    const frame = { wish, host: host.name, leaseId: place.leaseId, startedAt, programAt, endedAt, interruption }
    return { result: resultOf(frame, listener.told(), ending), fault: ending.fault }
  }
  try {
    const end = await inWorkplace(host, wish, ports, async workplace => {
      const job = await startProgram(host, program, wish, ports, workplace)
      programAt = ports.clock.now()
      return followToItsEnd(job, ports, listener.hear)
    })
    await listener.end()
    return await finish(endingOf(end, listener.told(), wish, host.name))
  } catch (thrown) {
    const status = ports.signal.aborted ? 'cancelled' : 'failed'
    await listener.end()
    return finish({ status, fault: thrown instanceof Error ? thrown : new Error(messageOf(thrown)) })
  }
}

/** The host's own notice; else, for a run that failed, what the cloud says of its machine. */
async function interruptionOf(
  { status }: Ending,
  { spotNotice }: Told,
  { takenBack, log }: BenchmarkPorts,
): Promise<Interruption | null> {
  if (spotNotice !== null) return { action: spotNotice.action, time: spotNotice.time, source: 'notice' }
  if (takenBack === undefined || (status !== 'failed' && status !== 'timed-out')) return null
  const reason = await takenBack().catch((error: unknown) => {
    log.warning(`Whether the machine was taken back is not known: ${messageOf(error)}`)
    return null
  })
  return reason === null ? null : { action: reason, time: null, source: 'state-reason' }
}

/** Works with a Python that has the PyTorch that was asked for, in a folder on the host that is removed afterwards. */
async function inWorkplace<T>(
  host: Host,
  wish: BenchmarkWish,
  ports: BenchmarkPorts,
  work: (workplace: Workplace) => Promise<T>,
): Promise<T> {
  const { log, signal } = ports
  if (wish.pytorch === undefined) {
    log.info(`Looking for a Python with PyTorch on ${host.name}; the first import on a fresh volume takes minutes`)
  }
  const found = await prepareWorkplace(host, wish.python, wish.pytorch === undefined ? 'torch' : 'installer', ports)
  try {
    if (wish.pytorch === undefined) return await work(found)
    log.info(`Installing PyTorch ${wish.pytorch} with ${found.python}; some gigabytes have to come`)
    const keeper = keep(ports, installLogName)
    const workplace = await installTorch(host, found, wish.pytorch, (job, hear) =>
      followToItsEnd(job, ports, text => {
        hear(text)
        keeper.write(text)
        log.untrusted(text)
      }),
    )
    await keeper.end()
    return await work(workplace)
  } finally {
    if (!signal.aborted) await tidy(host, found, ports)
  }
}

async function startProgram(
  host: Host,
  program: Uint8Array,
  wish: BenchmarkWish,
  { log, signal }: BenchmarkPorts,
  { python, folder }: Workplace,
): Promise<RunningJob> {
  const path = `${folder}/programs.pyz`
  await host.upload(path, program)
  signal.throwIfAborted()
  log.info(`Starting the benchmark with ${python}`)
  return host.start({
    name: 'resnet50',
    command: [python, path, ...buildArguments(wish)],
    environment: { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
    timeoutMs: wish.timeoutMs,
  })
}

/** Follows a job; when that ends early, because of a cancel or a failure, the job is ended too. */
async function followToItsEnd(job: RunningJob, ports: BenchmarkPorts, hear: (text: string) => void): Promise<JobEnd> {
  const { clock, log, signal } = ports
  try {
    return await job.follow(hear, { signal })
  } catch (thrown) {
    if (!signal.aborted) log.warning('The job on the host is out of sight: ending it')
    const waiting = new AbortController()
    const late = clock.sleep(cancelPatienceMs, waiting.signal).then(
      () => log.warning('The job on the host has not ended yet; its own time limit ends it'),
      () => undefined,
    )
    const ended = job
      .cancel()
      .catch((error: unknown) => log.warning(`Ending the job on the host failed: ${messageOf(error)}`))
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

/** Appends to a log file in order, without making whoever writes wait. */
function keep({ log, records }: BenchmarkPorts, name: string) {
  let written: Promise<void> = Promise.resolve()
  return {
    write(text: string): void {
      written = written
        .then(() => records.appendLog(name, text))
        .catch((error: unknown) => log.warning(`${name} is not whole: ${messageOf(error)}`))
    },
    end: (): Promise<void> => written,
  }
}

/** Keeps the raw output, tells the progress, shows what else the host prints as untrusted text. */
function listen(ports: BenchmarkPorts): Listener {
  const { log } = ports
  const keeper = keep(ports, logName)
  const reader = lineReader()
  const tell = progressTeller()
  const alarm = alarmTeller()
  let told = nothingTold
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
        const warning = alarm(line.event)
        if (warning !== undefined) log.warning(warning)
      }
    }
    showForeign()
  }
  return {
    hear(text) {
      keeper.write(text)
      take(reader.push(text))
    },
    told: () => told,
    async end() {
      take(reader.end())
      await keeper.end()
    },
  }
}
