import type { Clock, Log } from '@gpu-actions/action-kit/ports'
import type { SweepingProvider } from './provider.ts'
import type { Place } from './records.ts'
import type { SweepReport } from './sweep-report.ts'
import type { TeardownTimes } from './teardown.ts'

export interface Sweep {
  readonly provider: SweepingProvider
  readonly clock: Clock
  readonly log: Log
  readonly signal?: AbortSignal
  /** Only what carries exactly its mark is ever looked at. */
  readonly repository: string
  readonly places: readonly Place[]
  /** The service's clock, milliseconds since the epoch: expiries were written on it. */
  now(): number
  /** How long after its expiry a thing is left to end by itself, in milliseconds. */
  readonly graceMs: number
  /** Whatever is older is overaged, whatever its expiry says; null without a limit. */
  readonly maxAgeMs: number | null
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

/**
 * Finds what has outlived its lease, looks again after a pause, ends it, and looks until it is gone.
 * @returns the report; `sweepFault` says whether the sweep has failed. Places that cannot be asked are in it.
 */
export async function sweep(setting: Sweep): Promise<SweepReport> {
  throw new Error(`not built yet: ${setting.repository}`)
}
