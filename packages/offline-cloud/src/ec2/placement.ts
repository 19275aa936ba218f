import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { offeredIn } from '../world/instance-types.ts'
import type { RegionData, SubnetData, ZoneData } from '../world/network.ts'
import type { LaunchRequest } from './launch-request.ts'

/** Where a launch goes, and how many machines the place has room for. */
export interface Place {
  readonly zone: ZoneData
  readonly subnet: SubnetData
  readonly count: number
}

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

/** Finds the zone for a launch. Throws Unsupported where the type is not offered, InsufficientInstanceCapacity else. */
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
  const target = { service: 'ec2', operation: 'RunInstances', region: region.name, instanceType: type } as const
  if (cloud.faults.take(['capacity'], target) !== null) throw noCapacity(type, request.zone, others)
  for (const zone of zones) {
    const struck = cloud.faults.take(['capacity'], { ...target, zone: zone.name }, fault => fault.zone !== undefined)
    const room = struck === null ? Math.min(request.most, roomIn(cloud, zone.name, type)) : 0
    const subnet =
      request.subnet ?? region.subnets.find(candidate => candidate.isDefault && candidate.zone === zone.name)
    if (room >= request.least && subnet !== undefined) return { zone, subnet, count: room }
  }
  throw noCapacity(type, request.zone, others)
}

function roomIn(cloud: Cloud, zone: string, type: string): number {
  const limit = cloud.capacity[zone]?.[type]
  if (limit === undefined) return Number.POSITIVE_INFINITY
  const living = [...cloud.ec2.instances.values()].filter(
    instance => instance.zone.name === zone && instance.type.name === type && instance.state !== 'terminated',
  )
  return Math.max(0, limit - living.length)
}
