import { messageOf } from '@gpu-actions/action-kit/ports'
import { codeOf, faultOf, missingPermission } from '../errors.ts'

/** Longest time for a look-up that a launch can do without, in milliseconds. */
export const optionalMs = 3_000

/**
 * Bounds what a launch can do without.
 * @param ms of this computer's time
 * @throws a `TimeoutError` when it takes longer, even when it does not heed the signal
 */
export async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms)
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  return Promise.race([work(signal), late])
}

/** Why an optional look-up gave nothing, as a sentence. */
export function whyUnknown(error: unknown, permission: string, region: string): string {
  if (faultOf(error) === 'denied') {
    return `${missingPermission(error, { doing: '', permission, region })} is not allowed in ${region}`
  }
  if (codeOf(error) === 'AbortError' || codeOf(error) === 'TimeoutError') {
    return `no answer within ${optionalMs / 1000} seconds`
  }
  return `${codeOf(error)}: ${messageOf(error)}`
}
