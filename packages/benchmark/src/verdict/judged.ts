import type { EnvironmentKey } from '../environment-key.ts'

export const verdicts = ['pass', 'improved', 'regressed', 'suspect-host', 'inconclusive', 'incomparable'] as const
export type VerdictWord = (typeof verdicts)[number]

/** One earlier valid run, in order of time. */
export interface HistoryEntry {
  /** Images per second. */
  readonly throughput: number
  readonly environment: EnvironmentKey
  /** Whichever id tells hosts apart; of several runs of one host the newest counts. null: a host of its own. */
  readonly host: string | null
  /** Set by hand: a wanted change of level begins with this run, and what came before no longer counts. */
  readonly newLevel?: boolean
}

/** A run to be judged. */
export interface JudgedRun {
  /** Images per second; null when it could not be measured. */
  readonly throughput: number | null
  /** null: nobody can tell. */
  readonly valid: boolean | null
  /** Why it is not valid, each a sentence. */
  readonly doubts: readonly string[]
  readonly environment: EnvironmentKey
  readonly host: string | null
}

export interface VerdictQuestion {
  readonly history: readonly HistoryEntry[]
  readonly run: JudgedRun
  /** Runs of the same code on other, fresh hosts, in order; they were made because the one before was suspicious. */
  readonly confirmations?: readonly JudgedRun[]
  /** A `pass` says that a loss of this share would have been seen. Default 0.05. */
  readonly lossToFind?: number
}

/** What a comparison came to. Shares: 0.03 is 3 %. What is not known is null. */
export interface Verdict {
  readonly verdict: VerdictWord
  /** Sentences, the decisive one first. */
  readonly reasons: readonly string[]
  /** How far the first run lies from the level, as a share of it; below 0 is slower. */
  readonly d: number | null
  /** The same in scales. */
  readonly z: number | null
  /** True with 10 to 19 hosts: false alarms after confirmation are then at most 0.3 %, else 0.1 %. */
  readonly provisional: boolean
  /** Hosts of the history that were compared with. */
  readonly hosts: number
  /** Images per second that were expected. */
  readonly level: number | null
  /** How far hosts of one level lie apart, images per second. */
  readonly scale: number | null
  /** The least loss that would have been found in 95 % of cases. */
  readonly smallestDetectableLoss: number | null
  /** Further fresh hosts that would settle the verdict; 0 when it is settled, or when more would not help. */
  readonly hostsNeeded: number
}
