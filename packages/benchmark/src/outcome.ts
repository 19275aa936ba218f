import { OutsideFault, UserFault, formatDuration } from '@gpu-actions/action-kit/ports'
import type { JobEnd } from '@gpu-actions/host'
import * as v from 'valibot'
import type { BenchmarkEvent, EventOf } from './events.ts'
import { doubtsOf, metricsOf } from './judge.ts'
import { askedSchema, type Block, type Result, type Status } from './result.ts'
import type { BenchmarkWish } from './wish.ts'

/** What the host program has told so far. */
export interface Told {
  readonly start: EventOf<'start'> | null
  readonly environment: EventOf<'environment'> | null
  readonly plan: EventOf<'plan'> | null
  readonly halvings: readonly EventOf<'batch-halved'>[]
  readonly blocks: readonly EventOf<'block'>[]
  readonly result: EventOf<'result'> | null
  readonly error: EventOf<'error'> | null
  /** The last lines that were no events: where a crash says what it was. */
  readonly lastWords: readonly string[]
}

export const nothingTold: Told = {
  start: null,
  environment: null,
  plan: null,
  halvings: [],
  blocks: [],
  result: null,
  error: null,
  lastWords: [],
}

const keptWords = 5

/** Adds a line that was no event. */
export const hearText = (told: Told, text: string): Told =>
  text.trim() === '' ? told : { ...told, lastWords: [...told.lastWords, text.trim().slice(0, 300)].slice(-keptWords) }

/** Adds an event. A new plan starts the run over: blocks of a batch that did not fit are not kept. */
export function hear(told: Told, event: BenchmarkEvent): Told {
  switch (event.event) {
    case 'start':
      return { ...told, start: event }
    case 'environment':
      return { ...told, environment: event }
    case 'plan':
      return { ...told, plan: event, blocks: [] }
    case 'batch-halved':
      return { ...told, halvings: [...told.halvings, event] }
    case 'block':
      return { ...told, blocks: [...told.blocks, event] }
    case 'result':
      return { ...told, result: event }
    case 'error':
      return { ...told, error: event }
    case 'warmup':
      return told
  }
}

/** How a run ended: with which status, and for every status but `completed` with whose fault. */
export interface Ending {
  readonly status: Status
  readonly fault: Error | null
}

/** Reads the end of the job together with what the program said of it. */
export function endingOf(end: JobEnd, told: Told, wish: BenchmarkWish, host: string): Ending {
  switch (end.how) {
    case 'timed-out':
      return { status: 'timed-out', fault: timedOut(told, wish, host) }
    case 'cancelled':
      return { status: 'cancelled', fault: outside(`The benchmark on ${host} was cancelled`, 'Run the job again.') }
    case 'lost':
      return {
        status: 'failed',
        fault: outside(
          `The benchmark on ${host} was lost: ${end.reason}`,
          'Run the job again on a new machine; a machine that vanishes may have reached its time limit (`ttl`).',
        ),
      }
    case 'exited':
      if (end.exitCode === 0 && told.result !== null) return { status: 'completed', fault: null }
      return {
        status: 'failed',
        fault: told.error === null ? crashed(end.exitCode, told, host) : said(told.error, host),
      }
  }
}

const outside = (what: string, advice: string): OutsideFault => new OutsideFault({ what, advice })

const readLog = 'Read logs/benchmark.log of the evidence'

function timedOut(told: Told, wish: BenchmarkWish, host: string): OutsideFault {
  const where =
    told.plan === null ? 'before the first step' : `after ${told.blocks.length} of ${told.plan.actual.blocks} blocks`
  return outside(
    `The benchmark on ${host} did not end within ${formatDuration(wish.timeoutMs)} and was killed, ${where}`,
    'Raise `timeout`, or ask for less: `steps-per-epoch`, `batch-size`, `image-size`.',
  )
}

function crashed(exitCode: number, told: Told, host: string): OutsideFault {
  const killed = exitCode === 137 ? ' (killed, most likely because the host ran out of memory)' : ''
  const after = told.result === null ? 'without a result' : 'after its result, which is not to be trusted then'
  return outside(
    [
      `The benchmark on ${host} ended with exit code ${exitCode}${killed}, ${after}`,
      ...told.lastWords.map(quoted),
    ].join('\n'),
    `${readLog}.`,
  )
}

