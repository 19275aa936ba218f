import { UserFault } from '@gpu-actions/action-kit/ports'
import type { GpuNeeds } from './catalogue.ts'
import type { ImageChoice } from './image.ts'
import { tagFaults } from './tags.ts'
import { makeUserData } from './user-data.ts'

/** `spot-then-on-demand`: every spot offer, then the same on demand. */
export const marketWishes = ['on-demand', 'spot', 'spot-then-on-demand', 'capacity-block'] as const
export type MarketWish = (typeof marketWishes)[number]

/** What to rent. */
export interface Ec2Wish {
  /** In the order in which to try them; at least one. */
  readonly regions: readonly string[]
  /** In the order in which to try them. Empty: every type that satisfies the needs, the cheapest first. */
  readonly instanceTypes: readonly string[]
  readonly needs: GpuNeeds
  readonly market: MarketWish
  /** A capacity reservation, or with `capacity-block` the block. */
  readonly reservationId: string | undefined
  /** `cheapest`: by price within each market, offers of unknown price last. */
  readonly strategy: 'ordered' | 'cheapest'
  /** How long the machine is to live at most. */
  readonly ttlMs: number
  /** Decimal USD for all hourly costs together, over the machine's life. */
  readonly budgetUsd: number | undefined
  /** Decimal USD; dearer offers, and those of unknown price, are left out. */
  readonly maxUsdPerHour: number | undefined
  readonly image: ImageChoice
  /** Of any of the regions. Empty: the default subnets of each region. */
  readonly subnetIds: readonly string[]
  readonly securityGroupId: string | undefined
  readonly instanceProfileName: string | undefined
  readonly volumeSizeGib: number | undefined
  readonly volumeType: string | undefined
  readonly userData: string | undefined
  readonly tags: Readonly<Record<string, string>>
  /** How far the machine is waited for; `ssm` and `gpu` need Systems Manager. */
  readonly waitFor: 'running' | 'ssm' | 'gpu'
}

/** The faults that need no call. */
export function localFaults(wish: Ec2Wish): readonly string[] {
  const faults = [...tagFaults(wish.tags)]
  if (wish.waitFor !== 'running' && wish.instanceProfileName === undefined) {
    faults.push(
      `instance-profile-name: is needed with wait-for ${wish.waitFor}, because without an instance profile the machine cannot register with Systems Manager (docs/aws-setup.md shows how to make one)`,
    )
  }
  if (wish.market === 'capacity-block' && wish.reservationId === undefined) {
    faults.push('capacity-reservation-id: is needed with market capacity-block: the id of the block that you bought')
  }
  if (wish.reservationId !== undefined && (wish.market === 'spot' || wish.market === 'spot-then-on-demand')) {
    faults.push(
      `capacity-reservation-id: does not go with market ${wish.market}; a reservation is paid on demand, a block with market capacity-block`,
    )
  }
  try {
    makeUserData(0, wish.userData)
  } catch (error) {
    if (!(error instanceof UserFault)) throw error
    faults.push(error.message)
  }
  return faults
}
