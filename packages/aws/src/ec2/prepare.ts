import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from '../clients.ts'
import { faultOf } from '../errors.ts'
import type { ImageFacts } from './image.ts'
import { nearestThings } from './nearest.ts'
import { findSubnets, type SubnetFacts } from './network.ts'
import { reservationFaults } from './offers.ts'
import { assemble, lookedAt, type Looked, type Prepared } from './plan.ts'
import { lookUpRegion } from './region.ts'
import { localFaults, type Ec2Wish } from './wish.ts'

const refusal = (faults: readonly string[]): UserFault =>
  new UserFault(
    `The checks before the launch found ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}, nothing was launched`,
    faults,
  )

/** Bad credentials fail every call in the same way: thrown, said once, in their own words. */
function sentencesOf(errors: readonly unknown[]): readonly string[] {
  return errors.flatMap(error => {
    if (error instanceof UserFault) return error.faults.length > 0 ? error.faults : [error.message]
    if (error instanceof OutsideFault) {
      const fault = faultOf(error.cause)
      if (fault === 'credentials' || fault === 'account') throw error
      return [`${error.message}: ${messageOf(error.cause)}. ${error.advice}`]
    }
    throw error
  })
}

function spaceFaults(wish: Ec2Wish, images: readonly ImageFacts[]): readonly string[] {
  const { volumeSizeGib } = wish
  if (volumeSizeGib === undefined) return []
  return images.flatMap(image => {
    const root = image.devices.find(({ device }) => device === image.rootDevice)
    return root?.sizeGib && root.sizeGib > volumeSizeGib
      ? [`volume-size: must be at least ${root.sizeGib} GiB, the size of image ${image.id}`]
      : []
  })
}

/** Subnets that are in none of the regions. Nothing is said while a region has not answered. */
async function lostSubnets(
  wish: Ec2Wish,
  found: readonly Promise<readonly SubnetFacts[]>[],
): Promise<readonly string[]> {
  const answers = await Promise.allSettled(found)
  const seen = new Set(
    answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value.map(subnet => subnet.id) : [])),
  )
  const lost = wish.subnetIds.filter(id => !seen.has(id))
  if (lost.length === 0 || answers.some(answer => answer.status === 'rejected')) return []
  return [`subnet-id: ${lost.join(', ')} is not in ${wish.regions.join(' or ')}, or not in this account`]
}

/**
 * Checks, for free and in parallel, everything that would make a launch useless, and plans its offers. A region in which
 * something is missing is left out when another one gives offers.
 * @throws UserFault that lists every fault that was found, OutsideFault when AWS could not be asked
 */
export async function preparePlan(
  access: { account(): Promise<string>; clientsFor(region: string): AwsClients },
  wish: Ec2Wish,
): Promise<Prepared> {
  const regions = wish.regions.map(region => access.clientsFor(region))
  const subnets = regions.map(async clients => findSubnets(clients.ec2(), clients.region, wish.subnetIds))
  const [account, lost, ...answers] = await Promise.all([
    access.account().catch((error: unknown) => sentencesOf([error])),
    lostSubnets(wish, subnets),
    ...regions.map((clients, index) => lookUpRegion(clients, wish, subnets[index] ?? Promise.resolve([]))),
  ])
  const faults = [...localFaults(wish), ...lost, ...(typeof account === 'string' ? [] : account)]
  const looked: Looked[] = []
  const leftOut: string[] = []
  for (const [index, answer] of answers.entries()) {
    const region = wish.regions[index] ?? ''
    const errors = 'region' in answer ? reservationFaults(answer, wish) : sentencesOf(answer)
    if (errors.length > 0) leftOut.push(...errors.map(error => `${region}: ${error}`))
    else if ('region' in answer) looked.push(lookedAt(answer, wish, typeof account === 'string' ? account : ''))
  }
  // With one region its name would only stand in the way.
  const regionFaults = wish.regions.length === 1 ? leftOut.map(one => one.slice(one.indexOf(': ') + 2)) : leftOut
  if (looked.length === 0) faults.push(...new Set(regionFaults))
  faults.push(...new Set(looked.flatMap(({ found }) => spaceFaults(wish, [...found.images.values()]))))
  if (faults.length > 0 || typeof account !== 'string') throw refusal(faults)
  const prepared = assemble(wish, account, looked, leftOut)
  if (prepared.plan.offers.length > 0) return prepared
  const nearest = await nearestThings(region => access.clientsFor(region), wish, looked)
  return { ...prepared, plan: { ...prepared.plan, nearest } }
}
