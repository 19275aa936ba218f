import { OutsideFault, UserFault, formatDuration } from '@gpu-actions/action-kit/ports'
import type { JobEnd } from '@gpu-actions/host'
import * as v from 'valibot'
import { doubtsOfRecord } from './doubts.ts'
import type { EventOf } from './events.ts'
import { metricsOf } from './judge.ts'
import type { Interruption } from './notices.ts'
import type { Preflight } from './preflight.ts'
import { askedSchema, type Block, type Result, type Status } from './result.ts'
import { scalingOf } from './scaling.ts'
import type { Told } from './told.ts'
import type { BenchmarkWish } from './wish.ts'

/** How a run ended: with which status, and for every status but `completed` with whose fault. */
export interface Ending {
  readonly status: Status
  readonly fault: Error | null
}

/**
 * The same end of a run whose spot machine was taken back: whatever its last words were, that is why it did not
 * complete. One that completed before its machine went was not interrupted; neither was one that was cancelled.
 */
export function interruptedEnding(ending: Ending, interruption: Interruption | null, host: string): Ending {
  if (interruption === null || ending.status === 'completed' || ending.status === 'cancelled') return ending
  const when = interruption.time === null ? '' : ` at ${interruption.time}`
  const fault = new OutsideFault({
    what: `The benchmark on ${host} was interrupted: the spot machine was taken back (${interruption.action}${when})`,
    advice: 'Run the job again; `market: on-demand` is never taken back.',
    cause: ending.fault,
  })
  return { status: 'interrupted', fault }
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
    case 'compile':
      return outside(
        `The benchmark on ${host} could not compile the model: ${message}`,
        `Set \`compile: false\`, or choose another version of PyTorch; compiling needs a C++ compiler on the host, and on a GPU Triton. ${readLog}.`,
      )
    case 'rank':
      return outside(
        `One of the processes of the benchmark on ${host} died: ${message}`,
        `${readLog}; with \`gpus: 1\` only one GPU is measured.`,
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
  readonly interruption: Interruption | null
  readonly preflight: Preflight | null
}

/** The record of a run, whatever became of it. */
export function resultOf(frame: Frame, told: Told, ending: Ending): Result {
  const { result, plan, environment } = told
  const actual = result?.actual ?? plan?.actual ?? null
  const blocks = (result?.blocks ?? told.blocks).map(rawBlock)
  const { event: _, ...hostFacts } = environment ?? { event: null }
  const ranks = result?.ranks ?? null
  const record: Omit<Result, 'validity'> = {
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
    optimizer: result?.optimizer ?? null,
    firstStep: result?.firstStep ?? firstStepOf(told),
    sanity: result?.sanity ?? null,
    warmup: result?.warmup ?? null,
    blocks,
    alone: result?.alone ?? null,
    ranks,
    scaling:
      ranks === null || actual === null ? null : scalingOf(blocks, ranks, result?.alone ?? null, actual.batchSize),
    batchHalvings: told.halvings.map(({ from, to }) => ({ from, to })),
    metrics: metricsOf({
      blocks,
      batchSize: actual === null ? null : actual.batchSize * actual.gpus,
      durationSeconds: result?.durationSeconds ?? null,
      peakMemoryBytes: result?.peakMemoryBytes ?? null,
    }),
    preflight: frame.preflight,
    telemetry: result?.telemetry ?? null,
    interrupted: frame.interruption,
    notices: {
      throttled: told.throttled.map(({ event: _event, ...notice }) => notice),
      xids: told.xids.map(({ event: _event, ...notice }) => notice),
    },
    error: ending.fault === null ? null : inWords(ending.fault),
    setupSeconds: frame.programAt === null ? null : Math.max(0, frame.programAt - frame.startedAt) / 1000,
    startedAt: new Date(frame.startedAt).toISOString(),
    endedAt: new Date(frame.endedAt).toISOString(),
  }
  const doubts = doubtsOfRecord(record, actual?.mode ?? frame.wish.mode)
  return { ...record, validity: { valid: doubts.length === 0, reasons: doubts } }
}

function firstStepOf({ firstStep, alone }: Told): Result['firstStep'] {
  if (firstStep === null || alone) return null
  const { event: _, ...told } = firstStep
  return told
}

const rawBlock = ({ stepMs, wallMs, lossFirst, lossLast }: Block): Block => ({ stepMs, wallMs, lossFirst, lossLast })

/** A fault as a record tells it. */
export function inWords(fault: Error): string {
  if (fault instanceof UserFault) return [fault.message, ...fault.faults.map(text => `- ${text}`)].join('\n')
  if (fault instanceof OutsideFault) return `${fault.message}\nWhat to do: ${fault.advice}`
  return fault.message
}
