import { inspect, types } from 'node:util'

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

/**
 * The words of whatever was thrown, strings and other oddities included. An error without a message of its own (Node
 * throws such for a refused connection: one error for each address) speaks through the errors in it, or its code.
 */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error || types.isNativeError(thrown)))
    return typeof thrown === 'string' ? thrown : inspect(thrown)
  if (thrown.message !== '') return thrown.message
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors.map(messageOf).join('; ')
  return 'code' in thrown ? String(thrown.code) : 'it gave no reason'
}
