import { stateSlot } from '@gpu-actions/action-kit'
import { attemptsRecord, leaseRecord, type Attempts, type Lease } from '@gpu-actions/lease'

/** What main leaves for its post. Written before each launch call, so that it survives whatever ends the step. */
export interface ProvisionState {
  readonly lease: Lease
  readonly attempts: Attempts
  /** Main reached its end: only then may the machine be kept. */
  readonly succeeded: boolean
}

function parse(value: unknown): ProvisionState {
  if (typeof value !== 'object' || value === null) throw new TypeError('the state of provision is no object')
  return {
    lease: leaseRecord.parse(Reflect.get(value, 'lease')),
    attempts: attemptsRecord.parse(Reflect.get(value, 'attempts')),
    succeeded: Reflect.get(value, 'succeeded') === true,
  }
}

export const provisionState = stateSlot<ProvisionState>('provision', parse)
