import type { Clock, Log } from '@gpu-actions/action-kit/ports'
import { leftOfStray } from './place-end.ts'
import type { Stray, SweepingProvider } from './provider.ts'
import type { Machine, Place } from './records.ts'
import { endOverdueMachines, endOverdueStrays, keyOf, type End } from './sweep-ends.ts'
import { lookAtPlace, type Found, type PlaceLook } from './sweep-look.ts'
import { sweepTotals, type SweepReport } from './sweep-report.ts'
import { isOverdue, machineRow, strayRow, type SweepRules } from './sweep-rules.ts'
import { uniquePlaces } from './teardown.ts'
import type { TeardownTimes } from './teardown-times.ts'

export interface Sweep extends SweepRules {
  readonly provider: SweepingProvider
  readonly clock: Clock
  readonly log: Log
  readonly signal?: AbortSignal
  /** Only what carries exactly its mark is ever looked at. */
  readonly repository: string
  readonly places: readonly Place[]
  /** The service's clock, milliseconds since the epoch: expiries were written on it. */
  now(): number
  /** Looks once, ends nothing. */
  readonly dryRun: boolean
  /** Milliseconds since the epoch, on `clock`. */
  readonly deadline: number
  /** Between the two looks before an end, in milliseconds. */
  readonly pauseMs?: number
  readonly times?: TeardownTimes
  /** A failure that no repetition can overcome. */
  isFinal(error: unknown): boolean
}

/** Long enough for a mark that was just moved to be shown by every read. */
const pauseBetweenLooksMs = 10_000

type Thing = Found<Machine> | Found<Stray>

const thingsOf = (look: PlaceLook): readonly Thing[] => [...look.machines, ...look.strays]

/**
 * Finds what has outlived its lease, looks again after a pause, ends what both looks condemn, and looks until it is gone.
 * @returns the report; `sweepFault` says whether the sweep has failed. Places that cannot be asked are in it.
 * @throws the signal's reason when it aborts before anything was ordered to end
 */
export async function sweep(setting: Sweep): Promise<SweepReport> {
  const { clock, log, signal } = setting
  const begun = { startedAt: clock.now(), places: uniquePlaces(setting.places) }
  const first = await Promise.all(begun.places.map(place => lookAtPlace(setting, place)))
  const concerned = first.filter(look => thingsOf(look).some(isDue))
  if (setting.dryRun || concerned.length === 0) {
    const ends = new Map(
      first
        .flatMap(thingsOf)
        .filter(isDue)
        .map(({ thing }) => [keyOf(thing), wouldEnd]),
    )
    return report(setting, begun, first, ends, [])
  }
  const pauseMs = setting.pauseMs ?? pauseBetweenLooksMs
  const count = concerned.flatMap(thingsOf).filter(isDue).length
  log.info(`${count} overdue; looking again in ${pauseMs / 1000}s before anything is ended`)
  await clock.sleep(pauseMs, signal)
  const again = await Promise.all(concerned.map(({ place }) => lookAtPlace(setting, place)))
  signal?.throwIfAborted()
  const rounds = concerned.map((look, index) => compare(look, again[index] ?? look, setting.provider))
  const machines = await endOverdueMachines(
    setting,
    rounds.flatMap(one => one.machines),
  )
  const strays = await endOverdueStrays(
    setting,
    rounds.flatMap(one => one.strays),
  )
  return report(
    setting,
    begun,
    [...first.filter(look => !concerned.includes(look)), ...rounds.map(one => one.look)],
    new Map([...rounds.flatMap(one => [...one.ends]), ...machines.ends, ...strays.ends]),
    [...machines.problems, ...strays.problems],
  )
}

const wouldEnd: End = { outcome: 'would-end' }

const isDue = ({ judgement }: Thing): boolean => isOverdue(judgement)

