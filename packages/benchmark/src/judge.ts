import { median } from 'simple-statistics'
import type { Block, Metrics, Status } from './result.ts'
import { blockThroughput, medianWithInterval, minimumBlocks, unsteadiness } from './statistics.ts'

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

/** torch.utils.benchmark calls an interquartile range of 25 % of the median a significant environmental influence. */
const unsteady = 0.25

/** A loss that did not fall by this much within a block of its own batch was not learning (protocol: 30 %). */
const fallen = 0.7
/** Blocks shorter than this say nothing about learning: momentum makes the loss overshoot first. */
const stepsToLearn = 20

/** Why a run's figures should not be used, each a sentence; none for a valid run. */
export function doubtsOf(status: Status, mode: 'train' | 'inference', blocks: readonly Block[]): readonly string[] {
  if (status !== 'completed') return [`The run did not complete (${status}).`]
  const doubts: string[] = []
  if (blocks.length < minimumBlocks) {
    doubts.push(`There are only ${blocks.length} blocks; an interval needs at least ${minimumBlocks}.`)
  }
  const spread = unsteadiness(blocks.flatMap(block => block.stepMs))
  if (spread !== null && spread > unsteady) {
    doubts.push(
      `The steps were unsteady: their interquartile range is ${Math.round(spread * 100)} % of their median, more than ${unsteady * 100} %. Something else used the host.`,
    )
  }
  if (mode === 'train' && blocks.some(block => block.lossFirst === null || block.lossLast === null)) {
    doubts.push('The loss was not finite: what ran was no training.')
  } else if (mode === 'train' && blocks.some(block => block.stepMs.length >= stepsToLearn && !fell(block))) {
    doubts.push('The loss did not fall on a fixed batch: what ran was no training.')
  }
  return doubts
}

const fell = ({ lossFirst, lossLast }: Block): boolean =>
  lossFirst !== null && lossLast !== null && lossLast < fallen * lossFirst
