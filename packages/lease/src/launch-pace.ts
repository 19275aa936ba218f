import type { Clock } from '@gpu-actions/action-kit/ports'
import type { LaunchLimits } from './launch-limits.ts'

/** Keeps launch calls below a rate: a bucket of calls that fills again with time. */
export interface Pace {
  /** Resolves when a call may be sent. Rejects with the signal's reason as soon as it aborts. */
  turn(signal: AbortSignal | undefined): Promise<void>
}

export function createPace(clock: Clock, limits: Pick<LaunchLimits, 'callsAtOnce' | 'callsPerSecond'>): Pace {
  const { callsAtOnce, callsPerSecond } = limits
  let calls = callsAtOnce
  let filledAt = clock.now()
  const fill = (): void => {
    const now = clock.now()
    calls = Math.min(callsAtOnce, calls + (Math.max(0, now - filledAt) / 1000) * callsPerSecond)
    filledAt = now
  }
  return {
    turn: async signal => {
      fill()
      if (calls < 1) {
        await clock.sleep(Math.ceil(((1 - calls) / callsPerSecond) * 1000), signal)
        fill()
      }
      calls = Math.max(0, calls - 1)
    },
  }
}
