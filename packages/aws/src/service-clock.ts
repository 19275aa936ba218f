/** The time of the service, learnt from the `Date` header of its replies; a runner's own clock may be wrong. */
export interface ServiceClock {
  /** Milliseconds since the epoch; the runner's own time until the first reply. */
  now(): number
  /** @param date the `Date` header of a reply; anything else is ignored */
  observe(date: unknown): void
}

/** @param local the runner's own clock, milliseconds since the epoch */
export function serviceClock(local: () => number = Date.now): ServiceClock {
  let aheadMs = 0
  return {
    now: () => local() + aheadMs,
    observe: date => {
      const service = typeof date === 'string' ? Date.parse(date) : Number.NaN
      if (Number.isNaN(service)) return
      // The header is cut to whole seconds, so a smaller difference than that says nothing.
      const difference = service + 500 - local()
      aheadMs = Math.abs(difference) < 1000 ? 0 : difference
    },
  }
}
