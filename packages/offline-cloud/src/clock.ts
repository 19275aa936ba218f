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
}

// setTimeout wraps around above 2^31 − 1 ms; a wait that long is taken in pieces.
const longestWait = 2 ** 31 - 1

/** `real` gives the time of the computer in ms; tests may pass another. */
export function createClock(real: () => number = Date.now): CloudClock {
  let offset = 0
  let pending: Due[] = []
  let timer: NodeJS.Timeout | null = null
  const listeners: (() => void)[] = []

  const now = (): number => real() + offset
  const earliest = (): Due | undefined =>
    pending.reduce<Due | undefined>((best, due) => (best === undefined || due.at < best.at ? due : best), undefined)

  const runDue = (until: number): void => {
    for (let due = earliest(); due !== undefined && due.at <= until; due = earliest()) {
      const current = due
      pending = pending.filter(other => other !== current)
      if (current.at > now()) offset = current.at - real()
      current.work()
    }
  }
  const arm = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const next = earliest()
    if (next === undefined) return
    timer = setTimeout(
      () => {
        runDue(now())
        arm()
      },
      Math.min(Math.max(0, next.at - now()), longestWait),
    )
  }

  return {
    now,
    after(ms, work) {
      const due: Due = { at: now() + Math.max(0, ms), work }
      pending.push(due)
      arm()
      return () => {
        pending = pending.filter(other => other !== due)
        arm()
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
