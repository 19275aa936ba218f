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
}

const nvidia = (name: string, memoryMib: number, count = 1): GpuData => ({ name, count, memoryMib })

const type = (
  name: string,
  vcpus: number,
  memoryGib: number,
  gpu: GpuData | null,
  more: Partial<InstanceTypeData> = {},
): InstanceTypeData => ({
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
  ...more,
})

const amd = { manufacturer: 'AMD', clockGhz: 3.3 } as const

/** Sizes of EC2's own tables (vCPUs, memory, GPUs, instance store), as published by 2026-08. */
export const instanceTypes: readonly InstanceTypeData[] = [
  type('g4dn.xlarge', 4, 16, nvidia('T4', 16384), { network: 'Up to 25 Gigabit', store: { disks: 1, sizeGb: 125 } }),
  type('g4dn.2xlarge', 8, 32, nvidia('T4', 16384), { network: 'Up to 25 Gigabit', store: { disks: 1, sizeGb: 225 } }),
  type('g5.xlarge', 4, 16, nvidia('A10G', 24576), { ...amd, store: { disks: 1, sizeGb: 250 } }),
  type('g5.2xlarge', 8, 32, nvidia('A10G', 24576), { ...amd, store: { disks: 1, sizeGb: 450 } }),
  type('g5.4xlarge', 16, 64, nvidia('A10G', 24576), {
    ...amd,
    network: 'Up to 25 Gigabit',
    store: { disks: 1, sizeGb: 600 },
  }),
  type('g6.xlarge', 4, 16, nvidia('L4', 22888), { ...amd, clockGhz: 3.4, store: { disks: 1, sizeGb: 250 } }),
  type('g6e.xlarge', 4, 32, nvidia('L40S', 45776), {
    ...amd,
    clockGhz: 3.4,
    network: 'Up to 20 Gigabit',
    store: { disks: 1, sizeGb: 250 },
  }),
  type('g5g.xlarge', 4, 8, nvidia('T4g', 16384), { architecture: 'arm64', threadsPerCore: 1, manufacturer: 'AWS' }),
  type('p3.2xlarge', 8, 61, nvidia('V100', 16384), { hypervisor: 'xen', clockGhz: 2.7 }),
  type('p4d.24xlarge', 96, 1152, nvidia('A100', 40960, 8), {
    network: '4x 100 Gigabit',
    store: { disks: 8, sizeGb: 1000 },
    clockGhz: 3,
  }),
  type('t3.micro', 2, 1, null, { network: 'Up to 5 Gigabit', burstable: true }),
]

export const typeNamed = (name: string): InstanceTypeData | undefined => instanceTypes.find(data => data.name === name)

// Types that a zone does not have; everything else is offered everywhere.
const missing: Readonly<Record<string, readonly string[]>> = {
  'us-west-2b': ['p4d.24xlarge'],
  'us-west-2c': ['p3.2xlarge', 'p4d.24xlarge', 'g5g.xlarge'],
  'us-east-1b': ['g6e.xlarge'],
  'us-east-1c': ['p4d.24xlarge', 'g6e.xlarge'],
}

/** Whether a zone offers a type. */
export const offeredIn = (zone: string, typeName: string): boolean => !(missing[zone] ?? []).includes(typeName)
