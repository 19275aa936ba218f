import { OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import type { EndingProvider, GpuProvider, Machine, Place, TerminateRefusal } from '@gpu-actions/lease'
import { accountOf, checkAccount } from '../account.ts'
import type { AwsClients } from '../clients.ts'
import { faultOf } from '../errors.ts'
import { findMachines } from './find.ts'
import { launch, type LaunchSpec } from './launch.ts'
import { describeLaunch, describeMachine, remainsIn } from './remains.ts'
import { terminate } from './terminate.ts'

export interface Ec2Access {
  /** The account of the credentials; asked once. */
  account(): Promise<string>
  clientsFor(region: string): AwsClients
}

const placeKey = (place: Place): string => `${place.account}/${place.region}`

/** Machines by the place they are in. */
function byPlace(machines: readonly Machine[]): readonly { readonly place: Place; readonly machines: Machine[] }[] {
  const groups = new Map<string, { readonly place: Place; readonly machines: Machine[] }>()
  for (const machine of machines) {
    const group = groups.get(placeKey(machine.place)) ?? { place: machine.place, machines: [] }
    group.machines.push(machine)
    groups.set(placeKey(machine.place), group)
  }
  return [...groups.values()]
}

/** EC2 as far as ending goes: finds, ends, and looks at what remains. */
export function ec2Ending(access: Ec2Access): EndingProvider {
  const ec2For = async (place: Place) => {
    checkAccount(place.account, await access.account())
    return access.clientsFor(place.region).ec2()
  }
  return {
    name: 'ec2',
    minimumBilledSeconds: 60,
    find: async (search, places) => {
      const found = await Promise.all(places.map(async place => findMachines(await ec2For(place), search, place)))
      return found.flat()
    },
    terminate: async machines => {
      // Without the marks of a lease and of a repository there is no proof that it is ours.
      const marked = machines.filter(machine => machine.repository !== null && machine.leaseId !== null)
      const refusals: TerminateRefusal[] = machines
        .filter(machine => !marked.includes(machine))
        .map(({ id }) => ({ id, fault: 'denied', message: `${id} carries no mark of a lease: not ended` }))
      const ended = await Promise.all(
        byPlace(marked).map(async group => {
          const ids = group.machines.map(machine => machine.id)
          return terminate(await ec2For(group.place), group.place.region, ids)
        }),
      )
      return [...refusals, ...ended.flat()]
    },
    remains: async machines => {
      const looks = await Promise.all(
        byPlace(machines).map(async group => remainsIn(await ec2For(group.place), group.place, group.machines)),
      )
      return { machines: looks.flatMap(look => look.machines), left: looks.flatMap(look => look.left) }
    },
    describeLaunch,
    describeMachine,
  }
}

/** Nothing that is repeated will overcome it. */
export function isFinal(error: unknown): boolean {
  if (error instanceof UserFault) return true
  const fault = error instanceof OutsideFault ? faultOf(error.cause) : 'server'
  return fault === 'denied' || fault === 'credentials' || fault === 'account' || fault === 'invalid'
}

/** The credentials' own account, asked when first needed unless it is known already. */
export function ec2Access(clientsFor: (region: string) => AwsClients, region: string, known?: string): Ec2Access {
  let account: Promise<string> | undefined = known === undefined ? undefined : Promise.resolve(known)
  return { clientsFor, account: () => (account ??= accountOf(clientsFor(region))) }
}

/** EC2 as a whole, for launches of one specification. */
export function ec2Provider(access: Ec2Access, spec: LaunchSpec): Omit<GpuProvider, 'plan' | 'strays' | 'endStrays'> {
  return {
    ...ec2Ending(access),
    guestShutdown: 'terminates',
    launch: async (offer, intent) => {
      checkAccount(offer.place.account, await access.account())
      return launch(access.clientsFor(offer.place.region).ec2Once(), spec, offer, intent)
    },
  }
}
