/** The GPUs of an instance type; memory of one GPU in MiB, as DescribeInstanceTypes gives it. */
export interface GpuData {
  readonly name: string
  readonly count: number
  readonly memoryMib: number
}

/** What the cloud knows of an instance type. Memory in MiB, instance store in GB. */
export interface InstanceTypeData {
  readonly name: string
  readonly architecture: 'x86_64' | 'arm64'
  readonly vcpus: number
  readonly threadsPerCore: 1 | 2
  readonly memoryMib: number
  readonly gpu: GpuData | null
  readonly hypervisor: 'nitro' | 'xen'
  readonly network: string
  readonly store: { readonly disks: number; readonly sizeGb: number } | null
  readonly clockGhz: number
  readonly manufacturer: 'Intel' | 'AMD' | 'AWS'
  readonly currentGeneration: boolean
  readonly burstable: boolean
  /** Whether capacity blocks of it are sold. */
  readonly inBlocks: boolean
}

const nvidia = (name: string, memoryMib: number, count = 1): GpuData => ({ name, count, memoryMib })
const nvme = (
  disks: number,
  sizeGb: number,
): { readonly store: { readonly disks: number; readonly sizeGb: number } } => ({
  store: { disks, sizeGb },
})

const type = (
  name: string,
  vcpus: number,
  memoryGib: number,
  gpu: GpuData | null,
  ...more: readonly Partial<InstanceTypeData>[]
): InstanceTypeData =>
  Object.assign(
    {
      name,
      architecture: 'x86_64',
      vcpus,
      threadsPerCore: 2,
      memoryMib: memoryGib * 1024,
      gpu,
      hypervisor: 'nitro',
      network: 'Up to 10 Gigabit',
      store: null,
      clockGhz: 2.5,
      manufacturer: 'Intel',
      currentGeneration: true,
      burstable: false,
      inBlocks: false,
    } satisfies InstanceTypeData,
    ...more,
  )

const network = (words: string): Partial<InstanceTypeData> => ({ network: words })
const amd = (clockGhz: number): Partial<InstanceTypeData> => ({ manufacturer: 'AMD', clockGhz })
const blocks: Partial<InstanceTypeData> = { inBlocks: true }

const t4 = (count = 1): GpuData => nvidia('T4', 16384, count)
const a10g = (count = 1): GpuData => nvidia('A10G', 22888, count)
const l4 = (count = 1): GpuData => nvidia('L4', 22888, count)
const l40s = (count = 1): GpuData => nvidia('L40S', 45776, count)

const g4dn = [
  type('g4dn.xlarge', 4, 16, t4(), nvme(1, 125), network('Up to 25 Gigabit')),
  type('g4dn.2xlarge', 8, 32, t4(), nvme(1, 225), network('Up to 25 Gigabit')),
  type('g4dn.4xlarge', 16, 64, t4(), nvme(1, 225), network('Up to 25 Gigabit')),
  type('g4dn.8xlarge', 32, 128, t4(), nvme(1, 900), network('50 Gigabit')),
  type('g4dn.12xlarge', 48, 192, t4(4), nvme(1, 900), network('50 Gigabit')),
]

const g5 = [
  type('g5.xlarge', 4, 16, a10g(), amd(3.3), nvme(1, 250)),
  type('g5.2xlarge', 8, 32, a10g(), amd(3.3), nvme(1, 450)),
  type('g5.4xlarge', 16, 64, a10g(), amd(3.3), nvme(1, 600), network('Up to 25 Gigabit')),
  type('g5.8xlarge', 32, 128, a10g(), amd(3.3), nvme(1, 900), network('25 Gigabit')),
  type('g5.12xlarge', 48, 192, a10g(4), amd(3.3), nvme(1, 3800), network('40 Gigabit')),
  type('g5.24xlarge', 96, 384, a10g(4), amd(3.3), nvme(1, 3800), network('50 Gigabit')),
  type('g5.48xlarge', 192, 768, a10g(8), amd(3.3), nvme(2, 3800), network('100 Gigabit')),
]

const g6 = [
  type('g6.xlarge', 4, 16, l4(), amd(3.4), nvme(1, 250)),
  type('g6.2xlarge', 8, 32, l4(), amd(3.4), nvme(1, 450)),
  type('g6.4xlarge', 16, 64, l4(), amd(3.4), nvme(1, 600), network('Up to 25 Gigabit')),
  type('g6.12xlarge', 48, 192, l4(4), amd(3.4), nvme(4, 940), network('40 Gigabit')),
  type('g6.48xlarge', 192, 768, l4(8), amd(3.4), nvme(8, 940), network('100 Gigabit')),
  type('gr6.4xlarge', 16, 128, l4(), amd(3.4), nvme(1, 600), network('Up to 25 Gigabit')),
]

