import {
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
  type EC2Client,
  type InstanceTypeInfo,
  type _InstanceType,
} from '@aws-sdk/client-ec2'
import type { Gpu } from '@gpu-actions/lease'
import { calling, codeOf } from '../errors.ts'

export interface InstanceTypeFacts {
  readonly name: string
  readonly architectures: readonly string[]
  /** null for types without a GPU. Memory of one GPU, in MiB. */
  readonly gpu: Gpu | null
  /** NVIDIA's compute capability, null when the table does not know the GPU. */
  readonly computeCapability: number | null
}

/** By the GPU names that DescribeInstanceTypes gives. Source: developer.nvidia.com/cuda-gpus. */
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

export const familyOf = (instanceType: string): string => instanceType.split('.')[0] ?? instanceType

export const needsClosedDriver = (instanceType: string): boolean => closedDriverFamilies.has(familyOf(instanceType))

function facts(info: InstanceTypeInfo): InstanceTypeFacts {
  const [gpu] = info.GpuInfo?.Gpus ?? []
  const name = gpu?.Name ?? ''
  return {
    name: info.InstanceType ?? '',
    architectures: info.ProcessorInfo?.SupportedArchitectures ?? [],
    gpu: gpu === undefined ? null : { name, count: gpu.Count ?? 0, memoryMib: gpu.MemoryInfo?.SizeInMiB ?? 0 },
    computeCapability: computeCapabilities[name] ?? null,
  }
}

/**
 * Facts of the types by name; a name that this region does not know is absent.
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
    const ask = async (asked: readonly string[]): Promise<void> => {
      const pages = paginateDescribeInstanceTypes({ client: ec2 }, { InstanceTypes: asked as _InstanceType[] })
      for await (const page of pages) {
        for (const info of page.InstanceTypes ?? []) found.set(info.InstanceType ?? '', facts(info))
      }
    }
    try {
      await ask(names)
    } catch (error) {
      // One unknown name fails the whole call.
      if (codeOf(error) !== 'InvalidInstanceType' && codeOf(error) !== 'InvalidParameterValue') throw error
      if (names.length > 1) {
        await Promise.all(
          names.map(name =>
            ask([name]).catch((one: unknown) => {
              if (codeOf(one) !== 'InvalidInstanceType' && codeOf(one) !== 'InvalidParameterValue') throw one
            }),
          ),
        )
      }
    }
    return found
  })
}

/** The zones of the region that offer each type. @throws OutsideFault */
export async function describeZones(
  ec2: EC2Client,
  region: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const doing = 'Looking up which zones offer the instance types'
  return calling({ doing, permission: 'ec2:DescribeInstanceTypeOfferings', region }, async () => {
    const zones = new Map<string, Set<string>>()
    const pages = paginateDescribeInstanceTypeOfferings(
      { client: ec2 },
      { LocationType: 'availability-zone', Filters: [{ Name: 'instance-type', Values: [...names] }] },
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
