import * as v from 'valibot'

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const steps = v.pipe(
  v.array(v.strictObject({ atSeconds: v.pipe(v.number(), v.minValue(0)), count })),
  v.check(
    list =>
      list[0]?.atSeconds === 0 &&
      list.every(({ atSeconds }, index) => index === 0 || atSeconds > (list[index - 1]?.atSeconds ?? 0)),
    'the steps of a schedule begin at 0 and rise',
  ),
)

/** A count, or one that changes: `[{ atSeconds: 0, count: 0 }, { atSeconds: 40, count: 2 }]`, from the cloud's start. */
export const scheduleSchema = v.union([count, steps])
export type Schedule = v.InferOutput<typeof scheduleSchema>

/** What a schedule says `seconds` after the start; a step counts from its own moment on. */
export function countAt(schedule: Schedule, seconds: number): number {
  if (typeof schedule === 'number') return schedule
  return schedule.findLast(({ atSeconds }) => atSeconds <= seconds)?.count ?? 0
}
