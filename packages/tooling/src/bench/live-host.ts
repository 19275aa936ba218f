import { systemClock, type Log } from '@gpu-actions/action-kit/ports'
import { runBenchmark, type BenchmarkWish, type Result } from '@gpu-actions/benchmark'
import { localHost, type Host } from '@gpu-actions/host'

/** As small as a valid run can be: five blocks, of six steps each; fifteen such runs have to fit into three minutes. */
const sizes = { epochs: 1, stepsPerEpoch: 30, batchSize: 4, imageSize: 32 } as const

/** What runs the benchmark on this machine. */
export interface Bench {
  /** Packed host programs. */
  readonly program: Uint8Array
  readonly python: string
  /** For jobs; absolute. */
  readonly directory: string
  /** Aborts when the run is to be ended, with all that it started. */
  readonly signal: AbortSignal
}

/** Says nothing but warnings: one run prints a page, and there are many. */
const silent = (): void => undefined
const quiet: Log = {
  debug: silent,
  info: silent,
  notice: silent,
  warning: message => console.warn(message),
  error: message => console.error(message),
  group: (_title, work) => work(),
  untrusted: silent,
}

/** A host whose benchmark makes each step longer by a share of it. Only the programs know how, and no action asks for it. */
const slowed = (host: Host, share: number): Host => ({
  ...host,
  start: job => host.start({ ...job, command: [...job.command, '--inject-slowdown', String(share)] }),
})

/**
 * One run of the real benchmark on this machine, on one thread.
 * @param slowdown share by which each step is made longer; 0: not at all
 * @throws the fault of a run that did not complete
 */
export async function measureHere({ program, python, directory, signal }: Bench, slowdown: number): Promise<Result> {
  const { PATH = '/usr/bin:/bin', HOME = directory } = process.env
  const environment = { PATH, HOME, TMPDIR: directory, OMP_NUM_THREADS: '1', GOMP_SPINCOUNT: '0' }
  const here = localHost({ clock: systemClock, log: quiet, environment, directory })
  const wish: BenchmarkWish = {
    mode: 'train',
    ...sizes,
    precision: 'fp32',
    memoryFormat: 'channels_last',
    allowCpu: true,
    compile: false,
    gpus: 1,
    python,
    timeoutMs: 120_000,
  }
  const { result, fault } = await runBenchmark(slowdown > 0 ? slowed(here, slowdown) : here, program, wish, {
    clock: systemClock,
    log: quiet,
    records: { appendLog: () => Promise.resolve() },
    signal,
  })
  if (fault !== null) throw fault
  return result
}
