import { enders, type Ender } from './judge.ts'
import { deaths, moments, type Death, type Moment } from './model.ts'
import type { Drilled } from './run-drill.ts'

/** One line of the table: all drills of one death at one moment. */
export interface Row {
  readonly death: Death
  /** null: the moment did not come, and nothing died. */
  readonly moment: Moment | null
  readonly drills: number
  readonly machines: number
  readonly endedBy: Readonly<Partial<Record<Ender, number>>>
  /** Seconds of the cloud's clock from the death to the first sight of shutting-down; null: no machine. */
  readonly median: number | null
  readonly max: number | null
  /** Of the machines whose price is known. */
  readonly usdLost: number
  /** Machines whose price is not: a capacity block is paid in advance. */
  readonly unpriced: number
  readonly failed: number
}

type Outcome = Pick<Drilled, 'verdict'> & { readonly facts: Pick<Drilled['facts'], 'death' | 'struckAt'> }

/** Joins drills into rows, in the order of deaths and moments. */
export function rowsOf(drilled: readonly Outcome[]): readonly Row[] {
  return deaths.flatMap(death =>
    [...moments, null].flatMap(moment => {
      const own = drilled.filter(({ facts }) => facts.death === death && facts.struckAt === moment)
      return own.length === 0 ? [] : [rowOf(death, moment, own)]
    }),
  )
}

function rowOf(death: Death, moment: Moment | null, own: readonly Outcome[]): Row {
  const machines = own.flatMap(({ verdict }) => verdict.machines)
  const seconds = machines.flatMap(({ leftoverSeconds }) => (leftoverSeconds === null ? [] : [leftoverSeconds]))
  const lost = machines.map(({ usdLost }) => usdLost)
  return {
    death,
    moment,
    drills: own.length,
    machines: machines.length,
    endedBy: Object.fromEntries(
      enders.flatMap(ender => {
        const count = machines.filter(machine => machine.ender === ender).length
        return count === 0 ? [] : [[ender, count] as const]
      }),
    ),
    median: medianOf(seconds),
    max: seconds.length === 0 ? null : Math.max(...seconds),
    usdLost: lost.reduce<number>((sum, usd) => sum + (usd ?? 0), 0),
    unpriced: lost.filter(usd => usd === null).length,
    failed: own.filter(({ verdict }) => verdict.problems.length > 0).length,
  }
}

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

const heads = ['death', 'moment', 'drills', 'machines', 'ended by', 'leftover s median', 'max', 'USD lost', 'failed']
const texts = new Set([0, 1, 4])

const figure = (value: number | null, digits: number): string => value?.toFixed(digits) ?? '-'

/** The table that a person reads. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [
    heads,
    ...rows.map(row => [
      row.death,
      row.moment ?? '(did not come)',
      String(row.drills),
      String(row.machines),
      Object.entries(row.endedBy)
        .map(([ender, count]) => `${ender} ${count}`)
        .join(', ') || '-',
      figure(row.median, 1),
      figure(row.max, 1),
      [
        ...(row.unpriced < row.machines || row.machines === 0 ? [row.usdLost.toFixed(4)] : []),
        ...(row.unpriced > 0 ? [`${row.unpriced} unknown`] : []),
      ].join(' + '),
      row.failed === 0 ? '0' : `${row.failed} !`,
    ]),
  ]
  const widths = heads.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  return lines
    .map(line =>
      line
        .map((text, column) =>
          texts.has(column) ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