interface Compared {
  /** Everything that either look has shown, as the later one has. */
  readonly look: PlaceLook
  /** Overdue in both looks: these end. */
  readonly machines: readonly Machine[]
  readonly strays: readonly Stray[]
  /** What is said already of the others that were overdue in the first look. */
  readonly ends: ReadonlyMap<string, End>
}

/** Two looks at a place: only what is overdue in both ends. What the second cannot confirm is left, not forgotten. */
function compare(first: PlaceLook, again: PlaceLook, provider: SweepingProvider): Compared {
  const before = new Set(
    thingsOf(first)
      .filter(isDue)
      .map(({ thing }) => keyOf(thing)),
  )
  const now = new Set(thingsOf(again).map(({ thing }) => keyOf(thing)))
  const isCondemned = (found: Thing): boolean => isDue(found) && before.has(keyOf(found.thing))
  const isMissing = (found: Thing): boolean => !now.has(keyOf(found.thing))
  const ends = new Map<string, End>()
  for (const { thing, judgement } of thingsOf(again)) {
    // What has become overdue since the first look is the next sweep's.
    if (isOverdue(judgement)) ends.set(keyOf(thing), { outcome: 'kept' })
    else if (before.has(keyOf(thing)) && judgement.verdict === 'alive') ends.set(keyOf(thing), { outcome: 'spared' })
  }
  const gone = (found: Thing): boolean => isMissing(found) && again.ended.has(keyOf(found.thing))
  for (const found of first.machines.filter(isMissing)) {
    const end: End = gone(found)
      ? { outcome: 'gone' }
      : { outcome: 'left', left: provider.describeMachine(found.thing) }
    if (isDue(found)) ends.set(keyOf(found.thing), end)
  }
  for (const found of first.strays.filter(isMissing)) {
    // A stray that is not shown any more has ended; one that could not be asked for has not been seen to.
    const end: End =
      again.problems.length === 0 ? { outcome: 'gone' } : { outcome: 'left', left: leftOfStray(found.thing) }
    if (isDue(found)) ends.set(keyOf(found.thing), end)
  }
  return {
    look: {
      place: first.place,
      machines: [...again.machines, ...first.machines.filter(isMissing)],
      strays: [...again.strays, ...first.strays.filter(isMissing)],
      ended: again.ended,
      problems: [...new Set([...first.problems, ...again.problems])],
    },
    machines: again.machines.filter(isCondemned).map(({ thing }) => thing),
    strays: again.strays.filter(isCondemned).map(({ thing }) => thing),
    ends,
  }
}

function report(
  setting: Sweep,
  begun: { readonly startedAt: number; readonly places: readonly Place[] },
  looks: readonly PlaceLook[],
  ends: ReadonlyMap<string, End>,
  problems: readonly string[],
): SweepReport {
  const now = setting.now()
  const end = ({ thing, judgement }: Thing): End =>
    ends.get(keyOf(thing)) ?? { outcome: judgement.verdict === 'ending' ? 'ending' : 'kept' }
  const rows = looks.flatMap(look => [
    ...look.machines.map(found => machineRow(found.thing, found.judgement, now, end(found))),
    ...look.strays.map(found => strayRow(found.thing, found.judgement, end(found))),
  ])
  return {
    schema: 'gpu-actions/sweep@1',
    provider: setting.provider.name,
    repository: setting.repository,
    places: begun.places,
    startedAt: new Date(begun.startedAt).toISOString(),
    finishedAt: new Date(setting.clock.now()).toISOString(),
    graceSeconds: Math.round(setting.graceMs / 1000),
    maxAgeSeconds: setting.maxAgeMs === null ? null : Math.round(setting.maxAgeMs / 1000),
    dryRun: setting.dryRun,
    rows,
    totals: sweepTotals(rows),
    unasked: looks.flatMap(look =>
      look.problems.length === 0 ? [] : [{ place: look.place, problem: look.problems.join('; ') }],
    ),
    problems,
  }
}
