import { messageOf, OutsideFault, UserFault } from './ports/faults.ts'

const causesOf = (thrown: unknown): unknown[] => {
  const causes: unknown[] = []
  for (let next = thrown; next instanceof Error && next.cause !== undefined && causes.length < 10; next = next.cause) {
    causes.push(next.cause)
  }
  return causes
}

const nameOf = (thrown: unknown): string =>
  thrown instanceof Error && thrown.name !== 'Error' && thrown.name !== 'OutsideFault' ? `${thrown.name}: ` : ''

export interface Failure {
  /** What the annotation says. */
  readonly message: string
  /** For the log only, below the message. */
  readonly details: string
}

/**
 * Puts whatever was thrown into words, by who can act: the author of the workflow, the world outside, or us.
 * Only our own faults show a stack.
 */
export function describeFailure(thrown: unknown): Failure {
  const causes = causesOf(thrown).map(cause => `Because: ${nameOf(cause)}${messageOf(cause)}`)
  if (thrown instanceof UserFault) {
    return { message: [thrown.message, ...thrown.faults.map(fault => `- ${fault}`), ...causes].join('\n'), details: '' }
  }
  if (thrown instanceof OutsideFault) {
    return { message: [thrown.message, ...causes, `What to do: ${thrown.advice}`].join('\n'), details: '' }
  }
  return {
    message: [`This is a fault of gpu-actions itself: ${nameOf(thrown)}${messageOf(thrown)}`, ...causes].join('\n'),
    details: thrown instanceof Error ? (thrown.stack ?? '') : '',
  }
}
