import { differences } from '../environment-key.ts'
import { baselineOf, read, runsNeeded, smallestDetectableLoss, type Baseline, type Reading } from './baseline.ts'
import type { HistoryEntry, JudgedRun, Verdict, VerdictQuestion, VerdictWord } from './judged.ts'
import { rule } from './rule.ts'
import { say } from './sentences.ts'

/**
 * Compares a run with the hosts before it (protocol 8.3; docs/verdicts.md says what was changed and why). A run is
 * suspicious beyond 3.5 scales and 2 % of the level; a second fresh host must see the same. Whatever else the history
 * offers as an explanation (a slower kind of host, a drift) makes it `inconclusive` instead. `pass` also needs a
 * history that is quiet enough to have shown the loss that is looked for.
 */
export function verdictOf({
  history,
  run,
  confirmations = [],
  lossToFind = rule.lossToFind,
}: VerdictQuestion): Verdict {
  const comparable = comparableTo(run, history)
  if (comparable.length === 0) return unjudged('incomparable', whyIncomparable(run, history), 0)
  const hosts = comparable.length
  const unusable = [run, ...confirmations].flatMap(whyUnusable)
  if (unusable.length > 0) return unjudged('inconclusive', unusable, hosts)
  const mixed = mixedUp(run, confirmations)
  if (mixed.length > 0) return unjudged('inconclusive', mixed, hosts)
  if (hosts < rule.fewestHosts) return unjudged('inconclusive', [say.fewHosts(hosts)], hosts)

  const baseline = baselineOf(comparable.map(({ throughput }) => throughput))
  const readings = [run, ...confirmations].map(({ throughput }) => read(throughput ?? 0, baseline))
  const decided = decide(readings, baseline, lossToFind)
  const [first] = readings
  const provisional = hosts < rule.enoughHosts
  return {
    verdict: decided.verdict,
    reasons: [...decided.reasons, ...(provisional ? [say.provisional(hosts)] : [])],
    d: first?.d ?? null,
    z: first?.z ?? null,
    provisional,
    hosts,
    level: first?.level ?? null,
    scale: baseline.scale,
    smallestDetectableLoss: Math.min(...readings.map(({ level }) => smallestDetectableLoss(level, baseline))),
    hostsNeeded: decided.hostsNeeded,
  }
}

/** The part of a history that counts: same key, since the last level set by hand, one run a host, the newest hosts. */
export function comparableTo(run: JudgedRun, history: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const same = history.filter(({ environment }) => environment.key === run.environment.key)
  const current = same.slice(
    Math.max(
      0,
      same.findLastIndex(({ newLevel }) => newLevel === true),
    ),
  )
  const named = new Map(current.filter(({ host }) => host !== null).map(entry => [entry.host, entry]))
  return current.filter(entry => entry.host === null || named.get(entry.host) === entry).slice(-rule.window)
}

function whyIncomparable(run: JudgedRun, history: readonly HistoryEntry[]): readonly string[] {
  const last = history.at(-1)
  if (last === undefined) return [say.noHistory]
  return [say.otherKey, ...differences(last.environment, run.environment).map(say.difference)]
}

const whyUnusable = (run: JudgedRun, index: number): readonly string[] =>
  run.valid === true && run.throughput !== null
    ? []
    : [index === 0 ? say.invalidRun : say.invalidConfirmation, ...run.doubts]

function mixedUp(run: JudgedRun, confirmations: readonly JudgedRun[]): readonly string[] {
  if (confirmations.some(({ environment }) => environment.key !== run.environment.key)) return [say.confirmedElsewhere]
  const named = [run, ...confirmations].flatMap(({ host }) => (host === null ? [] : [host]))
  return new Set(named).size < named.length ? [say.sameHost] : []
}

interface Decision {
  readonly verdict: VerdictWord
  readonly reasons: readonly string[]
  readonly hostsNeeded: number
}

const settled = (verdict: VerdictWord, ...reasons: readonly string[]): Decision => ({
  verdict,
  reasons,
  hostsNeeded: 0,
})

function decide(readings: readonly Reading[], baseline: Baseline, lossToFind: number): Decision {
  const [first, ...later] = readings
  if (first === undefined) throw new TypeError('a verdict needs a run')
  const facing = first.side
  if (facing === 'within') return withinLevels(readings, baseline, lossToFind)
  const other = later.find(({ side }) => side !== facing)
  if (other !== undefined) return contradicted(first, other, baseline, lossToFind)
  if (readings.some(({ doubt }) => doubt === 'drift')) return settled('inconclusive', say.drift(first.d))
  const peers = Math.max(...readings.map(reading => reading.peers))
  const needed = runsNeeded(peers, baseline.values.length)
  if (needed > rule.mostRuns) return settled('inconclusive', say.knownKind(first.d, peers, baseline.values.length))
  if (readings.length < needed) {
    return {
      verdict: 'inconclusive',
      reasons: [say.unconfirmed(first.d, peers, readings.length, needed)],
      hostsNeeded: needed - readings.length,
    }
  }
  return settled(
    facing === 'low' ? 'regressed' : 'improved',
    say.confirmed(
      readings.map(({ d }) => d),
      first.z,
    ),
  )
}

/** Another host does not show what the first one did: that clears the code only where it lies well inside its level. */
function contradicted(first: Reading, other: Reading, baseline: Baseline, lossToFind: number): Decision {
  const towards = first.side === 'low' ? -other.z : other.z
  if (other.doubt !== null || towards > rule.cleared) return settled('inconclusive', say.halfway(first.d, other.d))
  if (first.side === 'low') return settled('suspect-host', say.suspectHost(first.d, other.d))
  const { verdict, reasons, hostsNeeded } = withinLevels([other], baseline, lossToFind)
  return { verdict, reasons: [say.fastHost(first.d, other.d), ...reasons], hostsNeeded }
}

/** The first run does not stand out from its level: a pass, if a loss could not have hidden. */
function withinLevels(readings: readonly Reading[], baseline: Baseline, lossToFind: number): Decision {
  // Of hosts in two modes the fastest tells most: had the code become slower, none would be there.
  const best = readings.reduce((one, another) => (another.level > one.level ? another : one))
  if (best.doubt === 'drift') return settled('inconclusive', say.driftedLevel)
  const loss = smallestDetectableLoss(best.level, baseline)
  if (loss <= lossToFind) return settled('pass', say.pass(best.d, loss))
  return best.doubt === 'slower-mode'
    ? {
        verdict: 'inconclusive',
        reasons: [say.slowerMode(best.level, baseline.levels[0] ?? best.level)],
        hostsNeeded: readings.length < rule.mostRuns ? 1 : 0,
      }
    : settled('inconclusive', say.tooNoisy(loss, lossToFind, baseline.scale / best.level))
}

const unjudged = (verdict: VerdictWord, reasons: readonly string[], hosts: number): Verdict => ({
  verdict,
  reasons,
  d: null,
  z: null,
  provisional: hosts < rule.enoughHosts,
  hosts,
  level: null,
  scale: null,
  smallestDetectableLoss: null,
  hostsNeeded: 0,
})
