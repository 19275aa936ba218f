import { minimumPairs, type PairedDifference } from '../statistics/paired.ts'
import { rule } from './rule.ts'

/** Base and head on one host say nothing about other hosts, so `suspect-host` is no answer here. */
export interface PairedVerdict {
  readonly verdict: 'pass' | 'improved' | 'regressed' | 'inconclusive'
  readonly reasons: readonly string[]
}

export interface PairedQuestion {
  /** Head against base; null with too few pairs. */
  readonly difference: PairedDifference | null
  /** Base against base, interleaved with the rest: a check of the noise. */
  readonly control?: PairedDifference | null
  /** The least change that counts, as a share. Default 0.02, as for a history. */
  readonly effect?: number
}

/**
 * Judges base and head that ran interleaved on one host. Significance and effect together: a change counts when the
 * 99.8 % interval excludes 0 and its middle is beyond `effect`; a pass needs a 95 % interval that excludes such a loss.
 */
export function pairedVerdictOf({ difference, control = null, effect = rule.effect }: PairedQuestion): PairedVerdict {
  if (difference === null) return answer('inconclusive', `There are fewer than ${minimumPairs} pairs.`)
  if (control !== null && (control.wideInterval.low > 0 || control.wideInterval.high < 0)) {
    return answer('inconclusive', `Base differs from itself by ${words(control)}: the host is not steady enough.`)
  }
  const { percent, interval, wideInterval } = difference
  const least = effect * 100
  if (wideInterval.high < 0 && percent < -least)
    return answer('regressed', `Head is ${words(difference)} against base.`)
  if (wideInterval.low > 0 && percent > least) return answer('improved', `Head is ${words(difference)} against base.`)
  if (interval.low > -least) {
    return answer('pass', `Head is ${words(difference)} against base: a loss of ${least} % is excluded.`)
  }
  return answer(
    'inconclusive',
    `Head is ${words(difference)} against base: a loss of ${least} % is neither shown nor excluded. More pairs narrow the interval.`,
  )
}

const answer = (verdict: PairedVerdict['verdict'], reason: string): PairedVerdict => ({ verdict, reasons: [reason] })

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)} %`

const words = ({ percent, interval, pairs }: PairedDifference): string =>
  `${signed(percent)} [${signed(interval.low)}, ${signed(interval.high)}] (${pairs} pairs)`
