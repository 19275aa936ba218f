import { seededRandom } from '../statistics.ts'

/** Where a history changed its level. */
export interface ChangePoint {
  /** Index of the first value of the new level. */
  readonly at: number
  /** The energy statistic of the split, in the unit of the values. */
  readonly strength: number
  /** How often a shuffled history splits as well as this one. */
  readonly p: number
}

/** A level needs this many values before and after a change. */
export const smallestSegment = 5
/** Below this no change point is looked for (protocol 8.1: Apache Otava needs 10 too). */
export const shortestHistory = 2 * smallestSegment

/** Apache Otava tests at 0.001, MongoDB at 0.05; 399 shuffles resolve 0.0025. */
const significance = 0.01
const shuffles = 399
const shuffleSeed = 0xed1715

/**
 * E-divisive means (Matteson and James 2014), as MongoDB and Apache Otava use it: the best split by energy distance,
 * tested by shuffling, then each side again. No distribution is assumed, and one outlier is no level.
 * @param values in order of time, one figure a run
 * @returns in order of time; none for fewer than 10 values
 */
export function changePoints(values: readonly number[]): readonly ChangePoint[] {
  return within(values, 0, seededRandom(shuffleSeed))
}

function within(values: readonly number[], offset: number, random: () => number): readonly ChangePoint[] {
  if (values.length < shortestHistory) return []
  const best = bestSplit(values)
  if (best.strength <= 0) return []
  const p = chanceOf(best.strength, values, random)
  if (p > significance) return []
  return [
    ...within(values.slice(0, best.at), offset, random),
    { at: offset + best.at, strength: best.strength, p },
    ...within(values.slice(best.at), offset + best.at, random),
  ]
}

/** How often a shuffled history splits as well. Stops as soon as that is too often; the figure is then a lower bound. */
function chanceOf(strength: number, values: readonly number[], random: () => number): number {
  const shuffled = Float64Array.from(values)
  let asGood = 1
  for (let round = 0; round < shuffles && asGood / (shuffles + 1) <= significance; round++) {
    shuffle(shuffled, random)
    if (splitOf(shuffled).strength >= strength) asGood++
  }
  return asGood / (shuffles + 1)
}

/**
 * The split with the largest n·m/(n+m) × energy distance between its sides.
 * @returns `at`: the first index of the right side; strength 0 when no split is allowed
 */
export const bestSplit = (values: readonly number[]): Split => splitOf(Float64Array.from(values))

interface Split {
  readonly at: number
  readonly strength: number
}

function splitOf(values: Float64Array): Split {
  const n = values.length
  // Sums of distances: within the left side, within the right side, between both. They follow as one value moves over.
  let [left, right, between] = [0, 0, 0]
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) right += distance(values, i, j)
  let best = { at: 0, strength: 0 }
  for (let at = 1; at <= n - smallestSegment; at++) {
    const [toLeft, toRight] = [distances(values, at - 1, 0, at - 1), distances(values, at - 1, at, n)]
    left += toLeft
    right -= toRight
    between += toRight - toLeft
    if (at < smallestSegment) continue
    const rest = n - at
    const energy = (2 * between) / (at * rest) - left / ((at * (at - 1)) / 2) - right / ((rest * (rest - 1)) / 2)
    const strength = ((at * rest) / n) * energy
    if (strength > best.strength) best = { at, strength }
  }
  return best
}

const distance = (values: Float64Array, i: number, j: number): number => Math.abs((values[i] ?? 0) - (values[j] ?? 0))

function distances(values: Float64Array, of: number, from: number, to: number): number {
  let sum = 0
  for (let j = from; j < to; j++) sum += distance(values, of, j)
  return sum
}

function shuffle(values: Float64Array, random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const held = values[i] ?? 0
    values[i] = values[j] ?? 0
    values[j] = held
  }
}
