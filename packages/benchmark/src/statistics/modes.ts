import { medianSorted } from 'simple-statistics'

/** Two kinds of hosts in one history. */
export interface TwoModes {
  /** Medians of the two, the higher first. */
  readonly high: number
  readonly low: number
  /** How many values belong to each. */
  readonly highCount: number
  readonly lowCount: number
  /** Standard deviation within the modes, pooled. */
  readonly deviation: number
}

/**
 * The modes must lie this many of their own deviations apart. Simulated, 40,000 normal samples each: of 20 hosts that are
 * all alike one history in 1,500 looks like two kinds, of 12 one in 110, of 10 one in 44.
 */
const apart = 5.5
/** Fewer hosts than this share are outliers; how many of them it takes to doubt a loss is the verdict's to say. */
const leastShare = 0.2
/** Modes nearer than this do not matter: it is the least loss that a verdict speaks of. */
const leastGap = 0.02

/**
 * Splits values into two modes where the sum of squares within is least (one-dimensional 2-means, exact).
 * @param floor the least deviation within a mode that is believed, in the unit of the values
 * @returns null when they look like one mode
 */
export function twoModes(values: readonly number[], floor: number): TwoModes | null {
  const fewest = Math.max(2, Math.ceil(values.length * leastShare))
  const sorted = values.toSorted((a, b) => a - b)
  const cut = bestCut(sorted)
  if (cut === null || Math.min(cut.at, sorted.length - cut.at) < fewest) return null
  const deviation = Math.max(Math.sqrt(cut.within / (sorted.length - 2)), floor)
  const [lowest = 0, highest = 0] = [sorted[0], sorted.at(-1)]
  if (highest - lowest < apart * deviation) return null
  const [lows, highs] = [sorted.slice(0, cut.at), sorted.slice(cut.at)]
  const [low, high] = [medianSorted(lows), medianSorted(highs)]
  if (high - low < apart * deviation || high - low < leastGap * high) return null
  return { high, low, highCount: highs.length, lowCount: lows.length, deviation }
}

function bestCut(sorted: readonly number[]): { readonly at: number; readonly within: number } | null {
  const n = sorted.length
  // Differences to the first value, so that the squares of large figures do not swallow small spreads.
  const origin = sorted[0] ?? 0
  let [total, squares] = [0, 0]
  for (const value of sorted) {
    total += value - origin
    squares += (value - origin) ** 2
  }
  let best: { at: number; within: number } | null = null
  let [sum, square] = [0, 0]
  for (let at = 1; at < n; at++) {
    const value = (sorted[at - 1] ?? 0) - origin
    sum += value
    square += value * value
    const within = square - (sum * sum) / at + (squares - square - (total - sum) ** 2 / (n - at))
    if (best === null || within < best.within) best = { at, within }
  }
  return best
}
