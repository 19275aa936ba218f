import { median } from 'simple-statistics'
import type { Block, Metrics, Status } from './result.ts'
import { blockThroughput, medianWithInterval } from './statistics.ts'
import { unknownConditions, type Conditions } from './validity/conditions.ts'
import {
  drifting,
  foreignCpuLoad,
  foreignGpuLoad,
  gpuErrors,
  interrupted,
  learned,
  throttled,
  tooShort,
  unstable,
  type ValidityRule,
} from './validity/rules.ts'

/** What the metrics are computed from: raw, so that they can be computed again years later. */
export interface Measured {
  readonly blocks: readonly Block[]
  readonly batchSize: number | null
  readonly durationSeconds: number | null
  readonly peakMemoryBytes: number | null
}

/** All metrics of a run; null where one could not be measured. */
export function metricsOf({ blocks, batchSize, durationSeconds, peakMemoryBytes }: Measured): Metrics {
  const steps = blocks.flatMap(block => block.stepMs)
  const figures = batchSize === null ? [] : blocks.map(block => blockThroughput(block.stepMs, batchSize))
  const throughput = medianWithInterval(figures)
  return {
    throughput: throughput.median,
    throughputLow: throughput.interval?.low ?? null,
    throughputHigh: throughput.interval?.high ?? null,
    latencyMs: steps.length === 0 ? null : median(steps),
    durationSeconds,
    images: batchSize === null || steps.length === 0 ? null : batchSize * steps.length,
    peakMemoryBytes,
  }
}

/** Looked at when a run has ended by itself, in the order in which a reader wants them. */
const rules: readonly ValidityRule[] = [
  tooShort,
  throttled,
  gpuErrors,
  foreignGpuLoad,
  foreignCpuLoad,
  drifting,
  unstable,
  learned,
]

/** Why a run's figures should not be used, each a sentence; none for a valid run. */
export function doubtsOf(
  status: Status,
  mode: 'train' | 'inference',
  blocks: readonly Block[],
  conditions: Conditions = unknownConditions,
): readonly string[] {
  const run = { status, mode, blocks, conditions }
  const broken = interrupted(run)
  return broken === null ? rules.flatMap(rule => rule(run) ?? []) : [broken]
}

/** What a reader should know of a valid run too, each a sentence. */
export const remarksOf = (halvings: readonly { readonly from: number; readonly to: number }[]): readonly string[] =>
  halvings.length === 0
    ? []
    : [
        `Memory ran out: the batch was halved from ${halvings[0]?.from} to ${halvings.at(-1)?.to}. The result has another environment key than one with the batch that was asked for.`,
      ]
