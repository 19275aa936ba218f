import { median } from 'simple-statistics'
import type { EventOf } from './events.ts'
import { pairedDifference, type Pair, type PairedDifference } from './statistics/paired.ts'

/**
 * The pairs of a paired run as throughputs, so that variants with different batches can be compared. Oldest first.
 */
export function throughputPairs({ variants, pairs, pairSteps }: EventOf<'paired-result'>): readonly Pair[] {
  const images = { base: imagesOf(variants.base), head: imagesOf(variants.head) }
  return pairs.map(({ baseMs, headMs }) => ({
    base: (images.base * pairSteps * 1000) / baseMs,
    head: (images.head * pairSteps * 1000) / headMs,
  }))
}

/** The last plan counts: a batch that did not fit was announced before. */
const imagesOf = ({ plan }: EventOf<'paired-result'>['variants']['base']): number => plan.at(-1)?.actual.batchSize ?? 0

/**
 * What head is worth against base; null with too few pairs. Variants that had a process each (a round above 0) differ by
 * where their processes lay in memory, 5 % and more on a CPU, for as long as those lived: there each round counts once.
 */
export function differenceOf(result: EventOf<'paired-result'>): PairedDifference | null {
  const pairs = throughputPairs(result)
  const rounds = new Set(result.pairs.map(({ round }) => round))
  if (rounds.size === 1 && rounds.has(0)) return pairedDifference(pairs)
  return pairedDifference(
    [...rounds].map(round => {
      const of = pairs.filter((_, index) => result.pairs[index]?.round === round)
      return { base: 1, head: median(of.map(({ base, head }) => head / base)) }
    }),
  )
}
