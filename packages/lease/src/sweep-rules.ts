import { costMicros, hourlyCost, sum, toUsd } from './money.ts'
import type { Stray } from './provider.ts'
import type { Left, Machine } from './records.ts'
import type { SweepRow, SweepVerdict } from './sweep-report.ts'

export interface SweepRules {
  /** How long after its expiry a thing is left to end by itself, in milliseconds. */
  readonly graceMs: number
  /** Whatever is older is overaged, whatever its expiry says; null without a limit. In milliseconds. */
  readonly maxAgeMs: number | null
}

/** What a judgement is about. Milliseconds since the epoch, null when unknown. */
export interface Judged {
  readonly expiresAt: number | null
  readonly since: number | null
  readonly isEnding: boolean
}

export interface Judgement {
  readonly verdict: SweepVerdict
  /** When its time is up, the grace included; null when nothing says so. */
  readonly until: number | null
}

const earliest = (times: readonly (number | null)[]): number | null =>
  times.reduce<number | null>((first, time) => (time === null ? first : Math.min(first ?? time, time)), null)

/**
 * A thing without an expiry that can be read lives until the largest age: somebody may have moved its mark by hand and
 * mistyped it, and a machine at work must not be ended for that. Without an age, or without a largest one, nothing says
 * that it may live longer than the grace.
 * @param now on the service's clock, as the expiries are
 */
export function judge(
  { expiresAt, since, isEnding }: Judged,
  now: number,
  { graceMs, maxAgeMs }: SweepRules,
): Judgement {
  const expired = expiresAt === null ? null : expiresAt + graceMs
  const tooOld = since === null || maxAgeMs === null ? null : since + maxAgeMs
  const unmarked = expiresAt === null && tooOld === null ? (since ?? 0) + graceMs : null
  const isTimeless = expiresAt === null && since === null
  const until = isTimeless ? null : earliest([expired, unmarked, tooOld])
  if (isEnding) return { verdict: 'ending', until }
  if (expired !== null && now >= expired) return { verdict: 'expired', until }
  const isOveraged = isTimeless || [tooOld, unmarked].some(time => time !== null && now >= time)
  return { verdict: isOveraged ? 'overaged' : 'alive', until }
}

const read = (instant: string | null): number | null => {
  const time = instant === null ? Number.NaN : Date.parse(instant)
  return Number.isNaN(time) ? null : time
}

export const judgedMachine = (machine: Machine): Judged => ({
  expiresAt: read(machine.expiresAt),
  since: read(machine.launchedAt),
  isEnding: machine.state === 'ending' || machine.state === 'gone',
})

export const judgedStray = ({ expiresAt, createdAt }: Stray): Judged => ({
  expiresAt,
  since: createdAt,
  isEnding: false,
})

export const isOverdue = ({ verdict }: Judgement): boolean => verdict === 'expired' || verdict === 'overaged'

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

type Became = Pick<SweepRow, 'outcome'> & { readonly left?: Left }

const became = ({ outcome, left }: Became) => ({
  outcome,
  consoleLink: left?.consoleLink ?? null,
  byHand: left?.byHand ?? null,
})

export function machineRow(machine: Machine, judgement: Judgement, now: number, end: Became): SweepRow {
  const since = read(machine.launchedAt)
  // Without the prices of what is beside it the machine's own price is still the best that can be said.
  const priced = { price: machine.price, extras: machine.extras ?? [], market: machine.market ?? 'on-demand' }
  const hourly = machine.market === 'capacity-block' ? null : hourlyCost(priced)
  const seconds = since === null ? null : Math.max(0, Math.round((now - since) / 1000))
  const cost =
    hourly === null || seconds === null
      ? null
      : sum([costMicros(machine.price, seconds), ...priced.extras.map(extra => costMicros(extra, seconds))])
  return {
    kind: 'machine',
    id: machine.id,
    place: machine.place,
    instanceType: machine.instanceType,
    state: machine.state,
    since: iso(since),
    leaseId: machine.leaseId,
    runId: machine.runId,
    job: machine.job,
    expiresAt: iso(read(machine.expiresAt)),
    usdPerHour: hourly === null ? null : toUsd(hourly.machine + hourly.extras),
    costUsd: cost === null ? null : toUsd(cost),
    verdict: judgement.verdict,
    until: iso(judgement.until),
    ...became(end),
  }
}

export const strayRow = (stray: Stray, judgement: Judgement, end: Became): SweepRow => ({
  kind: stray.kind,
  id: stray.id,
  place: stray.place,
  instanceType: null,
  state: stray.state,
  since: iso(stray.createdAt),
  leaseId: stray.leaseId,
  runId: null,
  job: null,
  expiresAt: iso(stray.expiresAt),
  usdPerHour: null,
  costUsd: null,
  verdict: judgement.verdict,
  until: iso(judgement.until),
  ...became(end),
})
