import * as v from 'valibot'
import { memoryFormats, modes, precisions } from './words.ts'

const object = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.object(entries), v.readonly())
const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly())
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const positive = v.pipe(v.number(), v.minValue(Number.MIN_VALUE))
/** Missing is null, never 0. */
const measured = v.nullable(v.pipe(v.number(), v.minValue(0)))
/** UTC, ISO 8601. */
const instant = v.pipe(v.string(), v.isoTimestamp())
const loss = v.nullable(v.number())

export const statuses = ['completed', 'failed', 'timed-out', 'cancelled'] as const

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

/** What was run: the batch may have been halved, `auto` has become a precision. */
export const actualSchema = object({
  mode: v.picklist(modes),
  batchSize: positive,
  imageSize: positive,
  precision: v.picklist(precisions),
  memoryFormat: v.picklist(memoryFormats),
  learningRate: v.number(),
  lossScale: v.number(),
  blocks: count,
  stepsPerBlock: count,
  /** CPU threads that PyTorch used. */
  threads: count,
  seed: count,
})

export const warmupSchema = object({
  stepMs: list(positive),
  seconds: measured,
  /** Whether the last steps showed no trend; null with fewer than ten steps. */
  settled: v.nullable(v.boolean()),
  lossFirst: loss,
  lossLast: loss,
})

export const blockEntries = {
  /** Milliseconds of each step: device events on a GPU, the monotonic clock on a CPU. */
  stepMs: v.pipe(v.array(positive), v.minLength(1), v.readonly()),
  /** Milliseconds from the block's first step to its one synchronisation. */
  wallMs: positive,
  /** On the block's own batch, before its first and before its last step; null for inference, or when not finite. */
  lossFirst: loss,
  lossLast: loss,
}

export const blockSchema = object(blockEntries)

export const metricsSchema = object({
  /** Images per second: median over blocks of batch size ÷ median step; the API's one figure for a cluster's job. */
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

/**
 * What one run on one host measured: `result.json`. The schema stays `@1` with `job` added: a record without it is one
 * of a host, as all were before, and reads as that.
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
  warmup: v.nullable(warmupSchema),
  /** The finished blocks, those of a run that ended early included. */
  blocks: list(blockSchema),
  /** Batches that did not fit into memory, in order. */
  batchHalvings: list(object({ from: count, to: count })),
  metrics: metricsSchema,
  /**
   * Each reason is a sentence; valid means that there is none. null: nobody can tell, because there is nothing to judge
   * by; the reasons say what is not there.
   */
  validity: object({ valid: v.nullable(v.boolean()), reasons: list(v.string()) }),
  /** Why there is no result, and what to do; null for a completed run. */
  error: v.nullable(v.string()),
  /** Seconds until the program was started: finding Python, installing PyTorch, upload. null when it never was. */
  setupSeconds: measured,
  startedAt: instant,
  endedAt: instant,
})

export type Result = v.InferOutput<typeof resultSchema>
export type Asked = v.InferOutput<typeof askedSchema>
export type ClusterJob = v.InferOutput<typeof clusterJobSchema>
export type Actual = v.InferOutput<typeof actualSchema>
export type Block = v.InferOutput<typeof blockSchema>
export type Metrics = v.InferOutput<typeof metricsSchema>
export type Status = Result['status']

/** @throws ValiError when the record is no result of this version */
export const parseResult = (record: unknown): Result => v.parse(resultSchema, record)
