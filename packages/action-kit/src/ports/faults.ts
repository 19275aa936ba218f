/** The author of the workflow can put it right. Lists every fault that was found, not only the first. */
export class UserFault extends Error {
  override readonly name = 'UserFault'
  readonly faults: readonly string[]

  constructor(message: string, faults: readonly string[] = [], options?: ErrorOptions) {
    super(message, options)
    this.faults = faults
  }
}

export interface Outside {
  /** What was being done when it failed, as a sentence: `Launching g5.2xlarge in us-west-2b failed: no capacity`. */
  readonly what: string
  /** What to do next. */
  readonly advice: string
  readonly cause?: unknown
}

/** Something outside (a cloud, a host, a network) failed; carries what to do next. */
export class OutsideFault extends Error {
  override readonly name = 'OutsideFault'
  readonly advice: string

  constructor(outside: Outside) {
    super(outside.what, outside.cause === undefined ? undefined : { cause: outside.cause })
    this.advice = outside.advice
  }
}

/** The words of whatever was thrown, strings and other oddities included. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
