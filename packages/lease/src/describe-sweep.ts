import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { formatUsd } from './money.ts'
import type { SweepReport, SweepRow } from './sweep-report.ts'

/** Rows of a table and lines of a list that a person still reads. */
const shown = 100

const usd = (value: number | null): string => (value === null ? 'unknown' : formatUsd(value))
const whose = ({ leaseId, runId, job }: SweepRow): string =>
  [leaseId, runId === null ? null : `run ${runId}`, job === null ? null : `job ${job}`].filter(Boolean).join(', ')

const became: Record<SweepRow['outcome'], string> = {
  kept: 'kept',
  'would-end': 'would be ended',
  spared: 'kept: its time was moved between two looks',
  gone: 'ended, seen gone',
  ending: 'ending, not billed any more',
  left: 'LEFT',
}

const called = (row: SweepRow): string => `${row.kind} ${row.id}${row.place === null ? '' : ` (${row.place.region})`}`

/** What matters first: what is left, what ended, what lives. */
const order: readonly SweepRow['outcome'][] = ['left', 'would-end', 'ending', 'gone', 'spared', 'kept']
const byUrgency = (rows: readonly SweepRow[]): readonly SweepRow[] =>
  order.flatMap(outcome => rows.filter(row => row.outcome === outcome))

const totalSentence = ({ totals, dryRun, repository, places }: SweepReport): string => {
  const where = [...new Set(places.map(place => place.region))].join(', ')
  const done = dryRun
    ? `${totals.overdue} would be ended (dry run)`
    : `${totals.ended} of ${totals.overdue} overdue ended, ${totals.left} left`
  return `Sweep of ${repository} in ${where}: ${totals.seen} seen, ${totals.alive} alive, ${done}`
}

const money = ({ totals, dryRun }: SweepReport): string => {
  const tense = dryRun ? 'cost' : 'had cost'
  return `What was overdue ${tense} ${usd(totals.overdueUsd)} so far and ${usd(totals.overdueUsdPerHour)} an hour`
}

/** What a sweep did, one sentence a line; at most a few hundred lines. */
export function sweepSentences(report: SweepReport): readonly string[] {
  const told = byUrgency(report.rows)
  const lines = told.slice(0, shown).map(row => {
    const until = row.until === null ? '' : ` until ${row.until}`
    return `${called(row)}, ${row.state}, ${whose(row)}: ${row.verdict}${until}: ${became[row.outcome]}`
  })
  return [
    ...lines,
    ...(told.length > shown ? [`… and ${told.length - shown} more, all in the record`] : []),
    ...report.unasked.map(({ place, problem }) => `Not asked: ${place.region} of account ${place.account}: ${problem}`),
    totalSentence(report),
    ...(report.totals.overdue > 0 ? [money(report)] : []),
  ]
}

/** Text of marks, for a cell of a table. */
const cell = (text: string): string => text.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|')

/** The report as Markdown, for a summary. */
export function sweepMarkdown(report: SweepReport): string {
  const told = byUrgency(report.rows)
  const rows = told
    .slice(0, shown)
    .map(
      row =>
        `| ${cell(row.id)} | ${row.instanceType ?? row.kind} | ${row.place?.region ?? ''} | ${row.state} | ${row.since ?? 'unknown'} | ${cell(whose(row))} | ${row.expiresAt ?? 'none'} | ${row.verdict} | ${usd(row.usdPerHour)} | ${usd(row.costUsd)} | ${row.outcome === 'left' ? '**left**' : became[row.outcome]} |`,
    )
  const left = told
    .filter(row => row.outcome === 'left')
    .slice(0, shown)
    .map(row => `- **${called(row)} is left**: [console](${row.consoleLink ?? ''}), or \`${row.byHand ?? ''}\``)
  return [
    `### ${totalSentence(report)}`,
    '',
    ...report.unasked.map(
      ({ place, problem }) => `- **${place.region} of account ${place.account} could not be asked**: ${cell(problem)}`,
    ),
    ...(report.unasked.length > 0 ? [''] : []),
    ...(rows.length > 0
      ? [
          '| id | what | region | state | since | whose | expires | verdict | per hour | so far | became |',
          '|---|---|---|---|---|---|---|---|---:|---:|---|',
          ...rows,
          '',
        ]
      : ['Nothing that carries the marks of the repository was found.', '']),
    ...(told.length > shown ? [`… and ${told.length - shown} more, all in the record.`, ''] : []),
    ...(left.length > 0 ? [...left, ''] : []),
    ...(report.totals.overdue > 0 ? [`${money(report)}.`, ''] : []),
  ].join('\n')
}

/** What makes a sweep fail: something is left, or a place could not be asked. null when all is well. */
export function sweepFault(report: SweepReport): OutsideFault | null {
  const left = report.rows.filter(row => row.outcome === 'left')
  if (left.length === 0 && report.unasked.length === 0) return null
  const what = [
    ...(left.length > 0
      ? [`${left.length} that outlived their lease could not be ended and can still cost money`]
      : []),
    ...left.slice(0, shown).map(row => `- ${called(row)} (${row.state}): ${row.consoleLink ?? ''}`),
    ...(report.unasked.length > 0 ? ['Nobody knows what lives where the sweep could not ask'] : []),
    ...report.unasked.map(({ place, problem }) => `- ${place.region} of account ${place.account}: ${problem}`),
    ...report.problems,
  ]
  const byHand = left.slice(0, 10).flatMap(row => (row.byHand === null ? [] : [row.byHand]))
  const advice =
    byHand.length > 0
      ? `End it by hand: ${byHand.join(' ; ')}`
      : 'Put right why these places could not be asked, and sweep again.'
  return new OutsideFault({ what: what.join('\n'), advice })
}
