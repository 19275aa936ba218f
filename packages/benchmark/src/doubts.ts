import { doubtsOf } from './judge.ts'
import type { Sanity } from './raw.ts'
import type { Result } from './result.ts'
import type { Telemetry } from './telemetry.ts'
import { throttledOf, unknownConditions, type Conditions, type ThrottledMicroseconds } from './validity/conditions.ts'

/** All that speaks for or against the figures of a run: a record without its verdict. */
export type Evidence = Pick<
  Result,
  'status' | 'backend' | 'blocks' | 'interrupted' | 'notices' | 'telemetry' | 'sanity' | 'scaling' | 'metrics'
>

/** Why the figures should not be used, each a sentence; none for a valid run. Only the record is needed, ever. */
export function doubtsOfRecord(record: Evidence, mode: 'train' | 'inference'): readonly string[] {
  if (record.status === 'interrupted') return [interruptedWords(record.interrupted)]
  const doubts = doubtsOf(record.status, mode, record.blocks, conditionsOf(record))
  if (record.status !== 'completed') return doubts
  return [...doubts, ...sanityDoubts(record.sanity), ...parameterDoubts(record.scaling)]
}

function interruptedWords(interruption: Result['interrupted']): string {
  const when = interruption?.time == null ? '' : ` at ${interruption.time}`
  const how =
    interruption === null
      ? 'the spot machine was taken back'
      : `the spot machine was taken back (${interruption.action}${when})`
  return `The run was interrupted: ${how}. There is no figure to use.`
}

/** What is known of the time in which the run measured; what nobody told is null. */
export function conditionsOf({ backend, metrics, notices, telemetry, interrupted }: Evidence): Conditions {
  const seen = notices.xids.map(({ code }) => code)
  return {
    ...unknownConditions,
    backend,
    timedSeconds: metrics.durationSeconds,
    throttled: telemetry === null ? throttledOf(notices.throttled) : worstOf(telemetry, notices),
    eccUncorrected: telemetry === null ? null : sumOf(telemetry.gpus.map(gpu => gpu.eccUncorrected)),
    xids: telemetry?.xids == null && seen.length === 0 ? null : [...new Set([...(telemetry?.xids ?? []), ...seen])],
    foreignGpuProcesses: telemetry?.foreignGpuProcesses ?? null,
    foreignCpuShare: telemetry?.foreignCpuShare ?? null,
    spotNotice: interrupted !== null,
  }
}

/** The worst GPU by each reason, of its counters and of what was said meanwhile. */
function worstOf({ gpus }: Telemetry, notices: Result['notices']): ThrottledMicroseconds {
  const counted = gpus.flatMap(gpu => gpu.throttledMicroseconds ?? [])
  const told = throttledOf(notices.throttled)
  const worst = (reason: keyof ThrottledMicroseconds): number | null => {
    const known = [...counted, told].flatMap(one => one[reason] ?? [])
    return known.length === 0 ? null : Math.max(...known)
  }
  return {
    hardwareSlowdown: worst('hardwareSlowdown'),
    hardwareThermal: worst('hardwareThermal'),
    powerBrake: worst('powerBrake'),
    softwareThermal: worst('softwareThermal'),
    softwarePowerCap: worst('softwarePowerCap'),
  }
}

/** Of those that are known; null when none is. */
function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.flatMap(value => value ?? [])
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
}

/** Protocol 9.2: over 20 to 50 steps on one batch the loss is finite and falls by at least 30 %. */
const fallen = 0.7
/** Fewer steps say nothing: momentum makes the loss overshoot first (own: 8 to 12 do on a CPU with small batches). */
const stepsToLearn = 8

function sanityDoubts(sanity: Sanity | null): readonly string[] {
  if (sanity === null) return []
  const { losses } = sanity
  const finite = losses.flatMap(loss => (loss === null ? [] : [loss]))
  if (finite.length < losses.length) return ['The loss was not finite on a fixed batch: what ran was no training.']
  const [first, last] = [finite[0], finite.at(-1)]
  if (first === undefined || last === undefined || finite.length < stepsToLearn || last < fallen * first) return []
  return [`The loss did not fall in ${losses.length} steps on a fixed batch: what ran was no training.`]
}

const parameterDoubts = (scaling: Result['scaling']): readonly string[] =>
  scaling?.sameParameters === false
    ? ['The GPUs held different parameters after the training: they did not train one model.']
    : []
