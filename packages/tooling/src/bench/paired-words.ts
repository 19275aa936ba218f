import type { PairedDifference } from '@gpu-actions/benchmark'

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)} %`

/** `+0.10 % [−0.90 %, +1.20 %] (150 pairs)`. */
export const differenceWords = (difference: PairedDifference | null): string =>
  difference === null
    ? 'too few pairs for an interval'
    : `${signed(difference.percent)} [${signed(difference.interval.low)}, ${signed(difference.interval.high)}] (${difference.pairs} pairs)`
