import { UserFault } from '@gpu-actions/action-kit/ports'
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import type { GpuProvider, Intent, Offer, Place, SweepingProvider, TerminateRefusal } from '@gpu-actions/lease'
import { accountOf, checkAccount } from '../account.ts'
import type { AwsClients } from '../clients.ts'
import { faultOf } from '../errors.ts'
import { findMachines } from './find.ts'
import { dryRun, launch, launchParameters, type LaunchSpec } from './launch.ts'
import { isInterruption } from './machines.ts'
import type { Ec2Plan } from './plan.ts'
import { preparePlan } from './prepare.ts'
import { describeLaunch, describeMachine, describePlace, remainsIn } from './remains.ts'
import { endStraysIn, straysIn } from './strays.ts'
import { terminate } from './terminate.ts'
import type { Ec2Wish } from './wish.ts'

export interface Ec2Access {
  /** The account of the credentials; asked once. */
  account(): Promise<string>
  clientsFor(region: string): AwsClients
  /** The service's own time, milliseconds since the epoch. */
  serviceNow(): number
}

const placeKey = (place: Place): string => `${place.account}/${place.region}`

interface Group<T> {
  readonly place: Place
  readonly members: T[]
}

/** Machines, or what is left of them, by the place they are in; what is in none of ours is left aside. */
function byPlace<T extends { readonly place: Place | null }>(members: readonly T[]): readonly Group<T>[] {
  const groups = new Map<string, Group<T>>()
  for (const member of members) {
    if (member.place === null) continue
    const group = groups.get(placeKey(member.place)) ?? { place: member.place, members: [] }
    group.members.push(member)
    groups.set(placeKey(member.place), group)
  }
  return [...groups.values()]
}

/** All of them come to their end, then the first failure is thrown. */
async function everywhere<T, R>(parts: readonly T[], work: (part: T) => Promise<readonly R[]>): Promise<readonly R[]> {
  const results = await Promise.allSettled(parts.map(work))
  const failed = results.find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return results.flatMap(result => (result.status === 'fulfilled' ? result.value : []))
}

/** EC2 as far as ending goes: finds, ends, and looks at what remains. */
export function ec2Ending(access: Ec2Access): SweepingProvider {
  const ec2For = async (place: Place) => {
    checkAccount(place.account, await access.account())
    return access.clientsFor(place.region).ec2()
  }
  return {
    name: 'ec2',
    minimumBilledSeconds: 60,
    find: (search, places) => everywhere(places, async place => findMachines(await ec2For(place), search, place)),
    terminate: async machines => {
      // Without the marks of a lease and of a repository there is no proof that it is ours.
      const marked = machines.filter(machine => machine.repository !== null && machine.leaseId !== null)
      const refusals: TerminateRefusal[] = machines
        .filter(machine => !marked.includes(machine))
        .map(({ id }) => ({ id, fault: 'denied', message: `${id} carries no mark of a lease: not ended` }))
      const ended = await everywhere(byPlace(marked), async ({ place, members }) =>
        terminate(await ec2For(place), place.region, members),
      )
      return [...refusals, ...ended]
    },
    remains: async machines => {
      const looks = await everywhere(byPlace(machines), async ({ place, members }) => [
        await remainsIn(await ec2For(place), place, members),
      ])
      return { machines: looks.flatMap(look => look.machines), left: looks.flatMap(look => look.left) }
    },
    strays: (repository, places) => everywhere(places, async place => straysIn(await ec2For(place), place, repository)),
    endStrays: strays =>
      everywhere(byPlace(strays), async ({ place, members }) => endStraysIn(await ec2For(place), place, members)),
    describeLaunch,
    describeMachine,
    describePlace,
    serviceNow: () => access.serviceNow(),
    isInterruption,
    // aws.amazon.com: "billing for interrupted Spot Instances", Linux.
    freeInterruptionSeconds: 3600,
  }
}

/** Nothing that is repeated will overcome it. */
export function isFinal(error: unknown): boolean {
  if (error instanceof UserFault) return true
  const fault = faultOf(error)
  return fault === 'denied' || fault === 'credentials' || fault === 'account' || fault === 'invalid'
}

/** The credentials' own account, asked when first needed unless it is known already. */
export function ec2Access(clientsFor: (region: string) => AwsClients, region: string, known?: string): Ec2Access {
  let account: Promise<string> | undefined = known === undefined ? undefined : Promise.resolve(known)
  return {
    clientsFor,
    serviceNow: () => clientsFor(region).serviceNow(),
    account: () =>
      (account ??= accountOf(clientsFor(region)).catch((error: unknown) => {
        // One failure must not be the answer for ever: whoever ends machines asks again.
        account = undefined
        throw error
      })),
  }
}

/** EC2 as a whole. */
export interface Ec2Provider extends GpuProvider<Ec2Wish> {
  /** Checks the wish and plans its offers; what their launch needs is kept for `launch`. */
  plan(wish: Ec2Wish): Promise<Ec2Plan>
  /** The exact input of `RunInstances` for an offer of the last plan. */
  parameters(offer: Offer, intent: Intent): RunInstancesCommandInput
  /**
   * Asks EC2 whether it would launch an offer of the last plan: permissions and parameters, not capacity.
   * @throws OutsideFault when the real call would be refused
   */
  dryRun(offer: Offer, intent: Intent): Promise<void>
}

export function ec2Provider(access: Ec2Access): Ec2Provider {
  let specs: ReadonlyMap<string, LaunchSpec> = new Map()
  const specFor = ({ place }: Offer): LaunchSpec => {
    const spec = specs.get(place.region)
    if (spec === undefined) throw new Error(`an offer in ${place.region} that was not planned here`)
    return spec
  }
  return {
    ...ec2Ending(access),
    guestShutdown: 'terminates',
    plan: async wish => {
      const prepared = await preparePlan(access, wish)
      specs = prepared.specs
      return prepared.plan
    },
    launch: async (offer, intent) => {
      checkAccount(offer.place.account, await access.account())
      return launch(access.clientsFor(offer.place.region).ec2Once(), specFor(offer), offer, intent)
    },
    parameters: (offer, intent) => launchParameters(specFor(offer), offer, intent),
    dryRun: (offer, intent) => dryRun(access.clientsFor(offer.place.region).ec2(), specFor(offer), offer, intent),
  }
}
