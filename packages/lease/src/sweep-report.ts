import * as v from 'valibot'
import { sum, toMicros, toUsd } from './money.ts'
import { count, instant, kind, list, object, placeSchema } from './record-kind.ts'

/**
 * - `alive`: its time is not up, `until` says when it will be
 * - `expired`: its expiry and the grace have passed
 * - `overaged`: older than `max-age`, or without an expiry that can be read
 * - `ending`: ends already
 */
export const sweepVerdicts = ['alive', 'expired', 'overaged', 'ending'] as const

/**
 * - `kept`: it may live on
 * - `would-end`: it would have been ended, but for `dry-run`
 * - `spared`: the second look, before the end, said something else than the first
 * - `gone`: seen gone
 * - `ending`: ending and not billed any more, not seen gone before the deadline
 * - `left`: not ended
 */
export const sweepOutcomes = ['kept', 'would-end', 'spared', 'gone', 'ending', 'left'] as const

const rowSchema = object({
  /** `machine`, `volume`, `interface`, `request`, or the kind of a resource, such as `cluster`. */
  kind: v.string(),
  id: v.string(),
  /** null for what lies outside of the provider's accounts */
  place: v.nullable(placeSchema),
  instanceType: v.nullable(v.string()),
  /** The last one seen, in the provider's word. */
  state: v.string(),
  /** When it began to live. */
  since: v.nullable(instant),
  leaseId: v.nullable(v.string()),
  runId: v.nullable(v.string()),
  job: v.nullable(v.string()),
  expiresAt: v.nullable(instant),
  /** Decimal USD, of the machine and what is billed beside it; null when unknown. */
  usdPerHour: v.nullable(v.number()),
  /** Decimal USD since it began to live; null when unknown. */
  costUsd: v.nullable(v.number()),
  verdict: v.picklist(sweepVerdicts),
  /** When its time is up, the grace included; null when nothing says so. */
  until: v.nullable(instant),
  outcome: v.picklist(sweepOutcomes),
  /** Where a person looks at what is left, and the command that ends it; null for everything else. */
  consoleLink: v.nullable(v.string()),
  byHand: v.nullable(v.string()),
})

const totalsSchema = object({
  /** Everything that carries the marks of the repository. */
  seen: count,
  alive: count,
  /** `expired` or `overaged`. */
  overdue: count,
  /** Of the overdue: seen gone, or ending and not billed any more. */
  ended: count,
  spared: count,
  left: count,
  /** Decimal USD that the overdue things had cost; null when it is unknown for one. */
  overdueUsd: v.nullable(v.number()),
  /** Decimal USD an hour that the overdue things cost; null when it is unknown for one. */
  overdueUsdPerHour: v.nullable(v.number()),
})

/** `sweep.json` */
export const sweepSchema = object({
  schema: v.literal('gpu-actions/sweep@1'),
  provider: v.string(),
  repository: v.string(),
  places: list(placeSchema),
  startedAt: instant,
  finishedAt: instant,
  graceSeconds: count,
  /** null without a limit */
  maxAgeSeconds: v.nullable(count),
  dryRun: v.boolean(),
  rows: list(rowSchema),
  totals: totalsSchema,
  /** Places that could not be asked: nothing is known of them. */
  unasked: list(object({ place: placeSchema, problem: v.string() })),
  problems: list(v.string()),
})

export type SweepReport = v.InferOutput<typeof sweepSchema>
export type SweepRow = SweepReport['rows'][number]
export type SweepVerdict = SweepRow['verdict']

export const sweepRecord = kind('sweep.json', sweepSchema)

const isOverdue = ({ verdict }: SweepRow): boolean => verdict === 'expired' || verdict === 'overaged'

export function sweepTotals(rows: readonly SweepRow[]): SweepReport['totals'] {
  const overdue = rows.filter(row => isOverdue(row) && row.outcome !== 'spared')
  const micros = (usd: number | null): number | null => (usd === null ? null : toMicros(usd))
  const [cost, hourly] = [sum(overdue.map(row => micros(row.costUsd))), sum(overdue.map(row => micros(row.usdPerHour)))]
  return {
    seen: rows.length,
    alive: rows.filter(row => row.verdict === 'alive').length,
    overdue: overdue.length,
    ended: overdue.filter(row => row.outcome === 'gone' || row.outcome === 'ending').length,
    spared: rows.filter(row => row.outcome === 'spared').length,
    left: rows.filter(row => row.outcome === 'left').length,
    overdueUsd: cost === null ? null : toUsd(cost),
    overdueUsdPerHour: hourly === null ? null : toUsd(hourly),
  }
}

/** The report with rows of things that were swept elsewhere, such as clusters. */
export function joinSweep(report: SweepReport, rows: readonly SweepRow[], problems: readonly string[]): SweepReport {
  const all = [...report.rows, ...rows]
  return { ...report, rows: all, totals: sweepTotals(all), problems: [...report.problems, ...problems] }
}
