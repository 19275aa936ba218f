import { median, quantileSorted } from 'simple-statistics'
import { seededRandom, type Interval } from '../statistics.ts'

/** Base and head, measured one after the other on one host: throughputs in any one unit. */
export interface Pair {
  readonly base: number
  readonly head: number
}

/** What head is worth against base, in percent of base; below 0 is slower. */
export interface PairedDifference {
  readonly pairs: number
  /** Median of the pairs' differences. */
  readonly percent: number
  /** 95 %, by bootstrap over pairs. */
  readonly interval: Interval
  /** 99.8 %: a change that is called one should not come up in one of forty pairs of equals. */
  readonly wideInterval: Interval
}

/** Fewer pairs carry no interval: the bootstrap of a median then covers less than it says. */
export const minimumPairs = 20

const resamples = 2000
const pairedSeed = 0x9a12ed

/**
 * Paired differences with a bootstrap interval. Whatever the two of a pair have in common (the host, its temperature,
 * its neighbours at that moment) cancels.
 * @returns null with fewer than 20 pairs
 */
export function pairedDifference(pairs: readonly Pair[]): PairedDifference | null {
  if (pairs.length < minimumPairs) return null
  const percents = pairs.map(({ base, head }) => (head / base - 1) * 100)
  const random = seededRandom(pairedSeed)
  const drawn = new Float64Array(percents.length)
  const medians = Array.from({ length: resamples }, () => {
    for (let i = 0; i < drawn.length; i++) drawn[i] = percents[Math.floor(random() * percents.length)] ?? 0
    return middle(drawn.sort())
  }).sort((a, b) => a - b)
  return {
    pairs: pairs.length,
    percent: median(percents),
    interval: { low: quantileSorted(medians, 0.025), high: quantileSorted(medians, 0.975) },
    wideInterval: { low: quantileSorted(medians, 0.001), high: quantileSorted(medians, 0.999) },
  }
}

function middle(sorted: Float64Array): number {
  const half = sorted.length / 2
  const [below = 0, above = 0] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]]
  return (below + above) / 2
}
