import { median } from 'simple-statistics'
import { inlierDeviation } from '../statistics/robust.ts'
import { twoModes } from '../statistics/modes.ts'
import { rule } from './rule.ts'

/** What earlier hosts say about the level. Throughputs in one unit. */
export interface Baseline {
  /** In order of time. */
  readonly values: readonly number[]
  /** Where hosts lie: the median, or two modes with the faster first. */
  readonly levels: readonly number[]
  /** How far hosts of one level lie apart: a standard deviation, with a floor. */
  readonly scale: number
  /** Median of the newest hosts. */
  readonly recent: number
}

/** @param values at least one, of one host each, in order of time */
export function baselineOf(values: readonly number[]): Baseline {
  const centre = median([...values])
  const floor = rule.scaleFloor * centre
  const modes = twoModes(values, floor)
  return {
    values,
    levels: modes === null ? [centre] : [modes.high, modes.low],
    scale: modes?.deviation ?? Math.max(inlierDeviation(values, floor) ?? 0, floor),
    recent: median(values.slice(-rule.recent)),
  }
}

/** How one run lies against a level. */
export interface Distance {
  /** Share of the level; −0.03 is 3 % slower. */
  readonly d: number
  /** In scales. */
  readonly z: number
  readonly side: 'low' | 'high' | 'within'
}

/** Beyond `rule.z` scales and `rule.effect` of the level, or within. */
export function distanceTo(value: number, level: number, scale: number): Distance {
  const [d, z] = [value / level - 1, (value - level) / scale]
  const side = z < -rule.z && d < -rule.effect ? 'low' : z > rule.z && d > rule.effect ? 'high' : ('within' as const)
  return { d, z, side }
}

/** Why a run that looks slow (or fast) may be no change of the code. */
export type Doubt = 'slower-mode' | 'drift'

/** What one run says. */
export interface Reading extends Distance {
  /** The level that it is judged by: of two modes the nearest. */
  readonly level: number
  /** Earlier hosts that were as far out on the same side. */
  readonly peers: number
  readonly doubt: Doubt | null
}

/** Judges one run by all that the history offers as an explanation. */
export function read(value: number, { values, levels, scale, recent }: Baseline): Reading {
  const [fastest = value] = levels
  const level = levels.reduce(
    (best, other) => (Math.abs(value - other) < Math.abs(value - best) ? other : best),
    fastest,
  )
  const distance = distanceTo(value, level, scale)
  const { side, d } = distance
  if (side !== 'within') {
    return {
      ...distance,
      level,
      peers: peersOf(value, side, level, values, scale),
      doubt: isNew(value, d, recent) ? null : 'drift',
    }
  }
  if (distanceTo(value, fastest, scale).side === 'low') return { ...distance, level, peers: 0, doubt: 'slower-mode' }
  const sinceRecent = levels.length === 1 && distanceTo(value, recent, scale).side === 'low'
  return { ...distance, level, peers: 0, doubt: sinceRecent ? 'drift' : null }
}

/** Whether most of the change is not already there in the newest hosts. */
const isNew = (value: number, d: number, recent: number): boolean => {
  const since = value / recent - 1
  return d < 0 ? since <= rule.newShare * d : since >= rule.newShare * d
}

/** Earlier hosts beyond the level on the same side and near this run: its kind of host is known. */
function peersOf(value: number, side: 'low' | 'high', level: number, values: readonly number[], scale: number): number {
  return values.filter(
    other => distanceTo(other, level, scale).side === side && Math.abs(value - other) <= rule.near * scale,
  ).length
}

/**
 * How many hosts must see a change before it is believed: so many that drawing only such hosts by chance, at the share
 * that the history suggests, is at most 1 % likely. The share has Jeffreys' prior, so that a history without any such
 * host is no proof that there are none.
 * @param peers hosts of the history that were as far out
 * @param hosts of the history
 * @returns at least 2; `rule.mostRuns` + 1 when no number that is worth renting is enough
 */
export function runsNeeded(peers: number, hosts: number): number {
  let chance = (peers + 0.5) / (hosts + 1)
  for (let runs = 2; runs <= rule.mostRuns; runs++) {
    chance *= (peers + runs - 0.5) / (hosts + runs)
    if (chance <= rule.chance) return runs
  }
  return rule.mostRuns + 1
}

/**
 * The least loss that a run at `level` would have shown in 95 % of cases, by itself and by a second host, as a share.
 * A run in the slower of two modes hides all that lies between the modes.
 */
export function smallestDetectableLoss(level: number, { levels, scale }: Baseline): number {
  const [fastest = level] = levels
  const spread = scale / level
  return 1 - level / fastest + Math.max(rule.effect, rule.z * spread) + rule.seenByBoth * spread
}
