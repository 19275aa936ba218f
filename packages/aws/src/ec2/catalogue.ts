import {
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
  type DescribeInstanceTypesCommandInput,
  type EC2Client,
  type InstanceTypeInfo,
  type _InstanceType,
} from '@aws-sdk/client-ec2'
import type { Gpu, Market } from '@gpu-actions/lease'
import { calling, codeOf } from '../errors.ts'

export interface InstanceTypeFacts {
  readonly name: string
  readonly architectures: readonly string[]
  readonly vcpus: number
  /** How it can be paid. */
  readonly markets: readonly Market[]
  /** null for types without a GPU. Memory of one GPU, in MiB. */
  readonly gpu: Gpu | null
  /** Who makes the GPU, as EC2 says it; null for types without one. */
  readonly gpuMaker: string | null
  /** NVIDIA's compute capability, null when the table does not know the GPU. */
  readonly computeCapability: number | null
}

/** What the machine must have. Types that do not are left out. */
export interface GpuNeeds {
  readonly gpuCount: number | undefined
  /** Of one GPU, in GiB. */
  readonly minGpuMemoryGib: number | undefined
  readonly minComputeCapability: number | undefined
  /** As EC2 names it, such as `A10G`; upper and lower case are the same. */
  readonly gpuModel: string | undefined
}

/**
 * By the GPU names that DescribeInstanceTypes gives. Source: developer.nvidia.com/cuda-gpus, read 2026-11-27. A GPU of
 * another maker has none.
 */
const computeCapabilities: Readonly<Record<string, number>> = {
  K80: 3.7,
  M60: 5.2,
  V100: 7.0,
  T4: 7.5,
  T4g: 7.5,
  A100: 8.0,
  A10G: 8.6,
  L4: 8.9,
  L40S: 8.9,
  H100: 9.0,
  H200: 9.0,
  B200: 10.0,
}

/** Families whose GPUs the open NVIDIA driver does not know (it begins with compute capability 7.5). */
const closedDriverFamilies: ReadonlySet<string> = new Set(['p2', 'p3', 'p3dn', 'g3', 'g3s'])

/** Names of all types that can have a GPU for computing, as EC2's filters take them. */
export const gpuPatterns = ['g*', 'p*'] as const

export const familyOf = (instanceType: string): string => instanceType.split('.')[0] ?? instanceType

export const needsClosedDriver = (instanceType: string): boolean => closedDriverFamilies.has(familyOf(instanceType))

const markets: readonly string[] = ['on-demand', 'spot', 'capacity-block'] satisfies readonly Market[]

function facts(info: InstanceTypeInfo): InstanceTypeFacts {
  const [gpu] = info.GpuInfo?.Gpus ?? []
  const name = gpu?.Name ?? ''
  return {
    name: info.InstanceType ?? '',
    architectures: info.ProcessorInfo?.SupportedArchitectures ?? [],
    vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
    markets: (info.SupportedUsageClasses ?? []).filter((one): one is Market & typeof one => markets.includes(one)),
    gpu: gpu === undefined ? null : { name, count: gpu.Count ?? 0, memoryMib: gpu.MemoryInfo?.SizeInMiB ?? 0 },
    gpuMaker: gpu?.Manufacturer ?? null,
    computeCapability: computeCapabilities[name] ?? null,
  }
}

const unknownType = (error: unknown): boolean =>
  codeOf(error) === 'InvalidInstanceType' || codeOf(error) === 'InvalidParameterValue'

/**
 * Facts of the named types by name, or of every type with a GPU when there are no names. A name that this region does
 * not know is absent.
 * @throws OutsideFault
 */
