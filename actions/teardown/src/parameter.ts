import { checkAccount, deleteByHand, deleteParameter, isFinal, type AwsClients } from '@gpu-actions/aws'
import type { Place, Resource } from '@gpu-actions/lease'

/** A parameter that held a one-time token. */
export interface TokenParameter {
  readonly name: string
  readonly region: string
  /** The account of its lease; null when no record tells it. */
  readonly place: Place | null
}

/** A token parameter as something that a teardown ends: deleted, until the service says that there is none. */
export function parameterResource(
  { name, region, place }: TokenParameter,
  aws: { clientsFor(region: string): AwsClients; account(): Promise<string> },
): Resource {
  let gone = false
  const end = async (): Promise<void> => {
    // What another account does not have is not gone.
    if (place !== null) checkAccount(place.account, await aws.account())
    await deleteParameter(aws.clientsFor(region), name)
    gone = true
  }
  return {
    kind: 'parameter',
    id: name,
    name: null,
    place: region,
    account: place,
    consoleLink: `https://${region}.console.aws.amazon.com/systems-manager/parameters/${encodeURIComponent(name)}/description?region=${region}`,
    byHand: deleteByHand(region, name),
    end,
    isGone: async () => {
      if (!gone) await end()
      return gone
    },
    isFinal,
  }
}
