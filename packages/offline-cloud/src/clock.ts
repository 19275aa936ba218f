/** The cloud's own time. Everything in the cloud that has a date or a delay asks this clock, so moving it moves all. */
export interface CloudClock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `work` once the cloud's time has moved on by `ms`; the answer calls it off. */
  after(ms: number, work: () => void): () => void
  /** Moves time on. Work that falls due runs in its order, each at its own moment of the cloud's time. */
  advance(ms: number): void
  /** Calls `work` after every `advance`. */
  onAdvance(work: () => void): void
  /** Drops all pending work. */
  stop(): void
}

interface Due {
  readonly at: number
  readonly work: () => void
  isOff: boolean
}

// setTimeout wraps around above 2^31 − 1 ms; a wait that long is taken in pieces.
const longestWait = 2 ** 31 - 1

// The first place, latest first, that does not fall due later: after its equals, which were there before it.
function placeOf(at: number, pending: readonly Due[]): number {
  let low = 0
  let high = pending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pending[middle]?.at ?? 0) > at) low = middle + 1
    else high = middle
  }
  return low
}

/** `real` gives the time of the computer in ms; tests may pass another. */
export function createClock(real: () => number = Date.now): CloudClock {
  let offset = 0
  // Latest first, so that the next one is taken from the end. What was called off stays until its turn comes.
  let pending: Due[] = []
  let timer: NodeJS.Timeout | null = null
  const listeners: (() => void)[] = []

  const now = (): number => real() + offset
  const next = (): Due | undefined => {
    while (pending.at(-1)?.isOff === true) pending.pop()
    return pending.at(-1)
  }

  const runDue = (until: number): void => {
    for (let due = next(); due !== undefined && due.at <= until; due = next()) {
      pending.pop()
      if (due.at > now()) offset = due.at - real()
      due.work()
    }
  }
  const arm = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const due = next()
    if (due === undefined) return
    timer = setTimeout(
      () => {
        runDue(now())
        arm()
      },
      Math.min(Math.max(0, due.at - now()), longestWait),
    )
  }

  return {
    now,
    after(ms, work) {
      const due: Due = { at: now() + Math.max(0, ms), work, isOff: false }
      pending.splice(placeOf(due.at, pending), 0, due)
      if (pending.at(-1) === due) arm()
      return () => {
        due.isOff = true
        if (pending.at(-1) === due) arm()
      }
    },
    advance(ms) {
      const target = now() + ms
      runDue(target)
      offset = Math.max(offset, target - real())
      arm()
      for (const listener of listeners) listener()
    },
    onAdvance(work) {
      listeners.push(work)
    },
    stop() {
      pending = []
      arm()
    },
  }
}
