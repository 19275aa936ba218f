import { interquartileRange, mean, median, quantile, sampleStandardDeviation, wilcoxonRankSum } from 'simple-statistics'
import type { Draw } from './noise-models.ts'

/** The rule of a public tool (protocol 8.1): whether a run looks slower than a history, by its default threshold. */
export interface PeerRule {
  readonly name: string
  /** @param history in order of time, one figure a host; higher is better */
  readonly alarms: (value: number, history: readonly number[], draw: Draw) => boolean
}

/** One-sided 99 % quantiles of Student's t by degrees of freedom (scipy.stats.t.ppf). */
const t99: Readonly<Record<number, number>> = { 9: 2.8214, 14: 2.6245, 19: 2.5395, 49: 2.4049 }

function t99Of(freedom: number): number {
  const value = t99[freedom]
  if (value === undefined) throw new RangeError(`no quantile for ${freedom} degrees of freedom`)
  return value
}

const previous = (history: readonly number[]): number => history.at(-1) ?? Number.NaN

/** asv compares samples: blocks of each run, as far apart as blocks of one host are (protocol 6: 0.3 %). */
const blocks = 10
const blockCv = 0.003
/** Below this rank sum of one of two samples of ten, p < 0.002 in a two-sided Mann-Whitney test (scipy.stats). */
const rankSum002 = 65

/** Mann-Whitney on blocks and a factor of 1.1, against the previous run. */
function asv(value: number, history: readonly number[], draw: Draw): boolean {
  const before = previous(history)
  if (before / value <= 1.1) return false
  const sample = (level: number): number[] =>
    Array.from({ length: blocks }, () => level * (1 + blockCv * draw.normal()))
  return wilcoxonRankSum(sample(value), sample(before)) <= rankSum002
}

export const peerRules: readonly PeerRule[] = [
  { name: 'github-action-benchmark (200 % of previous)', alarms: (value, history) => previous(history) / value > 2 },
  { name: 'the same, set to 105 %', alarms: (value, history) => previous(history) / value > 1.05 },
  { name: 'torchbench (7 % from previous)', alarms: (value, history) => value < previous(history) * 0.93 },
  { name: 'asv (Mann-Whitney and 1.1 ×)', alarms: asv },
  { name: 'rolling median of 5, 3 %', alarms: (value, history) => value < median(history.slice(-5)) * 0.97 },
  {
    name: 'bencher z, 99 %',
    alarms: (value, history) => value < mean([...history]) - 2.3263 * sampleStandardDeviation([...history]),
  },
  {
    name: 'bencher t interval, 99 %',
    alarms: (value, history) => {
      const n = history.length
      const reach = t99Of(n - 1) * sampleStandardDeviation([...history]) * Math.sqrt(1 + 1 / n)
      return value < mean([...history]) - reach
    },
  },
  {
    name: 'bencher IQR fence, 3 ×',
    alarms: (value, history) => value < quantile([...history], 0.25) - 3 * interquartileRange([...history]),
  },
  {
    name: 'conbench (z 5)',
    alarms: (value, history) => value < mean([...history]) - 5 * sampleStandardDeviation([...history]),
  },
  {
    name: 'MAD rule (protocol 8.3 as written)',
    alarms: (value, history) => {
      const centre = median([...history])
      const mad = median(history.map(other => Math.abs(other - centre)))
      const scale = Math.max(1.4826 * mad, 0.005 * centre)
      return (value - centre) / scale < -3.5 && value / centre - 1 < -0.02
    },
  },
]
