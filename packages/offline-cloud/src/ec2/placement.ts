import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { offeredIn } from '../world/instance-types.ts'
import type { RegionData, SubnetData, ZoneData } from '../world/network.ts'
import { countAt } from '../world/schedule.ts'
import type { LaunchRequest } from './launch-request.ts'
import { reservationById, roomForLaunch } from './reservations.ts'
import { spotPrice } from './spot-market.ts'
import { allowedByQuota } from './vcpu-quotas.ts'

/** Where a launch goes, and how many machines the place has room for. */
export interface Place {
  readonly zone: ZoneData
  readonly subnet: SubnetData
  readonly count: number
}

const noSpotCapacity = (): AwsError =>
  new AwsError('InsufficientInstanceCapacity', 'There is no Spot capacity available that matches your request.', 500)

const noCapacity = (type: string, zone: string | null, others: readonly string[]): AwsError =>
  new AwsError(
    'InsufficientInstanceCapacity',
    zone === null
      ? `We currently do not have sufficient ${type} capacity in zones with support for 'gp3' volumes. Our system ` +
          'will be working on provisioning additional capacity.'
      : `We currently do not have sufficient ${type} capacity in the Availability Zone you requested (${zone}). Our ` +
          `system will be working on provisioning additional capacity. You can currently get ${type} capacity by not ` +
          `specifying an Availability Zone in your request or choosing ${others.join(', ')}.`,
    500,
  )

/**
 * Finds the zone for a launch. Throws Unsupported where the type is not offered, then what the quota, the price or the
 * reservation forbids, then InsufficientInstanceCapacity.
 */
export function choosePlace(cloud: Cloud, request: LaunchRequest, region: RegionData): Place {
  const type = request.type.name
  const offered = region.zones.filter(({ name }) => offeredIn(name, type))
  const zones = request.zone === null ? offered : offered.filter(({ name }) => name === request.zone)
  const others = offered.map(({ name }) => name).filter(name => name !== request.zone)
  if (zones.length === 0)
    throw new AwsError(
      'Unsupported',
      request.zone === null
        ? `The requested configuration is currently not supported. ${type} is not offered in ${region.name}.`
        : `Your requested instance type (${type}) is not supported in your requested Availability Zone ` +
            `(${request.zone}). Please retry your request by not specifying an Availability Zone or choosing ` +
            `${others.join(', ')}.`,
    )
  const { choice } = request
  const room =
    choice.market === 'capacity-block'
      ? request.most
      : allowedByQuota(cloud, region.name, request.type, choice.market, request)
  if (choice.reservation !== null) return reservedPlace(cloud, request, region, choice.reservation, room)
  const affordable = choice.market === 'spot' ? affordableZones(cloud, request, region, zones) : zones
  const refused = choice.market === 'spot' ? noSpotCapacity() : noCapacity(type, request.zone, others)
  return placeWithCapacity(cloud, { ...request, most: room }, region, affordable, refused)
}

function placeWithCapacity(
  cloud: Cloud,
  request: LaunchRequest,
  region: RegionData,
  zones: readonly ZoneData[],
  refused: AwsError,
): Place {
  const type = request.type.name
  const isSpot = request.choice.market === 'spot'
  const target = { service: 'ec2', operation: 'RunInstances', region: region.name, instanceType: type } as const
  if (cloud.faults.take(['capacity'], target) !== null) throw refused
  for (const zone of zones) {
    const struck = cloud.faults.take(['capacity'], { ...target, zone: zone.name }, fault => fault.zone !== undefined)
    const room = struck === null ? Math.min(request.most, roomIn(cloud, zone.name, type, isSpot)) : 0
    const subnet = subnetFor(request, region, zone)
    if (room >= request.least && subnet !== undefined) return { zone, subnet, count: room }
  }
  throw refused
}

/** A place for one spot instance that is asked for no longer; null while there is none. */
export function freeSpotPlace(cloud: Cloud, request: LaunchRequest, region: RegionData): Place | null {
  const type = request.type.name
  const most = request.choice.spot?.maxPrice ?? Number.POSITIVE_INFINITY
  for (const zone of region.zones) {
    const isMeant = request.zone === null || request.zone === zone.name
    if (!isMeant || !offeredIn(zone.name, type) || spotPrice(cloud, region.name, zone.name, type) > most) continue
    const subnet = subnetFor(request, region, zone)
    if (subnet !== undefined && roomIn(cloud, zone.name, type, true) > 0) return { zone, subnet, count: 1 }
  }
  return null
}

const subnetFor = (request: LaunchRequest, region: RegionData, zone: ZoneData): SubnetData | undefined =>
  request.subnet ?? region.subnets.find(candidate => candidate.isDefault && candidate.zone === zone.name)

function reservedPlace(cloud: Cloud, request: LaunchRequest, region: RegionData, id: string, most: number): Place {
  const reservation = reservationById(cloud, region, id)
  const count = roomForLaunch(cloud, reservation, { ...request, most })
  const subnet = subnetFor(request, region, reservation.zone)
  if (subnet === undefined) throw new AwsError('MissingInput', 'No subnets found for the default VPC.')
  return { zone: reservation.zone, subnet, count }
}

// Without a maximum the on-demand price is the cap, which EC2 itself never goes above: then every zone will do.
function affordableZones(
  cloud: Cloud,
  request: LaunchRequest,
  region: RegionData,
  zones: readonly ZoneData[],
): readonly ZoneData[] {
  const { spot } = request.choice
  if (spot === null || spot.maxPrice === null) return zones
  const { maxPrice } = spot
  const prices = zones.map(zone => ({ zone, price: spotPrice(cloud, region.name, zone.name, request.type.name) }))
  const affordable = prices.filter(({ price }) => price <= maxPrice).map(({ zone }) => zone)
  if (affordable.length > 0) return affordable
  throw new AwsError(
    'SpotMaxPriceTooLow',
    `Your Spot request price of ${maxPrice} is lower than the minimum required Spot request fulfillment price of ` +
      `${Math.min(...prices.map(({ price }) => price))}.`,
  )
}

// Spot and on-demand have pools of their own, and what is reserved is in neither.
function roomIn(cloud: Cloud, zone: string, type: string, isSpot: boolean): number {
  const limit = isSpot ? cloud.spot[zone]?.[type]?.capacity : cloud.capacity[zone]?.[type]
  if (limit === undefined) return Number.POSITIVE_INFINITY
  const lifecycle = isSpot ? 'spot' : null
  const living = [...cloud.ec2.instances.values()].filter(
    instance =>
      instance.zone.name === zone &&
      instance.type.name === type &&
      instance.lifecycle === lifecycle &&
      instance.capacityReservation === null &&
      instance.state !== 'terminated',
  )
  return Math.max(0, countAt(limit, (cloud.clock.now() - cloud.startedAt) / 1000) - living.length)
}
