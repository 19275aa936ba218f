import { median } from 'simple-statistics'
import { robustSlope } from './robust.ts'

/** How a sequence changed from its beginning to its end. */
export interface Drift {
  /** Robust slope × distance from first to last, as a share of the median; 0.1: 10 % more at the end. */
  readonly total: number
  /** Whether so many pairs agree in direction that chance is an explanation in fewer than 5 of 100 cases. */
  readonly significant: boolean
}

/** Two-sided 5 % of a standard normal. */
const significantZ = 1.96

/**
 * Theil and Sen's slope with Mann and Kendall's test (normal approximation with continuity correction).
 * @param values in order, above 0; null for fewer than five
 */
export function driftOf(values: readonly number[]): Drift | null {
  const n = values.length
  const slope = robustSlope(values)
  if (n < 5 || slope === null) return null
  const signs = values.flatMap((later, j) => values.slice(0, j).map(earlier => Math.sign(later - earlier)))
  const agreement = Math.abs(signs.reduce((sum, sign) => sum + sign, 0))
  const z = (agreement - 1) / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  return { total: (slope * (n - 1)) / median([...values]), significant: z > significantZ }
}

/** Where a sequence jumped. */
export interface Shift {
  /** Index of the first value after the jump. */
  readonly at: number
  /** Median after over median before. */
  readonly ratio: number
}

/** A level needs this many values. */
const fewest = 2

/**
 * The split in two whose medians leave the least behind (sum of absolute differences), and how far apart they are.
 * @param values in order, above 0; null for fewer than five
 */
export function shiftOf(values: readonly number[]): Shift | null {
  if (values.length < 5) return null
  const splits = values.slice(fewest, values.length - fewest + 1).map((_, index) => {
    const at = index + fewest
    const [before, after] = [values.slice(0, at), values.slice(at)]
    return { at, ratio: median(after) / median(before), rest: spread(before) + spread(after) }
  })
  const { at, ratio } = splits.reduce((best, split) => (split.rest < best.rest ? split : best))
  return { at, ratio }
}

/**
 * The largest change from one value to the next, on a logarithmic scale.
 * @param values in order, above 0
 * @returns `at`: index of the value after it; `share`: how much of the change from first to last it makes up, above 1
 *   when the rest goes the other way; null for fewer than two values
 */
export function largestStepOf(values: readonly number[]): { readonly at: number; readonly share: number } | null {
  const logs = values.map(value => Math.log(value))
  const steps = logs.slice(1).map((log, index) => Math.abs(log - (logs[index] ?? log)))
  if (steps.length === 0) return null
  const largest = Math.max(...steps)
  const all = Math.abs((logs.at(-1) ?? 0) - (logs[0] ?? 0))
  return { at: steps.indexOf(largest) + 1, share: all === 0 ? Infinity : largest / all }
}

function spread(values: readonly number[]): number {
  const centre = median([...values])
  return values.reduce((sum, value) => sum + Math.abs(value - centre), 0)
}
