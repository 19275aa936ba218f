import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { UserFault } from '@gpu-actions/action-kit/ports'
import type { Market } from '@gpu-actions/lease'
import type { AwsClients } from '../clients.ts'
import { calling } from '../errors.ts'
import { describeTypes, describeZones, lacks, type InstanceTypeFacts } from './catalogue.ts'
import { findImages, type ImageFacts } from './image.ts'
import { checkSecurityGroup, findWaysOut, hasSsmEndpoints, type SubnetFacts } from './network.ts'
import { storagePrice, type StoragePrice } from './prices/extras.ts'
import { onDemandPrices, type FoundPrice } from './prices/on-demand.ts'
import { spotPrices, type SpotPrices } from './prices/spot.ts'
import { findQuotas, type QuotaFacts } from './quotas.ts'
import { findReservation, type ReservationFacts } from './reservation.ts'
import type { Ec2Wish } from './wish.ts'

/** The subnets of a region, each with a way to Systems Manager where one is needed. */
export interface Network {
  readonly subnets: readonly SubnetFacts[]
  /** Ids of those whose only way out needs a public address that they do not give by themselves. */
  readonly publicIpSubnets: ReadonlySet<string>
  readonly warnings: readonly string[]
}

/** What was found out about a region. */
export interface RegionFacts {
  readonly region: string
  readonly types: ReadonlyMap<string, InstanceTypeFacts>
  readonly zones: ReadonlyMap<string, ReadonlySet<string>>
  readonly network: Network
  /** Best first. */
  readonly images: readonly ImageFacts[]
  readonly onDemand: ReadonlyMap<string, FoundPrice>
  readonly spot: SpotPrices
  readonly storage: StoragePrice | null
  readonly quotas: readonly QuotaFacts[]
  readonly reservation: ReservationFacts | null
  /** The service's time, milliseconds since the epoch. */
  readonly now: number
}

/** In the order in which they are tried. */
export const marketsOf = (wish: Pick<Ec2Wish, 'market'>): readonly Market[] =>
  wish.market === 'spot-then-on-demand' ? ['spot', 'on-demand'] : [wish.market]

/** Systems Manager may be asked, by asking it. */
async function checkSsm(clients: AwsClients): Promise<void> {
  const call = {
    doing: 'Asking Systems Manager for its machines',
    permission: 'ssm:DescribeInstanceInformation',
    region: clients.region,
  }
  await calling(call, () => clients.ssm().send(new DescribeInstanceInformationCommand({ MaxResults: 5 })))
}

async function checkNetwork(
  clients: AwsClients,
  wish: Ec2Wish,
  found: Promise<readonly SubnetFacts[]>,
): Promise<Network> {
  const ec2 = clients.ec2()
  const { region } = clients
  const subnets = await found
  if (subnets.length === 0) {
    throw new UserFault(`subnet-id: none of ${wish.subnetIds.join(', ')} is in ${region}, or not in this account`)
  }
  const [ways, warnings] = await Promise.all([
    findWaysOut(ec2, region, subnets),
    checkSecurityGroup(ec2, region, { id: wish.securityGroupId, subnets }),
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

/** What is known once the types are: prices and quotas. */
async function askAboutTypes(clients: AwsClients, wish: Ec2Wish, names: Promise<readonly string[]>) {
  const types = await names
  const markets = marketsOf(wish)
  const paid = types.length > 0 && markets.includes('on-demand')
  const [onDemand, spot, quotas] = await Promise.all([
    paid ? onDemandPrices(clients, types) : new Map<string, FoundPrice>(),
    types.length > 0 && markets.includes('spot') ? spotPrices(clients, types) : () => ({ price: null, note: null }),
    // A reservation counts against the quota itself, whether it is used or not.
    wish.reservationId === undefined ? findQuotas(clients, types, markets) : [],
  ])
  return { onDemand, spot, quotas }
}

/** Names that the wish has, or those that the needs alone choose. */
async function namesOf(
  wish: Ec2Wish,
  types: Promise<ReadonlyMap<string, InstanceTypeFacts>>,
): Promise<readonly string[]> {
  if (wish.instanceTypes.length > 0) return wish.instanceTypes
  // What fails there is told there.
  const found = await types.catch(() => new Map<string, InstanceTypeFacts>())
  return [...found.values()]
    .filter(type => lacks(type, wish.needs, wish.waitFor === 'gpu').length === 0)
    .map(({ name }) => name)
}

const value = <T>(result: PromiseSettledResult<T>): T => {
  if (result.status === 'rejected') throw result.reason
  return result.value
}

/**
 * Looks up, for free and in parallel, everything about a region that a launch needs or that would make it useless.
 * @returns the facts, or every error that was met
 */
export async function lookUpRegion(
  clients: AwsClients,
  wish: Ec2Wish,
  subnets: Promise<readonly SubnetFacts[]>,
): Promise<RegionFacts | readonly unknown[]> {
  const { region } = clients
  const ec2 = clients.ec2()
  const types = describeTypes(ec2, region, wish.instanceTypes)
  const results = await Promise.allSettled([
    types,
    describeZones(ec2, region, wish.instanceTypes),
    findImages({ ec2, ssm: () => clients.ssm(), region }, wish.image),
    checkNetwork(clients, wish, subnets),
    wish.waitFor === 'running' ? Promise.resolve() : checkSsm(clients),
    askAboutTypes(clients, wish, namesOf(wish, types)),
    storagePrice(clients, wish.volumeType ?? 'gp3'),
    wish.reservationId === undefined ? null : findReservation(clients, wish.reservationId),
  ])
  const errors = results.flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (errors.length > 0) return errors
  return {
    region,
    types: value(results[0]),
    zones: value(results[1]),
    images: value(results[2]),
    network: value(results[3]),
    ...value(results[5]),
    storage: value(results[6]),
    reservation: value(results[7]),
    now: clients.serviceNow(),
  }
}
