export interface TeardownTimes {
  /** A launch of unknown outcome must have stayed invisible for this long before it counts as never carried out. */
  readonly settlingMs: number
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

/** EC2 shows a new machine within seconds; leaks have been seen below one second, so this is generous. */
export const teardownTimes: TeardownTimes = { settlingMs: 30_000, firstPauseMs: 800, maxPauseMs: 2_000 }
