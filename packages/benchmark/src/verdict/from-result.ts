import { environmentKey } from '../environment-key.ts'
import type { Result } from '../result.ts'
import type { HistoryEntry, JudgedRun } from './judged.ts'

/** As much of `result.json` as a verdict needs. */
export type Comparable = Pick<Result, 'backend' | 'workload' | 'environment' | 'flags' | 'metrics' | 'validity'>

/** @param host tells hosts apart, such as an instance id; null: a host of its own */
export const judgedRunOf = (result: Comparable, host: string | null): JudgedRun => ({
  throughput: result.metrics.throughput,
  valid: result.validity.valid,
  doubts: result.validity.reasons,
  environment: environmentKey(result),
  host,
})

/**
 * A result as part of a history.
 * @returns null for one that is not valid or has no figure: it says nothing about the level
 */
export function historyEntryOf(result: Comparable, host: string | null, newLevel = false): HistoryEntry | null {
  const { throughput, valid, environment } = judgedRunOf(result, host)
  return valid === true && throughput !== null ? { throughput, environment, host, newLevel } : null
}
