import { AwsError, invalidValue } from '../aws/errors.ts'
import { text, texts, type QueryNode } from '../aws/query.ts'
import { items, time } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { instanceTypes, offeredIn } from '../world/instance-types.ts'
import type { RegionData, ZoneData } from '../world/network.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import { page } from './pages.ts'
import type { Answer } from './select.ts'
import { priceSteps, type PriceStep } from './spot-market.ts'

/** A spot price and since when it holds, in ms. */
interface Price {
  readonly zone: ZoneData
  readonly type: string
  readonly product: string
  readonly usd: string
  readonly at: number
}

const hour = 3_600_000

// What the price of the cloud's start was before, by its age then.
const past: readonly (readonly [hours: number, factor: number])[] = [
  [2, 1],
  [14, 1.04],
  [36, 0.94],
  [60, 1.07],
]

// Windows comes on top, as it does on AWS: who does not ask for Linux gets both.
const products: readonly (readonly [name: string, factor: number])[] = [
  ['Linux/UNIX', 1],
  ['Windows', 1.6],
]

const fields: Fields<Price> = {
  'availability-zone': ({ zone }) => [zone.name],
  'availability-zone-id': ({ zone }) => [zone.id],
  'instance-type': ({ type }) => [type],
  'product-description': ({ product }) => [product],
  'spot-price': ({ usd }) => [usd],
  timestamp: ({ at }) => [time(at)],
}

/**
 * DescribeSpotPriceHistory, newest first. What held at `StartTime` is part of the answer though it is older; without
 * `StartTime` everything is.
 */
export function describeSpotPriceHistory(cloud: Cloud, node: QueryNode, region: RegionData): Answer {
  const filters = readFilters(node)
  checkFilters(filters, fields)
  const start = readTime(node, 'StartTime') ?? 0
  const end = readTime(node, 'EndTime') ?? Number.POSITIVE_INFINITY
  if (start > end) throw invalidValue('The start time must not be after the end time.')
  const prices = seriesOf(cloud, node, region)
    .flatMap(series => {
      const since = series.filter(({ at }) => at <= end)
      const before = since.findIndex(({ at }) => at <= start)
      return before === -1 ? since : since.slice(0, before + 1)
    })
    .filter(price => passes(price, filters, fields))
    .sort((a, b) => b.at - a.at)
  const { members, nextToken } = page(
    node,
    prices,
    ({ zone, type, product, at }) => `${zone.name}/${type}/${product}/${at}`,
    {
      least: 1,
      unasked: 1000,
    },
  )
  return {
    spotPriceHistorySet: items(
      members.map(({ zone, type, product, usd, at }) => ({
        instanceType: type,
        productDescription: product,
        spotPrice: usd,
        timestamp: time(at),
        availabilityZone: zone.name,
        availabilityZoneId: zone.id,
      })),
    ),
    // As on AWS, the last page has an empty token.
    nextToken: nextToken ?? '',
  }
}

// The prices of each type, zone and product that the request names, each newest first.
function seriesOf(cloud: Cloud, node: QueryNode, region: RegionData): readonly (readonly Price[])[] {
  const zones = zonesOf(node, region)
  const types = texts(node, 'InstanceType')
  for (const name of types) {
    if (!instanceTypes.some(type => type.name === name)) throw invalidValue(`Invalid instance type: ${name}`)
  }
  const asked = texts(node, 'ProductDescription').map(name => name.replace(/ \(Amazon VPC\)$/, ''))
  return zones.flatMap(zone =>
    instanceTypes
      .filter(({ name }) => (types.length === 0 || types.includes(name)) && offeredIn(zone.name, name))
      .flatMap(({ name }) =>
        products
          .filter(([product]) => asked.length === 0 || asked.includes(product))
          .map(([product, factor]) =>
            pricesOf(cloud, region.name, zone.name, name).map(({ usd, at }): Price => ({
              zone,
              type: name,
              product,
              usd: (usd * factor).toFixed(6),
              at: Math.floor(at / 1000) * 1000,
            })),
          ),
      ),
  )
}

// Newest first: what has changed since the start, then what the first price was before.
function pricesOf(cloud: Cloud, region: string, zone: string, type: string): readonly PriceStep[] {
  const [first, ...changes] = priceSteps(cloud, region, zone, type)
  if (first === undefined) return []
  return [
    ...changes.toReversed(),
    ...past.map(([hours, factor]) => ({ usd: first.usd * factor, at: cloud.startedAt - hours * hour })),
  ]
}

function zonesOf(node: QueryNode, region: RegionData): readonly ZoneData[] {
  const name = text(node, 'AvailabilityZone')
  const id = text(node, 'AvailabilityZoneId')
  if (name === undefined && id === undefined) return region.zones
  const zone = region.zones.find(candidate => candidate.name === name || candidate.id === id)
  if (zone === undefined) throw invalidValue(`Invalid availability zone: [${name ?? id}]`)
  return [zone]
}

function readTime(node: QueryNode, name: string): number | undefined {
  const given = text(node, name)
  if (given === undefined) return undefined
  const at = Date.parse(given)
  if (Number.isNaN(at))
    throw new AwsError('InvalidParameterValue', `Value (${given}) for parameter ${name} is invalid.`)
  return at
}
