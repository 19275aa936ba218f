import type { NoiseModel } from './noise-models.ts'
import type { PeerRates, Rates } from './simulate.ts'
import type { Target } from './targets.ts'

type Row = readonly string[]

/** The first column to the left, figures to the right. */
export function table(head: Row, rows: readonly Row[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => (row[column] ?? '').length)))
  const line = (row: Row): string =>
    widths
      .map((width, column) => (column === 0 ? (row[0] ?? '').padEnd(width) : (row[column] ?? '').padStart(width)))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n')
}

const rare = (share: number): string => `${(share * 100).toFixed(2)} %`
const often = (share: number | undefined): string => (share === undefined ? '' : `${(share * 100).toFixed(1)} %`)

/** What our rule does with each noise model. */
export function ourTable(rates: readonly Rates[]): string {
  const losses = [...(rates[0]?.found.keys() ?? [])]
  return table(
    [
      'noise model',
      'suspected',
      'regressed',
      'improved',
      'pass',
      'inconclusive',
      ...losses.map(loss => `−${loss * 100} % found`),
      ...losses.map(loss => `−${loss * 100} % passed`),
    ],
    rates.map(({ model, suspected, falseAlarms, falseImprovements, passed, inconclusive, found }) => [
      model.name,
      rare(suspected),
      rare(falseAlarms),
      rare(falseImprovements),
      often(passed),
      often(inconclusive),
      ...losses.map(loss => `${often(found.get(loss)?.confirmed)} / ${often(found.get(loss)?.withinThree)}`),
      ...losses.map(loss => often(found.get(loss)?.passed)),
    ]),
  )
}

/** All rules on the same hosts of one noise model. */
export function peerTable(model: NoiseModel, peers: readonly PeerRates[], ours: Rates): string {
  const losses = [...ours.found.keys()]
  const row = ({ rule, falseAlarms, confirmedFalseAlarms, found }: PeerRates): Row => [
    rule,
    rare(falseAlarms),
    rare(confirmedFalseAlarms),
    ...losses.map(loss => often(found.get(loss))),
  ]
  return table(
    [model.name, 'false alarms', 'confirmed', ...losses.map(loss => `−${loss * 100} % found`)],
    [
      ...peers.map(row),
      [
        'gpu-actions',
        rare(ours.suspected),
        rare(ours.falseAlarms),
        ...losses.map(loss => often(ours.found.get(loss)?.confirmed)),
      ],
    ],
  )
}

/** What it costs in detection that two kinds of hosts and moving levels raise no alarm. */
export function costTable(rows: readonly { readonly plain: PeerRates; readonly ours: Rates }[]): string {
  const losses = [...(rows[0]?.ours.found.keys() ?? [])]
  return table(
    ['noise model', 'regressed', ...losses.map(loss => `−${loss * 100} % found`)],
    rows.map(({ plain, ours }) => [
      ours.model.name,
      `${rare(plain.confirmedFalseAlarms)} → ${rare(ours.falseAlarms)}`,
      ...losses.map(loss => `${often(plain.found.get(loss))} → ${often(ours.found.get(loss)?.confirmed)}`),
    ]),
  )
}

/** Missed targets one by one, met ones as a number. */
export function targetLines(targets: readonly Target[]): readonly string[] {
  const missed = targets.filter(({ met }) => !met)
  return [
    `${targets.length - missed.length} of ${targets.length} targets are met.`,
    ...missed.map(({ sentence, seen }) => `✗ ${sentence}; seen: ${rare(seen)}`),
  ]
}
