import { doubtsOf } from './judge.ts'
import type { Sanity } from './raw.ts'
import type { Result } from './result.ts'
import { throttledOf, unknownConditions, type Conditions } from './validity/conditions.ts'

/** All that speaks for or against the figures of a run: a record without its verdict. */
export type Evidence = Pick<
  Result,
  'status' | 'backend' | 'blocks' | 'interrupted' | 'notices' | 'sanity' | 'scaling' | 'metrics'
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

function conditionsOf({ backend, metrics, notices, interrupted }: Evidence): Conditions {
  return {
    ...unknownConditions,
    backend,
    timedSeconds: metrics.durationSeconds,
    throttled: throttledOf(notices.throttled),
    xids: notices.xids.length === 0 ? null : notices.xids.map(({ code }) => code),
    spotNotice: interrupted !== null,
  }
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
