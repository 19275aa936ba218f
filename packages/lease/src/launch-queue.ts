import { offerKey } from './identity.ts'
import type { LaunchFault } from './launch-fault.ts'
import type { Offer } from './records.ts'

/** The offers of a launch, tried in rounds. */
export interface Queue {
  /** From 1. */
  readonly round: number
  /** What is still to be tried in this round. */
  readonly rest: readonly Offer[]
  /** What may still be had: the next round tries these. */
  readonly left: readonly Offer[]
}

export const queueOf = (offers: readonly Offer[]): Queue => ({ round: 1, rest: offers, left: offers })

export const nextRound = (queue: Queue): Queue => ({ ...queue, round: queue.round + 1, rest: queue.left })

/** `g5.2xlarge` → `g`: where no limit is named, limits count whole families. */
const family = (instanceType: string): string => /^[a-z]+/.exec(instanceType)?.[0] ?? instanceType

const isSameOffer = (one: Offer, other: Offer): boolean => offerKey(one) === offerKey(other)

/** Whether a limit that has refused the one would refuse the other: limits are regional. */
function isSameQuota(one: Offer, other: Offer): boolean {
  if (one.place.region !== other.place.region || one.place.account !== other.place.account) return false
  if (one.quota !== null && other.quota !== null) return one.quota === other.quota
  return one.market === other.market && family(one.instanceType) === family(other.instanceType)
}

/** Faults after which an offer may be had a moment later. */
const passing: ReadonlySet<LaunchFault> = new Set(['capacity', 'subnet'])

/** What a refusal means for the offers that are left. */
export function afterRefusal(queue: Queue, refused: Offer, fault: LaunchFault): Queue {
  const isTried = (offer: Offer): boolean => isSameOffer(offer, refused)
  const isGone = (offer: Offer): boolean =>
    fault === 'quota' ? isTried(offer) || isSameQuota(offer, refused) : isTried(offer)
  const rest = queue.rest.filter(offer => !isGone(offer))
  return passing.has(fault) ? { ...queue, rest } : { ...queue, rest, left: queue.left.filter(offer => !isGone(offer)) }
}
