import * as v from 'valibot'
import { interruptionSchema, noticesSchema } from './notices.ts'
import { preflightLater } from './preflight.ts'
import {
  actualSchema,
  aloneSchema,
  blockSchema,
  count,
  firstStepSchema,
  later,
  list,
  measured,
  object,
  rankSchema,
  sanitySchema,
  warmupSchema,
} from './raw.ts'
import { telemetrySchema } from './telemetry.ts'
import { memoryFormats, modes, precisions } from './words.ts'

export type { Actual, Block } from './raw.ts'

/** UTC, ISO 8601. */
const instant = v.pipe(v.string(), v.isoTimestamp())

/** `interrupted`: the spot machine was taken back. */
export const statuses = ['completed', 'failed', 'timed-out', 'cancelled', 'interrupted'] as const

/** What was asked for. */
export const askedSchema = object({
  mode: v.picklist(modes),
  epochs: count,
  /** Timed steps = epochs × steps per epoch, rounded up until all blocks are equal. */
  stepsPerEpoch: count,
  batchSize: count,
  /** Side of the square images, in pixels. */
  imageSize: count,
  precision: v.picklist(precisions),
  memoryFormat: v.picklist(memoryFormats),
  allowCpu: v.boolean(),
  compile: v.optional(v.boolean(), false),
  gpus: v.optional(v.union([count, v.literal('all')]), 1),
})

/**
 * What was asked of whoever ran it. A job of a cluster is told its epochs and its batch size; a size that it was not
 * told is null (its agent decides), and so is what the contract of jobs cannot say.
 */
export const askedOfAnyoneSchema = object({
  ...askedSchema.entries,
  stepsPerEpoch: v.nullable(count),
  imageSize: v.nullable(count),
  precision: v.nullable(v.picklist(precisions)),
  memoryFormat: v.nullable(v.picklist(memoryFormats)),
  compile: later(v.boolean()),
  gpus: later(v.union([count, v.literal('all')])),
})

/** The job of a cluster that ran the benchmark, as far as the cluster's API told of it. */
export const clusterJobSchema = object({
  /** null when it was never started */
  id: v.nullable(v.string()),
  clusterId: v.string(),
  /** The API's host. */
  api: v.string(),
  /** The API's last word for its status; null when it never said one. */
  status: v.nullable(v.string()),
  /** Seconds of the whole command; an image that had to be pulled first is in it. */
  durationSeconds: measured,
  exitCode: v.nullable(v.number()),
})

export const metricsSchema = object({
  /**
   * Images per second of all GPUs together: median over blocks of batch size ÷ median step; the API's one figure for a
   * cluster's job.
   */
  throughput: measured,
  /** 95 % interval of `throughput` within this run. */
  throughputLow: measured,
  throughputHigh: measured,
  /** Milliseconds: median of all timed steps. */
  latencyMs: measured,
  /** Seconds of the timed part, synchronisation and new data between blocks included. null for a cluster's job. */
  durationSeconds: measured,
  /** Images in the timed part. */
  images: measured,
  /** Highest memory on the GPU, in bytes; null on a CPU. */
  peakMemoryBytes: measured,
})

/** Several GPUs, in images per second. */
export const scalingSchema = object({
  /** Of each GPU, by rank, while all ran: median over blocks. */
  perGpu: list(measured),
  /** Of the first GPU with the machine to itself; null when it was not measured. */
  alone: measured,
  /** All together against that many times one alone: 1 is no loss. */
  efficiency: measured,
  /** Whether all GPUs held the same parameters after the training; null for inference. */
  sameParameters: v.nullable(v.boolean()),
})

/**
 * What one run on one host measured: `result.json`. The schema stays `@1` with fields added: a record without them reads
 * as one of a host (`job`), on one GPU, that was not interrupted.
 */
export const resultSchema = object({
  schema: v.literal('gpu-actions/result@1'),
  status: v.picklist(statuses),
  /** The lease the host belongs to; null for a host that was not rented. */
  leaseId: v.nullable(v.string()),
  host: v.string(),
  /** The GPU's own name, or `cpu`; null when the run ended before it was known. */
  device: v.nullable(v.string()),
  backend: v.nullable(v.picklist(['cuda', 'hip', 'cpu'])),
  workload: object({
    name: v.string(),
    version: v.nullable(count),
    asked: askedOfAnyoneSchema,
    actual: v.nullable(actualSchema),
  }),
  /** null when the host was measured directly */
  job: v.optional(v.nullable(clusterJobSchema), null),
  /** What the host told of itself; null when it was not asked. */
  environment: v.nullable(v.record(v.string(), v.unknown())),
  /** What decides which kernels ran, as PyTorch held it. */
  flags: v.nullable(v.record(v.string(), v.boolean())),
  clock: v.nullable(v.picklist(['device-events', 'monotonic'])),
  /** Which of its SGD kernels PyTorch had: fused, foreach or single-tensor; null for inference. */
  optimizer: later(v.string()),
  /** Never in the throughput. */
  firstStep: later(firstStepSchema),
  /** null for inference, or when it was left out. */
  sanity: later(sanitySchema),
  warmup: v.nullable(warmupSchema),
  /** The finished blocks, those of a run that ended early included. */
  blocks: list(blockSchema),
  /** With more than one GPU only. */
  alone: later(aloneSchema),
  ranks: later(list(rankSchema)),
  scaling: later(scalingSchema),
  /** Batches that did not fit into memory, in order. */
  batchHalvings: list(object({ from: count, to: count })),
  metrics: metricsSchema,
  /** What was checked before the run; null when nothing was, or when it came to no end. */
  preflight: preflightLater,
  /** null when it was off, or ended early. */
  telemetry: later(telemetrySchema),
  /** The notice, or the reason of the machine's end, that a spot machine is taken back; null without one. */
  interrupted: later(interruptionSchema),
  /** What the host said of itself meanwhile. */
  notices: v.optional(noticesSchema, { throttled: [], xids: [] }),
  /**
   * Each reason is a sentence; valid means that there is none. null: nobody can tell, because there is nothing to judge
   * by; the reasons say what is not there.
   */
  validity: object({ valid: v.nullable(v.boolean()), reasons: list(v.string()) }),
  /** Why there is no result, and what to do; null for a completed run. */
  error: v.nullable(v.string()),
  /** Seconds until the program was started: finding Python, installing PyTorch, upload, preflight. null when it never was. */
  setupSeconds: measured,
  startedAt: instant,
  endedAt: instant,
})

export type Result = v.InferOutput<typeof resultSchema>
export type Asked = v.InferOutput<typeof askedSchema>
export type ClusterJob = v.InferOutput<typeof clusterJobSchema>
export type Scaling = v.InferOutput<typeof scalingSchema>
export type Metrics = v.InferOutput<typeof metricsSchema>
export type Status = Result['status']

/** @throws ValiError when the record is no result of this version */
export const parseResult = (record: unknown): Result => v.parse(resultSchema, record)