const g6e = [
  type('g6e.xlarge', 4, 32, l40s(), amd(3.4), nvme(1, 250), network('Up to 20 Gigabit')),
  type('g6e.2xlarge', 8, 64, l40s(), amd(3.4), nvme(1, 450), network('Up to 20 Gigabit')),
  type('g6e.4xlarge', 16, 128, l40s(), amd(3.4), nvme(1, 600), network('20 Gigabit')),
  type('g6e.12xlarge', 48, 384, l40s(4), amd(3.4), nvme(2, 1900), network('100 Gigabit')),
  type('g6e.48xlarge', 192, 1536, l40s(8), amd(3.4), nvme(4, 1900), network('400 Gigabit')),
]

const p = [
  type('p3.2xlarge', 8, 61, nvidia('V100', 16384), { hypervisor: 'xen', clockGhz: 2.7 }),
  type('p4d.24xlarge', 96, 1152, nvidia('A100', 40960, 8), nvme(8, 1000), network('4x 100 Gigabit'), blocks, {
    clockGhz: 3,
  }),
  type('p4de.24xlarge', 96, 1152, nvidia('A100', 81920, 8), nvme(8, 1000), network('4x 100 Gigabit'), blocks, {
    clockGhz: 3,
  }),
  type('p5.4xlarge', 16, 256, nvidia('H100', 81920), amd(3.6), nvme(1, 3800), network('100 Gigabit'), blocks),
  type('p5.48xlarge', 192, 2048, nvidia('H100', 81920, 8), amd(3.6), nvme(8, 3800), network('3200 Gigabit'), blocks),
  type('p5e.48xlarge', 192, 2048, nvidia('H200', 144384, 8), amd(3.6), nvme(8, 3800), network('3200 Gigabit'), blocks),
  type('p5en.48xlarge', 192, 2048, nvidia('H200', 144384, 8), nvme(8, 3800), network('3200 Gigabit'), blocks, {
    clockGhz: 3.8,
  }),
  type('p6-b200.48xlarge', 192, 2048, nvidia('B200', 183296, 8), nvme(8, 3800), network('3200 Gigabit'), blocks, {
    clockGhz: 3.5,
  }),
]

/**
 * vCPUs, memory, GPUs and their memory, instance store and network as EC2's own tables have them (User Guide,
 * "Specifications for Amazon EC2 accelerated computing instances", and DescribeInstanceTypes). Clock speeds are rounded.
 */
export const instanceTypes: readonly InstanceTypeData[] = [
  ...g4dn,
  ...g5,
  ...g6,
  ...g6e,
  type('g5g.xlarge', 4, 8, nvidia('T4g', 16384), { architecture: 'arm64', threadsPerCore: 1, manufacturer: 'AWS' }),
  ...p,
  type('t3.micro', 2, 1, null, network('Up to 5 Gigabit'), { burstable: true }),
]

const byName = new Map(instanceTypes.map(data => [data.name, data]))

export const typeNamed = (name: string): InstanceTypeData | undefined => byName.get(name)

// Types that only some zones have; everything else is offered everywhere. A family's name ends in a dot.
const onlyIn: readonly (readonly [family: string, zones: readonly string[]])[] = [
  ['g6e.', ['us-west-2a', 'us-west-2b', 'us-west-2c', 'us-east-1a', 'eu-central-1a', 'eu-central-1b']],
  ['gr6.', ['us-west-2a', 'us-west-2b', 'us-east-1a', 'us-east-1b']],
  ['g5g.', ['us-west-2a', 'us-west-2b', 'us-east-1a', 'us-east-1b', 'us-east-1c', 'eu-central-1a']],
  ['p3.', ['us-west-2a', 'us-west-2b', 'us-east-1a', 'us-east-1b', 'us-east-1c', 'eu-central-1b']],
  ['p4d.', ['us-west-2a', 'us-east-1a', 'us-east-1b', 'eu-central-1b']],
  ['p4de.', ['us-west-2b', 'us-east-1b']],
  ['p5.', ['us-west-2a', 'us-west-2c', 'us-east-1b']],
  ['p5e.', ['us-west-2a']],
  ['p5en.', ['us-west-2b', 'us-west-2c', 'us-east-1a']],
  ['p6-b200.', ['us-west-2b']],
]

/** Whether a zone offers a type. */
export const offeredIn = (zone: string, typeName: string): boolean =>
  onlyIn.find(([family]) => typeName.startsWith(family))?.[1].includes(zone) ?? true
