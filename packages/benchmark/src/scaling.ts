import { blockThroughput, medianWithInterval } from './statistics.ts'
import type { Alone, Block, Rank } from './raw.ts'
import type { Scaling } from './result.ts'

/** Images per second of one GPU; null with no blocks. */
const throughputOf = (blocks: readonly Block[], batchSize: number): number | null =>
  medianWithInterval(blocks.map(({ stepMs }) => blockThroughput(stepMs, batchSize))).median

/**
 * What several GPUs were worth together.
 * @param together the blocks of all, each step that of the slowest
 * @param batchSize images of a step of one GPU
 */
export function scalingOf(
  together: readonly Block[],
  ranks: readonly Rank[],
  alone: Alone | null,
  batchSize: number,
): Scaling {
  const total = throughputOf(together, batchSize * ranks.length)
  const one = alone === null ? null : throughputOf(alone.blocks, batchSize)
  const sums = ranks.map(({ parametersSha256 }) => parametersSha256)
  return {
    perGpu: ranks.map(({ blocks }) => throughputOf(blocks, batchSize)),
    alone: one,
    efficiency: total === null || one === null ? null : total / (ranks.length * one),
    sameParameters: sums.some(sum => sum === null) ? null : new Set(sums).size === 1,
  }
}
