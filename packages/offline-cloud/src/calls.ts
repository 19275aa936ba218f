/** One call as the state endpoint lists it. Secrets are masked before they get here. */
export interface Call {
  /** Cloud's time, UTC ISO. */
  readonly at: string
  readonly service: string
  readonly operation: string
  /** `ok`, the code of the refusal, or the kind of the fault that struck. */
  readonly outcome: string
  readonly requestId: string
  readonly parameters: unknown
}

export interface CallLog {
  record(call: Call): void
  /** Calls by `service:operation`, whatever their outcome. */
  counts(): Readonly<Record<string, number>>
  list(): readonly Call[]
}

export function createCallLog(): CallLog {
  const calls: Call[] = []
  return {
    record: call => void calls.push(call),
    counts() {
      const counts: Record<string, number> = {}
      for (const { service, operation } of calls) {
        const name = `${service}:${operation}`
        counts[name] = (counts[name] ?? 0) + 1
      }
      return counts
    },
    list: () => [...calls],
  }
}
