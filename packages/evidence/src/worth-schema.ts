import type { Ratios } from '@gpu-actions/benchmark'
import * as v from 'valibot'

const object = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.object(entries), v.readonly())
const figure = v.nullable(v.number())

/** A published figure that a run was held against; images per second of one GPU. */
const anchorSchema = object({
  gpu: v.string(),
  mode: v.picklist(['train', 'inference']),
  precision: v.picklist(['amp', 'tf32', 'fp32', 'pytorch-default']),
  imagesPerSecond: v.number(),
  batch: v.nullable(v.number()),
  stack: v.string(),
  /** M: measured and published, D: derived from published figures. */
  kind: v.picklist(['M', 'D']),
  source: v.string(),
  date: v.nullable(v.string()),
})

/** The `Ratios` of `benchmark`, as a record. */
export const ratiosSchema = object({
  tableVersion: v.string(),
  mfu: figure,
  roofline: figure,
  anchor: v.nullable(object({ ratio: v.number(), of: anchorSchema })),
  estimate: v.nullable(object({ ratio: v.number(), imagesPerSecond: v.number() })),
  costPerMillionImages: figure,
  joulesPerImage: figure,
}) satisfies v.GenericSchema<unknown, Ratios>

/** The `EnvironmentKey` of `benchmark`, as a record. */
export const environmentKeySchema = object({
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  fields: v.record(v.string(), v.nullable(v.string())),
})
