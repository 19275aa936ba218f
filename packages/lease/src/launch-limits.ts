/** A lease launches at most this many machines in its life. */
export const launchBreaker = 3

export interface LaunchLimits {
  /** Calls of unknown outcome with the same token before an attempt is left unresolved. */
  readonly repeats: number
  /** First and longest pause between two calls with the same token, in milliseconds. */
  readonly firstPauseMs: number
  readonly maxPauseMs: number
  /** How long throttling is sat out even when the deadline is nearer: whoever does not wait for capacity may wait for this. */
  readonly throttleGraceMs: number
  /** Launch calls in one go, and calls a second on average. */
  readonly callsAtOnce: number
  readonly callsPerSecond: number
  /** The pause after a full round: at most this share of what has been waited, and between these bounds. */
  readonly roundShare: number
  readonly firstRoundPauseMs: number
  readonly maxRoundPauseMs: number
  /** How often a wait is told of. */
  readonly progressMs: number
}

/**
 * `callsAtOnce` and `callsPerSecond` are EC2's bucket for RunInstances (5, refilled by 2 a second, for the whole account
 * and region): faster only earns throttling, and siblings of a matrix share it. A pause of at most a tenth of what has
 * been waited notices capacity that comes after 40 s within 4 s (and one round), and does not hammer for an hour; it is
 * drawn from the whole span down to 0 (full jitter), so that siblings do not march in step.
 */
export const launchLimits: LaunchLimits = {
  repeats: 6,
  firstPauseMs: 1_000,
  maxPauseMs: 10_000,
  throttleGraceMs: 20_000,
  callsAtOnce: 5,
  callsPerSecond: 2,
  roundShare: 0.1,
  firstRoundPauseMs: 2_000,
  maxRoundPauseMs: 10_000,
  progressMs: 15_000,
}
