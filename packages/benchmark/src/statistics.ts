import { interquartileRange, median, quantileSorted, sampleWithReplacement } from 'simple-statistics'

/** Fewer blocks carry no interval. */
export const minimumBlocks = 5

/** Resamples of a bootstrap; more would move the bounds by less than their third digit. */
const resamples = 2000

/** The seed of every interval, so that each can be recomputed from the raw step times to the last digit. */
const intervalSeed = 0x5eed

/** The bounds of a 95 % interval. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** mulberry32: small, fast and the same everywhere; numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Images per second of a block: its batch over its median step, so that one stall does not move it. */
export const blockThroughput = (stepMs: readonly number[], batchSize: number): number =>
  (batchSize * 1000) / median([...stepMs])

/**
 * The median, and a 95 % percentile interval by bootstrap: blocks are drawn again with replacement.
 * It holds the doubt within this run; the spread between hosts is wider (reference: 0.1 % on H100 hosts).
 * @param values one figure a block
 * @returns null for the interval with fewer than five values, null for both with none
 */
export function medianWithInterval(values: readonly number[]): {
  readonly median: number | null
  readonly interval: Interval | null
} {
  if (values.length === 0) return { median: null, interval: null }
  const centre = median([...values])
  if (values.length < minimumBlocks) return { median: centre, interval: null }
  const random = seededRandom(intervalSeed)
  const medians = Array.from({ length: resamples }, () =>
    median(sampleWithReplacement([...values], values.length, random)),
  ).sort((a, b) => a - b)
  return { median: centre, interval: { low: quantileSorted(medians, 0.025), high: quantileSorted(medians, 0.975) } }
}

/** Interquartile range over median: how unsteady the steps were; null with fewer than four of them. */
export const unsteadiness = (stepMs: readonly number[]): number | null =>
  stepMs.length < 4 ? null : interquartileRange([...stepMs]) / median([...stepMs])
