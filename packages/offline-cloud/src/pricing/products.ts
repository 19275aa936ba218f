import { createHash } from 'node:crypto'
import { instanceTypes, offeredIn, type InstanceTypeData } from '../world/instance-types.ts'
import { regions, type RegionData } from '../world/network.ts'
import { addressPrice, onDemandPrice, storagePrice } from '../world/prices.ts'

/** A product of the price list: what a filter looks at, and what it costs. */
export interface Product {
  readonly service: string
  readonly family: string
  readonly attributes: Readonly<Record<string, string>>
  readonly unit: string
  readonly usd: number
  readonly about: string
}

const places: Readonly<Record<string, readonly [prefix: string, location: string]>> = {
  'us-east-1': ['', 'US East (N. Virginia)'],
  'us-west-2': ['USW2-', 'US West (Oregon)'],
  'eu-central-1': ['EUC1-', 'EU (Frankfurt)'],
}

interface Variant {
  readonly usage: string
  readonly attributes: Readonly<Record<string, string>>
  readonly factor: number
  readonly extraPerVcpu: number
  readonly about: string
}

const base = {
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  licenseModel: 'No License required',
  marketoption: 'OnDemand',
  operation: 'RunInstances',
} as const

const variant = (
  usage: string,
  about: string,
  attributes: Readonly<Record<string, string>> = {},
  factor = 1,
  extraPerVcpu = 0,
): Variant => ({ usage, about, attributes: { ...base, ...attributes }, factor, extraPerVcpu })

// Why one type has many SKUs. Those for nothing are there on AWS too: a reader must know which one it wants.
const variants: readonly Variant[] = [
  variant('UnusedBox', 'Unused Reservation Linux', { capacitystatus: 'UnusedCapacityReservation' }),
  variant('Reservation', 'Reservation Linux', { capacitystatus: 'AllocatedCapacityReservation' }, 0),
  variant('BoxUsage', 'On Demand Linux'),
  variant('DedicatedUsage', 'Dedicated Usage Linux', { tenancy: 'Dedicated' }, 1.06),
  variant('HostBoxUsage', 'Dedicated Host Linux', { tenancy: 'Host' }, 0),
  variant(
    'BoxUsage',
    'On Demand Linux with SQL Std',
    { preInstalledSw: 'SQL Std', operation: 'RunInstances:0004' },
    1,
    0.12,
  ),
  variant('BoxUsage', 'On Demand RHEL', { operatingSystem: 'RHEL', operation: 'RunInstances:0010' }, 1, 0.0144),
  variant('BoxUsage', 'On Demand Windows', { operatingSystem: 'Windows', operation: 'RunInstances:0002' }, 1, 0.046),
  variant('BoxUsage', 'On Demand Windows BYOL', {
    operatingSystem: 'Windows',
    licenseModel: 'Bring your own license',
    operation: 'RunInstances:0800',
  }),
]

// A capacity block is paid when it is bought, so its hours cost nothing; it differs in its market alone.
const inBlock = variant(
  'CapacityBlock',
  'Capacity Block Linux',
  { marketoption: 'CapacityBlock', operation: 'RunInstances:CB' },
  0,
)

function instanceProducts(region: RegionData, type: InstanceTypeData): readonly Product[] {
  const [prefix = '', location = region.name] = places[region.name] ?? []
  return [...(type.inBlocks ? [inBlock] : []), ...variants].map(
    ({ usage, attributes, factor, extraPerVcpu, about }) => {
      const usd = (onDemandPrice(region.name, type.name) + extraPerVcpu * type.vcpus) * factor
      return {
        service: 'AmazonEC2',
        family: 'Compute Instance',
        unit: 'Hrs',
        usd,
        about: `per ${about} ${type.name} Instance Hour`,
        attributes: {
          ...attributes,
          servicecode: 'AmazonEC2',
          servicename: 'Amazon Elastic Compute Cloud',
          location,
          locationType: 'AWS Region',
          regionCode: region.name,
          instanceType: type.name,
          instanceFamily: type.gpu === null ? 'General purpose' : 'GPU instance',
          currentGeneration: type.currentGeneration ? 'Yes' : 'No',
          vcpu: String(type.vcpus),
          memory: `${type.memoryMib / 1024} GiB`,
          ...(type.gpu === null ? {} : { gpu: String(type.gpu.count) }),
          networkPerformance: type.network,
          usagetype: `${prefix}${usage}:${type.name}`,
        },
      }
    },
  )
}

