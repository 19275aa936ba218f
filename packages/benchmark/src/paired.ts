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

/** What head is worth against base; null with too few pairs. */
export const differenceOf = (result: EventOf<'paired-result'>): PairedDifference | null =>
  pairedDifference(throughputPairs(result))
