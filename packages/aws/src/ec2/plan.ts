import type { Offer, Place, Plan } from '@gpu-actions/lease'
import type { ImageFacts } from './image.ts'
import { needsClosedDriver, type InstanceTypeFacts } from './instance-types.ts'
import type { SubnetFacts } from './network.ts'
import { tablePrice } from './prices.ts'

/** What the machine must have. Types that do not are left out. */
export interface GpuNeeds {
  readonly gpuCount: number | undefined
  /** Of one GPU, in GiB. */
  readonly minGpuMemoryGib: number | undefined
  readonly minComputeCapability: number | undefined
  /** As EC2 names it, such as `A10G`; upper and lower case are the same. */
  readonly gpuModel: string | undefined
}

/** What was found out about the region. */
export interface Findings {
  readonly place: Place
  /** In the caller's order. */
  readonly instanceTypes: readonly string[]
  readonly types: ReadonlyMap<string, InstanceTypeFacts>
  readonly zones: ReadonlyMap<string, ReadonlySet<string>>
  /** In the caller's order. */
  readonly subnets: readonly SubnetFacts[]
  /** Best first. */
  readonly images: readonly ImageFacts[]
  readonly needs: GpuNeeds
  /** The machine is waited for until its GPUs answer. */
  readonly needsGpu: boolean
}

export interface Ec2Plan extends Plan {
  /** The image for each type that has an offer. */
  readonly images: ReadonlyMap<string, ImageFacts>
}

function lacks(type: InstanceTypeFacts, needs: GpuNeeds, needsGpu: boolean): readonly string[] {
  const { gpu, computeCapability } = type
  const wanted = needsGpu || Object.values(needs).some(need => need !== undefined)
  if (gpu === null) return wanted ? ['has no GPU'] : []
  const lacking: string[] = []
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

/** The best image that runs on a type, or why there is none. */
function imageOf(type: InstanceTypeFacts, images: readonly ImageFacts[]): ImageFacts | string {
  const fitting = images.filter(image => type.architectures.includes(image.architecture))
  const [best] = fitting.filter(image => !(image.openDriver && needsClosedDriver(type.name)))
  if (best !== undefined) return best
  if (fitting.length > 0) {
    return `needs the closed NVIDIA driver, and image ${fitting[0]?.name} has the open one: give ami-id of an image that fits`
  }
  const names = images.slice(0, 1).map(image => `${image.name} (${image.id}, ${image.architecture})`)
  return `is ${type.architectures.join(' or ')}, and image ${names.join('')} is not`
}

/** Offers from types × subnets, in this order; and why the others were left out. */
export function planOffers(findings: Findings): Ec2Plan {
  const { place, types, zones, subnets, needs } = findings
  const offers: Offer[] = []
  const leftOut: string[] = []
  const images = new Map<string, ImageFacts>()
  for (const name of findings.instanceTypes) {
    const type = types.get(name)
    if (type === undefined) {
      leftOut.push(`${name}: ${place.region} has no such instance type`)
      continue
    }
    const lacking = lacks(type, needs, findings.needsGpu)
    if (lacking.length > 0) {
      leftOut.push(`${name}: ${lacking.join(', ')}`)
      continue
    }
    const image = imageOf(type, findings.images)
    if (typeof image === 'string') {
      leftOut.push(`${name}: ${image}`)
      continue
    }
    images.set(name, image)
    const offered = subnets.filter(subnet => zones.get(name)?.has(subnet.zone))
    for (const subnet of subnets.filter(one => !offered.includes(one))) {
      leftOut.push(`${name}: ${subnet.zone} (${subnet.id}) does not offer it`)
    }
    offers.push(
      ...offered.map((subnet): Offer => ({
        instanceType: name,
        place,
        zone: subnet.zone,
        subnet: subnet.id,
        market: 'on-demand',
        price: tablePrice(name, place.region),
        gpu: type.gpu,
      })),
    )
  }
  return { offers, leftOut, images }
}
