import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import { accountOf } from '../account.ts'
import type { AwsClients } from '../clients.ts'
import { calling, faultOf } from '../errors.ts'
import { findImages, type ImageChoice, type ImageFacts } from './image.ts'
import { describeTypes, describeZones } from './instance-types.ts'
import type { LaunchSpec } from './launch.ts'
import { checkSecurityGroup, findSubnets, findWaysOut, hasSsmEndpoints, type SubnetFacts } from './network.ts'
import { planOffers, type Ec2Plan, type GpuNeeds } from './plan.ts'
import { tagFaults } from './tags.ts'
import { makeUserData } from './user-data.ts'

/** What to rent. */
export interface Ec2Wish {
  /** In the order in which to try them; at least one. */
  readonly instanceTypes: readonly string[]
  readonly needs: GpuNeeds
  /** Decimal USD; dearer offers, and those of unknown price, are left out. */
  readonly maxUsdPerHour: number | undefined
  readonly image: ImageChoice
  /** Empty: the default subnets of the region. */
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

/** Everything that a launch needs, checked. */
export interface Prepared {
  readonly account: string
  readonly plan: Ec2Plan
  readonly spec: LaunchSpec
  /** Sentences for the log; none of them stops the launch. */
  readonly warnings: readonly string[]
}

/** Systems Manager may be asked, by asking it. */
async function checkSsm(clients: AwsClients): Promise<void> {
  const call = {
    doing: 'Asking Systems Manager for its machines',
    permission: 'ssm:DescribeInstanceInformation',
    region: clients.region,
  }
  await calling(call, () => clients.ssm().send(new DescribeInstanceInformationCommand({ MaxResults: 5 })))
}

/** The faults that need no call. */
function localFaults(wish: Ec2Wish): readonly string[] {
  const faults = [...tagFaults(wish.tags)]
  if (wish.waitFor !== 'running' && wish.instanceProfileName === undefined) {
    faults.push(
      `instance-profile-name: is needed with wait-for ${wish.waitFor}, because without an instance profile the machine cannot register with Systems Manager (docs/aws-setup.md shows how to make one)`,
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

interface Network {
  readonly subnets: readonly SubnetFacts[]
  readonly publicIpSubnets: ReadonlySet<string>
  readonly warnings: readonly string[]
}

/** The subnets, each with a way to Systems Manager where one is needed. */
async function checkNetwork(clients: AwsClients, wish: Ec2Wish): Promise<Network> {
  const ec2 = clients.ec2()
  const { region } = clients
  const subnets = await findSubnets(ec2, region, wish.subnetIds)
  const vpcs = [...new Set(subnets.map(subnet => subnet.vpc))]
  const [ways, warnings] = await Promise.all([
    findWaysOut(ec2, region, subnets),
    checkSecurityGroup(ec2, region, { id: wish.securityGroupId, vpcs }),
  ])
  const stuck = subnets.filter(subnet => ways.get(subnet.id) === 'none')
  const reachable = await Promise.all(stuck.map(subnet => hasSsmEndpoints(ec2, region, subnet.vpc)))
  const shut = stuck.filter((_, index) => !reachable[index])
  if (shut.length > 0 && wish.waitFor !== 'running') {
    const ids = shut.map(subnet => subnet.id).join(', ')
    throw new UserFault(
      `subnet-id: ${ids} has no way out (no default route, no endpoints for Systems Manager), so the machine could not be reached`,
    )
  }
  return {
    subnets,
    warnings,
    publicIpSubnets: new Set(
      subnets.filter(one => ways.get(one.id) === 'internet-gateway' && !one.givesPublicIp).map(one => one.id),
    ),
  }
}

/** Types that may share the faults of others are asked in parallel; every fault is collected. */
function collect(results: readonly PromiseSettledResult<unknown>[], faults: string[]): void {
  for (const result of results) {
    if (result.status === 'fulfilled') continue
    const error: unknown = result.reason
    if (error instanceof UserFault) {
      faults.push(error.message, ...error.faults)
    } else if (error instanceof OutsideFault) {
      // Bad credentials fail every call in the same way: said once, in their own words.
      const fault = faultOf(error.cause)
      if (fault !== 'denied' && fault !== 'invalid') throw error
      faults.push(`${error.message}: ${messageOf(error.cause)}. ${error.advice}`)
    } else throw error
  }
}

const value = <T>(result: PromiseSettledResult<T>): T => {
  if (result.status === 'rejected') throw result.reason
  return result.value
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

/**
 * Checks, for free and in parallel, everything that would make a launch useless, and plans its offers.
 * @throws UserFault that lists every fault that was found, OutsideFault when AWS could not be asked
 */
export async function prepareLaunch(clients: AwsClients, wish: Ec2Wish): Promise<Prepared> {
  const faults = [...localFaults(wish)]
  const { region } = clients
  const ec2 = clients.ec2()
  const results = await Promise.allSettled([
    accountOf(clients),
    describeTypes(ec2, region, wish.instanceTypes),
    describeZones(ec2, region, wish.instanceTypes),
    findImages({ ec2, ssm: () => clients.ssm(), region }, wish.image),
    checkNetwork(clients, wish),
    wish.waitFor === 'running' ? Promise.resolve() : checkSsm(clients),
  ])
  collect(results, faults)
  const refuse = (): UserFault =>
    new UserFault(
      `The checks before the launch found ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}, nothing was launched`,
      faults,
    )
  if (results.some(result => result.status === 'rejected')) throw refuse()
  const [account, types, zones, images, network] = [
    value(results[0]),
    value(results[1]),
    value(results[2]),
    value(results[3]),
    value(results[4]),
  ]
  const plan = planOffers({
    place: { account, region },
    instanceTypes: wish.instanceTypes,
    types,
    zones,
    subnets: network.subnets,
    images,
    needs: wish.needs,
    needsGpu: wish.waitFor === 'gpu',
    maxUsdPerHour: wish.maxUsdPerHour,
  })
  if (plan.offers.length === 0) faults.push(...plan.leftOut)
  faults.push(...new Set(spaceFaults(wish, [...plan.images.values()])))
  if (faults.length > 0) throw refuse()
  const spec: LaunchSpec = {
    images: plan.images,
    publicIpSubnets: network.publicIpSubnets,
    securityGroupId: wish.securityGroupId,
    instanceProfileName: wish.instanceProfileName,
    volumeSizeGib: wish.volumeSizeGib,
    volumeType: wish.volumeType,
    userData: wish.userData,
    tags: wish.tags,
  }
  return { account, plan, spec, warnings: network.warnings }
}
