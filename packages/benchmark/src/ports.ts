import type { Clock, Log, Records } from '@gpu-actions/action-kit/ports'

export interface BenchmarkPorts {
  readonly clock: Clock
  readonly log: Log
  readonly records: Pick<Records, 'appendLog'>
  /** Aborts when the run is to be cancelled. */
  readonly signal: AbortSignal
  /**
   * Whether the cloud took the machine back, asked when a run did not complete and its host had heard of nothing: the
   * code of the machine's `StateReason` (such as `Server.SpotInstanceTermination`), or null.
   */
  readonly takenBack?: () => Promise<string | null>
}
