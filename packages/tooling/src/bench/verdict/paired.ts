import { pairedDifference, pairedVerdictOf, seededRandom, type Pair } from '@gpu-actions/benchmark'
import { drawing, type Draw } from './noise-models.ts'

export interface PairedRates {
  readonly cv: number
  readonly pairs: number
  /** By the true change as a share: how often each verdict was given. */
  readonly regressed: ReadonlyMap<number, number>
  readonly passed: ReadonlyMap<number, number>
  /** How often the interval held the true change. */
  readonly covered: number
}

/**
 * Base and head interleaved on one host whose speed wanders, as a shared CPU's does: what the two of a pair have in
 * common cancels, the rest is noise.
 */
export function simulatePaired(
  cv: number,
  pairs: number,
  trials: number,
  seed: number,
  changes: readonly number[],
): PairedRates {
  const draw = drawing(seededRandom(seed))
  const share = (count: number): number => count / trials
  let covered = 0
  const outcomes = changes.map(change => {
    const counts = { regressed: 0, passed: 0 }
    for (let trial = 0; trial < trials; trial++) {
      const difference = pairedDifference(interleaved(draw, cv, pairs, change))
      const { verdict } = pairedVerdictOf({ difference })
      if (verdict === 'regressed') counts.regressed++
      if (verdict === 'pass') counts.passed++
      if (difference !== null && difference.interval.low <= change * 100 && change * 100 <= difference.interval.high)
        covered++
    }
    return [change, counts] as const
  })
  return {
    cv,
    pairs,
    regressed: new Map(outcomes.map(([change, { regressed }]) => [change, share(regressed)])),
    passed: new Map(outcomes.map(([change, { passed }]) => [change, share(passed)])),
    covered: covered / (trials * changes.length),
  }
}

function interleaved(draw: Draw, cv: number, pairs: number, change: number): readonly Pair[] {
  let common = 1
  return Array.from({ length: pairs }, () => {
    common *= 1 + 0.01 * draw.normal()
    return { base: common * (1 + cv * draw.normal()), head: common * (1 + change) * (1 + cv * draw.normal()) }
  })
}
