import * as v from 'valibot'
import { memoryFormats, modes, precisions } from './words.ts'

/** What the host program tells of a run, raw: what its events and the record of a run have in common. */

export const object = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.object(entries), v.readonly())
export const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly())
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const positive = v.pipe(v.number(), v.minValue(Number.MIN_VALUE))
/** Missing is null, never 0. */
export const measured = v.nullable(v.pipe(v.number(), v.minValue(0)))
/** A field that came later: records without it read as null there. */
export const later = <S extends v.GenericSchema>(schema: S) => v.optional(v.nullable(schema), null)
const loss = v.nullable(v.number())

/** What was run: the batch may have been halved, `auto` has become a precision. */
export const actualSchema = object({
  mode: v.picklist(modes),
  /** Images of a step of one GPU. */
  batchSize: positive,
  imageSize: positive,
  precision: v.picklist(precisions),
  memoryFormat: v.picklist(memoryFormats),
  learningRate: v.number(),
  lossScale: v.number(),
  /** The backend of torch.compile; null: eager. */
  compile: later(v.string()),
  /** How many measured together, each a process of its own; on a CPU the number of processes. */
  gpus: v.optional(positive, 1),
  blocks: count,
  stepsPerBlock: count,
  /** CPU threads that PyTorch used. */
  threads: count,
  seed: count,
  /** The share by which each step was made longer, for tests of what compares runs; null in every real run. */
  injectedSlowdown: later(v.number()),
})

export const firstStepSchema = object({
  /** Seconds from the building of the model to the end of its first step. */
  seconds: measured,
  /** Seconds of that step when it compiled the model; null when eager. */
  compileSeconds: measured,
  /** Graphs that the model was compiled to; null when eager or not told. */
  graphs: v.nullable(count),
})

/** Training on one batch, outside the timed part. */
export const sanitySchema = object({
  /** Of each step, from the first on; null where it was not finite. */
  losses: list(loss),
  seconds: measured,
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
  /**
   * Milliseconds of each step: device events on a GPU, the monotonic clock on a CPU. Of several GPUs each step is that
   * of the slowest.
   */
  stepMs: v.pipe(v.array(positive), v.minLength(1), v.readonly()),
  /** Milliseconds from the block's first step to its one synchronisation. */
  wallMs: positive,
  /** On the block's own batch, before its first and before its last step; null for inference, or when not finite. */
  lossFirst: loss,
  lossLast: loss,
}

export const blockSchema = object(blockEntries)

/** What the first of several GPUs did with the machine to itself, before the others joined. */
export const aloneSchema = object({ firstStep: firstStepSchema, warmup: warmupSchema, blocks: list(blockSchema) })

/** What one of several GPUs measured, in the same blocks. */
export const rankSchema = object({
  rank: count,
  device: v.nullable(v.string()),
  peakMemoryBytes: v.nullable(count),
  /** Of all its parameters after the training; null for inference. */
  parametersSha256: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  blocks: list(blockSchema),
})

export type Actual = v.InferOutput<typeof actualSchema>
export type Block = v.InferOutput<typeof blockSchema>
export type FirstStep = v.InferOutput<typeof firstStepSchema>
export type Sanity = v.InferOutput<typeof sanitySchema>
export type Alone = v.InferOutput<typeof aloneSchema>
export type Rank = v.InferOutput<typeof rankSchema>
