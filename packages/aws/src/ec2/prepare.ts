import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from '../clients.ts'
import { codeOf, faultOf } from '../errors.ts'
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

/** The account is known by its credentials, and yet the region does not take them. */
const isStranger = (error: unknown): boolean =>
  error instanceof OutsideFault && (faultOf(error) === 'credentials' || codeOf(error.cause) === 'AuthFailure')

/** What is missing in a region, as sentences. Throws what is no fault of the region. */
function sentencesOf(region: string, errors: readonly unknown[]): readonly string[] {
  if (errors.some(isStranger)) {
    return [
      `AWS does not take the credentials in ${region}, though it knows them: the region may not be enabled in the account`,
    ]
  }
  return errors.flatMap(error => {
    if (error instanceof UserFault) return error.faults.length > 0 ? error.faults : [error.message]
    if (!(error instanceof OutsideFault) || faultOf(error) === 'account') throw error
    return [`${error.message}: ${messageOf(error.cause)}. ${error.advice}`]
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
    // Needs no permission: what fails here fails every call, and is said once, in its own words.
    access.account(),
    lostSubnets(wish, subnets),
    ...regions.map((clients, index) => lookUpRegion(clients, wish, subnets[index] ?? Promise.resolve([]))),
  ])
  const faults = [...localFaults(wish), ...lost]
  const looked: Looked[] = []
  const without: { readonly region: string; readonly says: string }[] = []
  for (const [index, answer] of answers.entries()) {
    const region = wish.regions[index] ?? ''
    const missing = 'region' in answer ? reservationFaults(answer, wish) : sentencesOf(region, answer)
    without.push(...missing.map(says => ({ region, says })))
    if (missing.length === 0 && 'region' in answer) looked.push(lookedAt(answer, wish, account))
  }
  const named = without.map(({ region, says }) => `${region}: ${says}`)
  // With one region its name would only stand in the way.
  if (looked.length === 0) faults.push(...new Set(regions.length > 1 ? named : without.map(({ says }) => says)))
  faults.push(...new Set(looked.flatMap(({ found }) => spaceFaults(wish, [...found.images.values()]))))
  if (faults.length > 0) throw refusal(faults)
  const prepared = assemble(wish, account, looked, named)
  if (prepared.plan.offers.length > 0) return prepared
  const nearest = await nearestThings(region => access.clientsFor(region), wish, looked)
  return { ...prepared, plan: { ...prepared.plan, nearest } }
}