const quoted = (line: string): string => `  | ${line}`

/** Puts the program's own error into words, by who can act. Its kinds: packages/benchmark/README.md. */
function said({ kind, message, faults }: EventOf<'error'>, host: string): Error {
  switch (kind) {
    case 'no-gpu':
      return new UserFault(`There is no GPU on ${host}, and \`allow-cpu\` is false`, [
        message,
        'to measure a GPU: choose an instance type and an image that have one, with its driver',
        'to measure the CPU instead: set `allow-cpu: true`; the result then says `device: cpu`',
      ])
    case 'arguments':
    case 'unsupported':
      return new UserFault(`The benchmark on ${host} refused what it was asked for: ${message}`, faults)
    case 'out-of-memory':
      return new UserFault(`The benchmark does not fit into the memory of ${host}: ${message}`, [
        'set a smaller `image-size`, or choose a GPU with more memory',
      ])
    case 'device':
      return outside(
        `The GPU of ${host} failed in the benchmark: ${message}`,
        `${readLog}, and run the job again on another machine: a second failure there speaks against the software, not the GPU.`,
      )
    case 'no-torch':
      return outside(
        `The benchmark on ${host} found no PyTorch: ${message}`,
        'Name the Python that has it in the input `python`.',
      )
    default:
      return outside(`The benchmark on ${host} failed (${kind}): ${message}`, `${readLog}.`)
  }
}

/** Everything that goes into a result beside what the program told. */
export interface Frame {
  readonly wish: BenchmarkWish
  readonly host: string
  readonly leaseId: string | null
  readonly startedAt: number
  /** When the program was started; null when it never was. */
  readonly programAt: number | null
  readonly endedAt: number
}

/** The record of a run, whatever became of it. */
export function resultOf(frame: Frame, told: Told, ending: Ending): Result {
  const { result, plan, environment } = told
  const actual = result?.actual ?? plan?.actual ?? null
  const blocks = (result?.blocks ?? told.blocks).map(rawBlock)
  const doubts = doubtsOf(ending.status, frame.wish.mode, blocks)
  const { event: _, ...hostFacts } = environment ?? { event: null }
  return {
    schema: 'gpu-actions/result@1',
    status: ending.status,
    leaseId: frame.leaseId,
    host: frame.host,
    device: plan === null ? null : (plan.device.name ?? 'cpu'),
    backend: plan?.device.backend ?? null,
    workload: {
      name: result?.workload.name ?? 'resnet50-v1.5',
      version: told.start?.workloadVersion ?? null,
      asked: v.parse(askedSchema, frame.wish),
      actual,
    },
    job: null,
    environment: environment === null ? null : hostFacts,
    flags: result?.flags ?? null,
    clock: result?.clock ?? null,
    warmup: result?.warmup ?? null,
    blocks,
    batchHalvings: told.halvings.map(({ from, to }) => ({ from, to })),
    metrics: metricsOf({
      blocks,
      batchSize: actual?.batchSize ?? null,
      durationSeconds: result?.durationSeconds ?? null,
      peakMemoryBytes: result?.peakMemoryBytes ?? null,
    }),
    validity: { valid: doubts.length === 0, reasons: doubts },
    error: ending.fault === null ? null : inWords(ending.fault),
    setupSeconds: frame.programAt === null ? null : Math.max(0, frame.programAt - frame.startedAt) / 1000,
    startedAt: new Date(frame.startedAt).toISOString(),
    endedAt: new Date(frame.endedAt).toISOString(),
  }
}

const rawBlock = ({ stepMs, wallMs, lossFirst, lossLast }: Block): Block => ({ stepMs, wallMs, lossFirst, lossLast })

/** A fault as a record tells it. */
export function inWords(fault: Error): string {
  if (fault instanceof UserFault) return [fault.message, ...fault.faults.map(text => `- ${text}`)].join('\n')
  if (fault instanceof OutsideFault) return `${fault.message}\nWhat to do: ${fault.advice}`
  return fault.message
}
