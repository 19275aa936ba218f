import { setTimeout as timeout } from 'node:timers/promises'

/** Time as a port, so that logic that waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** A number in [0, 1), for jitter. */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: async (ms, signal) => {
    try {
      await timeout(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
}

export interface PollOptions {
  /** Pause after the first look, in milliseconds; each later pause is half as long again. */
  readonly firstMs: number
  /** Longest pause, in milliseconds. */
  readonly maxMs: number
  /** When to stop looking: milliseconds since the epoch, on the clock's time. */
  readonly deadline: number
  readonly signal?: AbortSignal
}

/**
 * Asks until there is an answer. Between two looks it pauses for `firstMs`, growing to `maxMs`, with jitter of a
 * quarter to either side, so that sibling jobs do not march in step. The last look falls on the deadline.
 * @returns the answer, or undefined when the deadline passed without one
 */
export async function poll<T>(
  clock: Clock,
  ask: () => Promise<T | undefined>,
  options: PollOptions,
): Promise<T | undefined> {
  for (let pause = options.firstMs; ; pause = Math.min(pause * 1.5, options.maxMs)) {
    options.signal?.throwIfAborted()
    const answer = await ask()
    if (answer !== undefined) return answer
    const left = options.deadline - clock.now()
    if (left <= 0) return undefined
    await clock.sleep(Math.min(pause * (0.75 + clock.random() / 2), left), options.signal)
  }
}
