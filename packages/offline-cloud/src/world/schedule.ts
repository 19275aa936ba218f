import * as v from 'valibot'

const atSeconds = v.pipe(v.number(), v.minValue(0))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const usdPerHour = v.pipe(v.number(), v.gtValue(0))

const inOrder = (steps: readonly { readonly atSeconds: number }[]): boolean =>
  steps.every((step, index) =>
    index === 0 ? step.atSeconds === 0 : step.atSeconds > (steps[index - 1]?.atSeconds ?? 0),
  )
const words = 'the steps of a schedule begin at 0 and rise'

/** A count, or one that changes: `[{ atSeconds: 0, count: 0 }, { atSeconds: 40, count: 2 }]`, from the cloud's start. */
export const scheduleSchema = v.union([
  count,
  v.pipe(
    v.array(v.strictObject({ atSeconds, count })),
    v.check(steps => inOrder(steps), words),
  ),
])
export type Schedule = v.InferOutput<typeof scheduleSchema>

/** A price, or one that changes: `[{ atSeconds: 0, usdPerHour: 0.5 }, { atSeconds: 60, usdPerHour: 0.9 }]`. */
export const priceScheduleSchema = v.union([
  usdPerHour,
  v.pipe(
    v.array(v.strictObject({ atSeconds, usdPerHour })),
    v.minLength(1),
    v.check(steps => inOrder(steps), words),
  ),
])
export type PriceSchedule = v.InferOutput<typeof priceScheduleSchema>

/** What a schedule says `seconds` after the start; a step counts from its own moment on. */
export function countAt(schedule: Schedule, seconds: number): number {
  if (typeof schedule === 'number') return schedule
  return schedule.findLast(step => step.atSeconds <= seconds)?.count ?? 0
}

/** The changes that a price has made by `seconds` after the start, oldest first; never none. */
export const pricesUntil = (
  schedule: PriceSchedule,
  seconds: number,
): readonly { readonly atSeconds: number; readonly usdPerHour: number }[] =>
  typeof schedule === 'number'
    ? [{ atSeconds: 0, usdPerHour: schedule }]
    : schedule.filter((step, index) => index === 0 || step.atSeconds <= seconds)

/** When a schedule changes after the start, in seconds. */
export const changesOf = (schedule: Schedule | PriceSchedule | undefined): readonly number[] =>
  schedule === undefined || typeof schedule === 'number' ? [] : schedule.slice(1).map(step => step.atSeconds)
