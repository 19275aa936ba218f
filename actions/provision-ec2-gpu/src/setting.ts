import type { ActionContext } from '@gpu-actions/action-kit'
import type { Ec2Plan, Ec2Provider } from '@gpu-actions/aws'
import type { Attempt, Offer } from '@gpu-actions/lease'
import type { action } from './action.ts'
import type { ProvisionPorts } from './real-ports.ts'

export type ProvisionContext = ActionContext<typeof action.inputs, typeof action.outputs>

/** What one provisioning has been given, and what it plans. */
export interface Setting {
  readonly context: ProvisionContext
  readonly ports: ProvisionPorts
  readonly provider: Ec2Provider
  readonly plan: Ec2Plan
  /** Milliseconds since the epoch, by the service's clock. */
  readonly now: () => number
  /**
   * When a machine of the offer that is launched now ends itself; whole seconds since the epoch, in milliseconds.
   * @param earlier the attempts before: what their machines may have cost is no longer in the budget
   * @throws OutsideFault when the rest of the budget does not pay for it
   */
  readonly expiryOf: (offer: Offer, earlier: readonly Attempt[]) => number
}