function storageProducts(region: RegionData): readonly Product[] {
  const [prefix = '', location = region.name] = places[region.name] ?? []
  return (['gp3', 'gp2'] as const).map(volumeApiName => ({
    service: 'AmazonEC2',
    family: 'Storage',
    unit: 'GB-Mo',
    usd: storagePrice(region.name, volumeApiName),
    about: `per GB-month of General Purpose (${volumeApiName}) provisioned storage - ${location}`,
    attributes: {
      servicecode: 'AmazonEC2',
      servicename: 'Amazon Elastic Compute Cloud',
      location,
      locationType: 'AWS Region',
      regionCode: region.name,
      volumeApiName,
      volumeType: 'General Purpose',
      storageMedia: 'SSD-backed',
      maxVolumeSize: '16 TiB',
      usagetype: `${prefix}EBS:VolumeUsage.${volumeApiName}`,
      operation: '',
    },
  }))
}

function addressProducts(region: RegionData): readonly Product[] {
  const [prefix = '', location = region.name] = places[region.name] ?? []
  return (['In-use', 'Idle'] as const).map(kind => ({
    service: 'AmazonVPC',
    family: 'VpcPublicIPv4Address',
    unit: 'Hrs',
    usd: addressPrice,
    about: `per ${kind} public IPv4 address per hour`,
    attributes: {
      servicecode: 'AmazonVPC',
      servicename: 'Amazon Virtual Private Cloud',
      location,
      locationType: 'AWS Region',
      regionCode: region.name,
      group: 'VPCPublicIPv4Address',
      groupDescription: `Hourly charge for ${kind} Public IPv4 Addresses`,
      usagetype: `${prefix}PublicIPv4:${kind === 'Idle' ? 'IdleAddress' : 'InUseAddress'}`,
      operation: '',
    },
  }))
}

const isOffered = (region: RegionData, { name }: InstanceTypeData): boolean =>
  region.zones.some(zone => offeredIn(zone.name, name))

/** The whole price list. */
export const products: readonly Product[] = regions.flatMap(region => [
  ...instanceTypes.filter(type => isOffered(region, type)).flatMap(type => instanceProducts(region, type)),
  ...storageProducts(region),
  ...addressProducts(region),
])

/** Of what is sold on demand the terms are the same everywhere. */
const onDemandTerm = 'JRTCKXETXF'
const rate = '6YS6EN2CT7'

/** A product's SKU: sixteen characters that stay the same from start to start. */
const skuOf = ({ attributes, family }: Product): string =>
  createHash('sha256')
    .update(JSON.stringify([family, attributes]))
    .digest('hex')
    .slice(0, 16)
    .toUpperCase()

/** A product as an item of `PriceList`, which is JSON in a string. */
export function productText(product: Product): string {
  const sku = skuOf(product)
  const term = `${sku}.${onDemandTerm}`
  const usd = product.usd.toFixed(10)
  return JSON.stringify({
    product: { productFamily: product.family, attributes: product.attributes, sku },
    serviceCode: product.service,
    terms: {
      OnDemand: {
        [term]: {
          priceDimensions: {
            [`${term}.${rate}`]: {
              unit: product.unit,
              endRange: 'Inf',
              description: `$${Number(usd)} ${product.about}`,
              appliesTo: [],
              rateCode: `${term}.${rate}`,
              beginRange: '0',
              pricePerUnit: { USD: usd },
            },
          },
          sku,
          effectiveDate: '2026-11-01T00:00:00Z',
          offerTermCode: onDemandTerm,
          termAttributes: {},
        },
      },
    },
    version: '20261120191500',
    publicationDate: '2026-11-20T19:15:00Z',
  })
}
