import { AwsError } from '../aws/errors.ts'
import { flag, texts, type QueryNode } from '../aws/query.ts'
import { items, type Xml } from '../aws/xml.ts'
import { regions, regionsNotOptedIn, type RegionData, type ZoneData } from '../world/network.ts'
import type { Fields } from './filters.ts'
import { select, type Answer } from './select.ts'

interface ListedRegion {
  readonly name: string
  readonly optIn: 'opt-in-not-required' | 'not-opted-in'
}

const listedRegions: readonly ListedRegion[] = [
  ...regions.map(({ name }) => ({ name, optIn: 'opt-in-not-required' as const })),
  ...regionsNotOptedIn.map(name => ({ name, optIn: 'not-opted-in' as const })),
]

/** DescribeRegions: those that the account can use; all of them with `AllRegions`, or where they are named. */
export function describeRegions(node: QueryNode): Answer {
  const fields: Fields<ListedRegion> = {
    'region-name': ({ name }) => [name],
    endpoint: ({ name }) => [`ec2.${name}.amazonaws.com`],
    'opt-in-status': ({ optIn }) => [optIn],
  }
  const names = texts(node, 'RegionName')
  for (const name of names) {
    if (!listedRegions.some(region => region.name === name))
      throw new AwsError('InvalidParameterValue', `Invalid region names: [${name}]`)
  }
  const isAll = names.length > 0 || flag(node, 'AllRegions') === true
  const listed = listedRegions.filter(({ optIn }) => isAll || optIn !== 'not-opted-in')
  const wanted = { ids: names, key: ({ name }: ListedRegion) => name, code: 'InvalidParameterValue', word: 'region' }
  const view = ({ name, optIn }: ListedRegion): Xml => ({
    regionName: name,
    regionEndpoint: `ec2.${name}.amazonaws.com`,
    optInStatus: optIn,
  })
  return { regionInfo: items(select(node, listed, fields, wanted).map(view)) }
}

/** DescribeAvailabilityZones of the region. */
export function describeAvailabilityZones(node: QueryNode, region: RegionData): Answer {
  const fields: Fields<ZoneData> = {
    'zone-name': ({ name }) => [name],
    'zone-id': ({ id }) => [id],
    'zone-type': () => ['availability-zone'],
    'region-name': () => [region.name],
    'group-name': () => [region.name],
    state: () => ['available'],
    'opt-in-status': () => ['opt-in-not-required'],
  }
  const byId = texts(node, 'ZoneId').map(id => region.zones.find(zone => zone.id === id)?.name ?? id)
  const ids = [...texts(node, 'ZoneName'), ...byId]
  for (const name of ids) {
    if (!region.zones.some(zone => zone.name === name))
      throw new AwsError('InvalidParameterValue', `Invalid availability zone: [${name}]`)
  }
  const wanted = { ids, key: ({ name }: ZoneData) => name, code: 'InvalidParameterValue', word: 'zone' }
  const view = ({ name, id }: ZoneData): Xml => ({
    zoneName: name,
    zoneId: id,
    zoneState: 'available',
    regionName: region.name,
    groupName: region.name,
    networkBorderGroup: region.name,
    zoneType: 'availability-zone',
    optInStatus: 'opt-in-not-required',
    messageSet: '',
  })
  return { availabilityZoneInfo: items(select(node, region.zones, fields, wanted).map(view)) }
}
