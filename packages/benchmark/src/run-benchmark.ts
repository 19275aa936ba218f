import { messageOf } from '@gpu-actions/action-kit/ports'
import { quote, type Host, type RunningJob } from '@gpu-actions/host'
import { bringHome } from './bring-home.ts'
import { checkFirst } from './check-first.ts'
import { lineReader, type Line } from './events.ts'
import { installTorch } from './install.ts'
import type { Interruption } from './notices.ts'
import { endingOf, interruptedEnding, resultOf, type Ending } from './outcome.ts'
import { followToItsEnd, keep, programEnvironment, programName, telemetryName } from './jobs.ts'
import type { BenchmarkPorts } from './ports.ts'
import { alarmTeller, progressTeller } from './progress.ts'
import { unfitFault, type Preflight } from './preflight.ts'
import { prepareWorkplace, type Workplace } from './python.ts'
import type { Result } from './result.ts'
import { hear, hearText, nothingTold, type Told } from './told.ts'
import { buildArguments, type BenchmarkWish } from './wish.ts'

/** A run and, unless it completed, whose fault that was. */
export interface BenchmarkRun {
  readonly result: Result
  readonly fault: Error | null
}

/** The whole output of the host program and of the installation of PyTorch, below `logs/`. */
const logName = 'benchmark.log'
const installLogName = 'pytorch.log'

const tidyPatienceMs = 15_000

/**
 * Runs the benchmark on a host from beginning to end, with live progress in the log.
 * Never rejects: a run that failed, too, is a result, with the blocks it had measured.
 * @param program the host programs, a zipapp
 * @param place the lease that the host belongs to, and how the table of telemetry is called below `logs/`
 */
export async function runBenchmark(
  host: Host,
  program: Uint8Array,
  wish: BenchmarkWish,
  ports: BenchmarkPorts,
  place: { readonly leaseId: string | null; readonly telemetryLog?: string } = { leaseId: null },
): Promise<BenchmarkRun> {
  const startedAt = ports.clock.now()
  const listener = listen(ports)
  let programAt: number | null = null
  let preflight: Preflight | null = null
  const finish = async (found: Ending): Promise<BenchmarkRun> => {
    const endedAt = ports.clock.now()
    const interruption = await interruptionOf(found, listener.told(), ports)
    const ending = interruptedEnding(found, interruption, host.name)
    const frame = {
      wish,
      host: host.name,
      leaseId: place.leaseId,
      startedAt,
      programAt,
      endedAt,
      interruption,
      preflight,
    }
    return { result: resultOf(frame, listener.told(), ending), fault: ending.fault }
  }
  try {
    const end = await inWorkplace(host, wish, ports, async workplace => {
      await host.upload(`${workplace.folder}/${programName}`, program)
      if (wish.preflight !== undefined) {
        preflight = await checkFirst(host, wish, wish.preflight, ports, workplace)
        const unfit = unfitFault(preflight, wish.preflight.need, host.name)
        if (unfit !== null) throw unfit
      }
      const job = await startProgram(host, wish, ports, workplace)
      programAt = ports.clock.now()
      const ended = await followToItsEnd(job, ports, listener.hear)
      if (ended.how !== 'lost') await bringHome(host, workplace, ports, place.telemetryLog ?? telemetryName)
      return ended
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
  wish: BenchmarkWish,
  { log, signal }: BenchmarkPorts,
  { python, folder }: Workplace,
): Promise<RunningJob> {
  signal.throwIfAborted()
  log.info(`Starting the benchmark with ${python}`)
  return host.start({
    name: 'resnet50',
    command: [
      python,
      `${folder}/${programName}`,
      ...buildArguments(wish),
      '--telemetry-csv',
      `${folder}/${telemetryName}`,
    ],
    environment: programEnvironment,
    timeoutMs: wish.timeoutMs,
  })
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
