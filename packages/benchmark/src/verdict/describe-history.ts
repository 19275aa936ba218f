import { median } from 'simple-statistics'
import { changePoints } from '../statistics/change-points.ts'
import { baselineOf, smallestDetectableLoss } from './baseline.ts'
import { percent } from './sentences.ts'

/** What a history is good for. */
export interface HistoryDescription {
  /** The first run of each level but the first; positions in the history. */
  readonly changes: readonly number[]
  readonly kinds: 1 | 2
  /** The least loss that a run at the fastest level would show in 95 % of cases, as a share; null with no host. */
  readonly smallestDetectableLoss: number | null
  /** For a person: what to do about it. */
  readonly findings: readonly string[]
}

/**
 * Looks at a history by itself, apart from any verdict: changes of level (E-divisive; never learned silently, marked by
 * hand) and two kinds of hosts.
 * @param throughputs of comparable hosts in order of time
 */
export function describeHistory(throughputs: readonly number[]): HistoryDescription {
  if (throughputs.length === 0) {
    return { changes: [], kinds: 1, smallestDetectableLoss: null, findings: ['There is no earlier result.'] }
  }
  const points = changePoints(throughputs)
  const bounds = [0, ...points.map(({ at }) => at), throughputs.length]
  const levels = bounds.slice(1).map((end, index) => median(throughputs.slice(bounds[index], end)))
  const baseline = baselineOf(throughputs)
  const [fastest = 0, slower] = baseline.levels
  return {
    changes: points.map(({ at }) => at),
    kinds: slower === undefined ? 1 : 2,
    smallestDetectableLoss: smallestDetectableLoss(fastest, baseline),
    findings: [
      ...points.map(({ at }, index) => {
        const [before = 1, after = 1] = [levels[index], levels[index + 1]]
        const change = after / before - 1
        return `The level changed by ${change < 0 ? '−' : '+'}${percent(Math.abs(change))} at run ${at + 1} of ${throughputs.length}. If that was wanted, mark the run by hand as a new level; if not, something was lost there.`
      }),
      ...(slower === undefined
        ? []
        : [
            `Hosts come in two kinds, ${percent(1 - slower / fastest)} apart. A loss of that size on the faster kind cannot be told from the slower kind.`,
          ]),
    ],
  }
}
