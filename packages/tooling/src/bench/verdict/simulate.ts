import { seededRandom, verdictOf, type HistoryEntry, type JudgedRun, type Verdict } from '@gpu-actions/benchmark'
import { drawing, type Draw, type Fleet, type NoiseModel } from './noise-models.ts'
import type { PeerRule } from './peer-rules.ts'

/** Shares of all trials of one noise model with histories of one length. */
export interface Rates {
  readonly model: NoiseModel
  readonly history: number
  readonly trials: number
  /** Nothing was lost: the first run looks slower. */
  readonly suspected: number
  /** … and the rule says `regressed` when it has asked all hosts that it asks for. */
  readonly falseAlarms: number
  readonly falseImprovements: number
  readonly passed: number
  readonly inconclusive: number
  /** A loss, by its share: found by the first run and its confirmation, and within three runs. */
  readonly found: ReadonlyMap<number, Found>
}

export interface Found {
  readonly confirmed: number
  readonly withinThree: number
  /** The loss ended as a `pass`. */
  readonly passed: number
}

export interface PeerRates {
  readonly rule: string
  /** By the first run alone, and when a second fresh host must say the same. */
  readonly falseAlarms: number
  readonly confirmedFalseAlarms: number
  /** A loss, by its share: found by the first run and a second one. */
  readonly found: ReadonlyMap<number, number>
}

const environment = { key: 'simulated', fields: {} }
const entry = (throughput: number): HistoryEntry => ({ throughput, environment, host: null })
const judged = (throughput: number): JudgedRun => ({ throughput, valid: true, doubts: [], environment, host: null })

/** Asks fresh hosts for as long as the rule wants more. */
function ask(history: readonly HistoryEntry[], next: () => number, first: number): { verdict: Verdict; runs: number } {
  const confirmations: JudgedRun[] = []
  let verdict = verdictOf({ history, run: judged(first) })
  while (verdict.hostsNeeded > 0 && confirmations.length < 2) {
    confirmations.push(judged(next()))
    verdict = verdictOf({ history, run: judged(first), confirmations })
  }
  return { verdict, runs: 1 + confirmations.length }
}

/** Whether a loss is found by a first run and the hosts that it asks for; if that took one run, also by the next two. */
function findLoss(
  history: readonly HistoryEntry[],
  next: () => number,
): { confirmed: boolean; withinThree: boolean; passed: boolean } {
  const { verdict, runs } = ask(history, next, next())
  const confirmed = verdict.verdict === 'regressed'
  const passed = verdict.verdict === 'pass'
  if (confirmed || runs > 1) return { confirmed, withinThree: confirmed, passed }
  // The first run saw nothing: the run after it, and one confirmation, are left.
  const [again, other] = [next(), next()]
  const second = verdictOf({ history, run: judged(again), confirmations: [judged(other)] })
  return { confirmed, withinThree: second.verdict === 'regressed', passed }
}

export interface Cell {
  readonly model: NoiseModel
  readonly history: number
  readonly trials: number
  readonly seed: number
  readonly losses: readonly number[]
}

/** Runs one cell with our rule. The same seed gives the same rates. */
export function simulate({ model, history, trials, seed, losses }: Cell): Rates {
  const draw = drawing(seededRandom(seed))
  const counts = { suspected: 0, falseAlarms: 0, falseImprovements: 0, passed: 0, inconclusive: 0 }
  const found = new Map(losses.map(loss => [loss, { confirmed: 0, withinThree: 0, passed: 0 }]))
  for (let trial = 0; trial < trials; trial++) {
    const fleet = model.fleet(draw, history)
    const entries = fleet.history.map(entry)
    countQuiet(fleet, entries, counts)
    for (const [loss, count] of found) {
      const outcome = findLoss(entries, () => fleet.next() * (1 - loss))
      if (outcome.confirmed) count.confirmed++
      if (outcome.withinThree) count.withinThree++
      if (outcome.passed) count.passed++
    }
  }
  const share = (count: number): number => count / trials
  return {
    model,
    history,
    trials,
    suspected: share(counts.suspected),
    falseAlarms: share(counts.falseAlarms),
    falseImprovements: share(counts.falseImprovements),
    passed: share(counts.passed),
    inconclusive: share(counts.inconclusive),
    found: new Map(
      [...found].map(([loss, { confirmed, withinThree, passed }]) => [
        loss,
        { confirmed: share(confirmed), withinThree: share(withinThree), passed: share(passed) },
      ]),
    ),
  }
}

function countQuiet(
  fleet: Fleet,
  entries: readonly HistoryEntry[],
  counts: Record<'suspected' | 'falseAlarms' | 'falseImprovements' | 'passed' | 'inconclusive', number>,
): void {
  const first = fleet.next()
  const { verdict, runs } = ask(entries, () => fleet.next(), first)
  if (runs > 1 && (verdict.d ?? 0) < 0) counts.suspected++
  switch (verdict.verdict) {
    case 'regressed':
      counts.falseAlarms++
      break
    case 'improved':
      counts.falseImprovements++
      break
    case 'pass':
      counts.passed++
      break
    case 'inconclusive':
      counts.inconclusive++
      break
    case 'suspect-host':
    case 'incomparable':
      break
  }
}

/** Runs one cell with the rules of public tools, all on the same hosts. */
export function simulatePeers(
  { model, history, trials, seed, losses }: Cell,
  rules: readonly PeerRule[],
): readonly PeerRates[] {
  const draw = drawing(seededRandom(seed))
  const samples: Draw = drawing(seededRandom(seed + 1))
  const counts = rules.map(() => ({ first: 0, both: 0, found: losses.map(() => 0) }))
  for (let trial = 0; trial < trials; trial++) {
    const { history: hosts, next } = model.fleet(draw, history)
    const [one, other] = [next(), next()]
    for (const [index, { alarms }] of rules.entries()) {
      const count = counts[index]
      if (count === undefined) continue
      if (alarms(one, hosts, samples)) {
        count.first++
        if (alarms(other, hosts, samples)) count.both++
      }
      losses.forEach((loss, at) => {
        const both = alarms(one * (1 - loss), hosts, samples) && alarms(other * (1 - loss), hosts, samples)
        if (both) count.found[at] = (count.found[at] ?? 0) + 1
      })
    }
  }
  return rules.map(({ name }, index) => ({
    rule: name,
    falseAlarms: (counts[index]?.first ?? 0) / trials,
    confirmedFalseAlarms: (counts[index]?.both ?? 0) / trials,
    found: new Map(losses.map((loss, at) => [loss, (counts[index]?.found[at] ?? 0) / trials])),
  }))
}

/**
 * The smallest loss that is found within three runs in 95 % of trials, as a share, to a tenth of a percent; null when
 * it is above 60 %.
 */
export function smallestLossFound(cell: Omit<Cell, 'losses'>): number | null {
  let [missed, found] = [0, 0.6]
  const rate = (loss: number): number => simulate({ ...cell, losses: [loss] }).found.get(loss)?.withinThree ?? 0
  if (rate(found) < 0.95) return null
  while (found - missed > 0.001) {
    const middle = (found + missed) / 2
    if (rate(middle) >= 0.95) found = middle
    else missed = middle
  }
  return found
}