export async function describeTypes(
  ec2: EC2Client,
  region: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, InstanceTypeFacts>> {
  const doing = 'Looking up the instance types'
  return calling({ doing, permission: 'ec2:DescribeInstanceTypes', region }, async () => {
    const found = new Map<string, InstanceTypeFacts>()
    const ask = async (query: DescribeInstanceTypesCommandInput): Promise<void> => {
      for await (const page of paginateDescribeInstanceTypes({ client: ec2 }, query)) {
        for (const info of page.InstanceTypes ?? []) found.set(info.InstanceType ?? '', facts(info))
      }
    }
    const byName = (asked: readonly string[]) => ask({ InstanceTypes: asked as _InstanceType[] })
    if (names.length === 0) {
      await ask({ Filters: [{ Name: 'instance-type', Values: [...gpuPatterns] }] })
      for (const [name, { gpu }] of found) if (gpu === null) found.delete(name)
      return found
    }
    try {
      await byName(names)
    } catch (error) {
      // One unknown name fails the whole call.
      if (!unknownType(error)) throw error
      if (names.length > 1) {
        await Promise.all(
          names.map(name =>
            byName([name]).catch((one: unknown) => {
              if (!unknownType(one)) throw one
            }),
          ),
        )
      }
    }
    return found
  })
}

/** The zones of the region that offer each type, of those with a GPU when there are no names. @throws OutsideFault */
export async function describeZones(
  ec2: EC2Client,
  region: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const doing = 'Looking up which zones offer the instance types'
  const values = names.length === 0 ? gpuPatterns : names
  return calling({ doing, permission: 'ec2:DescribeInstanceTypeOfferings', region }, async () => {
    const zones = new Map<string, Set<string>>()
    const pages = paginateDescribeInstanceTypeOfferings(
      { client: ec2 },
      { LocationType: 'availability-zone', Filters: [{ Name: 'instance-type', Values: [...values] }] },
    )
    for await (const page of pages) {
      for (const { InstanceType, Location } of page.InstanceTypeOfferings ?? []) {
        if (InstanceType === undefined || Location === undefined) continue
        zones.set(InstanceType, (zones.get(InstanceType) ?? new Set()).add(Location))
      }
    }
    return zones
  })
}

/** What a type lacks of the needs, as sentences that go on from its name. */
export function lacks(type: InstanceTypeFacts, needs: GpuNeeds, needsGpu: boolean): readonly string[] {
  const { gpu, computeCapability } = type
  const wanted = needsGpu || Object.values(needs).some(need => need !== undefined)
  if (gpu === null) return wanted ? ['has no GPU'] : []
  const lacking: string[] = []
  // Readiness is asked of CUDA, and the default images have NVIDIA's driver.
  if (needsGpu && type.gpuMaker !== null && type.gpuMaker.toUpperCase() !== 'NVIDIA') {
    lacking.push(`has a GPU of ${type.gpuMaker} (${gpu.name}), which wait-for gpu does not know: set wait-for to ssm`)
  }
  if (needs.gpuCount !== undefined && gpu.count !== needs.gpuCount) {
    lacking.push(`has ${gpu.count} GPU${gpu.count === 1 ? '' : 's'}, not ${needs.gpuCount}`)
  }
  // EC2 gives the usable memory of some GPUs (L4: 22,888 MiB of 24 GiB), so a shortfall of a tenth counts as the name.
  if (needs.minGpuMemoryGib !== undefined && gpu.memoryMib < needs.minGpuMemoryGib * 1024 * 0.9) {
    lacking.push(
      `has ${Number((gpu.memoryMib / 1024).toFixed(1))} GiB for each GPU, less than ${needs.minGpuMemoryGib}`,
    )
  }
  if (needs.gpuModel !== undefined && gpu.name.toLowerCase() !== needs.gpuModel.toLowerCase()) {
    lacking.push(`has the GPU ${gpu.name}, not ${needs.gpuModel}`)
  }
  if (needs.minComputeCapability !== undefined) {
    if (computeCapability === null) lacking.push(`has a GPU (${gpu.name}) of unknown compute capability`)
    else if (computeCapability < needs.minComputeCapability) {
      lacking.push(
        `has compute capability ${computeCapability.toFixed(1)}, less than ${needs.minComputeCapability.toFixed(1)}`,
      )
    }
  }
  return lacking
}
