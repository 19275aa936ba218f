import { AwsError, invalidValue } from '../aws/errors.ts'
import { text, texts, type QueryNode } from '../aws/query.ts'
import { items, type Xml } from '../aws/xml.ts'
import { instanceTypes, offeredIn, typeNamed, type InstanceTypeData } from '../world/instance-types.ts'
import type { RegionData } from '../world/network.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import { page } from './pages.ts'

const typeFields: Fields<InstanceTypeData> = {
  'instance-type': ({ name }) => [name],
  'processor-info.supported-architecture': ({ architecture }) => [architecture],
  'vcpu-info.default-vcpus': ({ vcpus }) => [vcpus],
  'memory-info.size-in-mib': ({ memoryMib }) => [memoryMib],
  'current-generation': ({ currentGeneration }) => [currentGeneration],
  'bare-metal': () => [false],
  'burstable-performance-supported': ({ burstable }) => [burstable],
  'instance-storage-supported': ({ store }) => [store !== null],
  hypervisor: ({ hypervisor }) => [hypervisor],
  'supported-usage-class': type => usageClasses(type),
  'supported-root-device-type': () => ['ebs'],
  'supported-virtualization-type': () => ['hvm'],
}

const usageClasses = ({ inBlocks }: InstanceTypeData): readonly string[] => [
  'on-demand',
  'spot',
  ...(inBlocks ? ['capacity-block'] : []),
]

/** DescribeInstanceTypes. */
export function describeInstanceTypes(node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const names = texts(node, 'InstanceType')
  const known = (name: string): InstanceTypeData | undefined => {
    const type = typeNamed(name)
    return type !== undefined && region.zones.some(zone => offeredIn(zone.name, name)) ? type : undefined
  }
  const unknown = names.filter(name => known(name) === undefined)
  if (unknown.length > 0)
    throw new AwsError(
      'InvalidInstanceType',
      `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
    )
  const filters = readFilters(node)
  checkFilters(filters, typeFields)
  const candidates = (names.length > 0 ? names : instanceTypes.map(({ name }) => name)).flatMap(
    name => known(name) ?? [],
  )
  const fitting = candidates.filter(type => passes(type, filters, typeFields))
  const { members, nextToken } = page(node, fitting, ({ name }) => name, { most: 100, unasked: 100 })
  return { instanceTypeSet: items(members.map(typeView)), nextToken }
}

function typeView(type: InstanceTypeData): Xml {
  const { gpu, store } = type
  return {
    instanceType: type.name,
    currentGeneration: type.currentGeneration,
    freeTierEligible: type.name === 't3.micro',
    supportedUsageClasses: items(usageClasses(type)),
    supportedRootDeviceTypes: items(['ebs']),
    supportedVirtualizationTypes: items(['hvm']),
    bareMetal: false,
    hypervisor: type.hypervisor,
    processorInfo: {
      supportedArchitectures: items([type.architecture]),
      sustainedClockSpeedInGhz: type.clockGhz,
      manufacturer: type.manufacturer,
    },
    vCpuInfo: {
      defaultVCpus: type.vcpus,
      defaultCores: type.vcpus / type.threadsPerCore,
      defaultThreadsPerCore: type.threadsPerCore,
    },
    memoryInfo: { sizeInMiB: type.memoryMib },
    instanceStorageSupported: store !== null,
    instanceStorageInfo:
      store === null
        ? undefined
        : {
            totalSizeInGB: store.disks * store.sizeGb,
            disks: items([{ sizeInGB: store.sizeGb, count: store.disks, type: 'ssd' }]),
            nvmeSupport: 'required',
            encryptionSupport: 'required',
          },
    ebsInfo: {
      ebsOptimizedSupport: 'default',
      encryptionSupport: 'supported',
      nvmeSupport: type.hypervisor === 'nitro' ? 'required' : 'unsupported',
    },
    networkInfo: { networkPerformance: type.network, enaSupport: 'required', ipv6Supported: true },
    gpuInfo:
      gpu === null
        ? undefined
        : {
            gpus: items([
              {
                name: gpu.name,
                manufacturer: 'NVIDIA',
                count: gpu.count,
                memoryInfo: { sizeInMiB: gpu.memoryMib },
              },
            ]),
            totalGpuMemoryInMiB: gpu.count * gpu.memoryMib,
          },
    placementGroupInfo: { supportedStrategies: items(['cluster', 'partition', 'spread']) },
    hibernationSupported: false,
    burstablePerformanceSupported: type.burstable,
    dedicatedHostsSupported: true,
    autoRecoverySupported: store === null,
    supportedBootModes: items(type.architecture === 'arm64' ? ['uefi'] : ['legacy-bios', 'uefi']),
  }
}

interface Offering {
  readonly type: string
  readonly location: string
}

const offeringFields: Fields<Offering> = {
  'instance-type': ({ type }) => [type],
  location: ({ location }) => [location],
}

/** DescribeInstanceTypeOfferings by region, zone or zone id. */
export function describeInstanceTypeOfferings(node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const locationType = text(node, 'LocationType') ?? 'region'
  const filters = readFilters(node)
  checkFilters(filters, offeringFields)
  const offerings = instanceTypes.flatMap(({ name }): readonly Offering[] => {
    const zones = region.zones.filter(zone => offeredIn(zone.name, name))
    if (locationType === 'region') return zones.length > 0 ? [{ type: name, location: region.name }] : []
    if (locationType === 'availability-zone') return zones.map(zone => ({ type: name, location: zone.name }))
    if (locationType === 'availability-zone-id') return zones.map(zone => ({ type: name, location: zone.id }))
    throw invalidValue(`Value (${locationType}) for parameter locationType is invalid.`)
  })
  const fitting = offerings.filter(offering => passes(offering, filters, offeringFields))
  const { members, nextToken } = page(node, fitting, ({ type, location }) => `${type}@${location}`)
  return {
    instanceTypeOfferingSet: items(
      members.map(({ type, location }) => ({ instanceType: type, locationType, location })),
    ),
    nextToken,
  }
}
