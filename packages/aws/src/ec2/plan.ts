import type { Offer, Place, Plan, Price } from '@gpu-actions/lease'
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
  /** Decimal USD that an offer may cost an hour; undefined sets no limit. */
  readonly maxUsdPerHour: number | undefined
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

/** What speaks against a price. One that nobody knows may be above any limit. */
function tooDear(price: Price | null, maxUsdPerHour: number | undefined): string | null {
  if (maxUsdPerHour === undefined) return null
  if (price === null) return `its price is unknown, so it cannot be held to max-price-per-hour $${maxUsdPerHour}`
  if (price.usdPerHour <= maxUsdPerHour) return null
  return `costs $${price.usdPerHour} an hour (${price.source}, ${price.date}), more than max-price-per-hour $${maxUsdPerHour}`
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

interface Fit {
  readonly type: InstanceTypeFacts
  readonly price: Price | null
  readonly image: ImageFacts
}

/** What to launch a type with, or why it is left out. */
function fitOf(name: string, findings: Findings): Fit | string {
  const type = findings.types.get(name)
  if (type === undefined) return `${findings.place.region} has no such instance type`
  const lacking = lacks(type, findings.needs, findings.needsGpu)
  if (lacking.length > 0) return lacking.join(', ')
  const price = tablePrice(name, findings.place.region)
  const dear = tooDear(price, findings.maxUsdPerHour)
  if (dear !== null) return dear
  const image = imageOf(type, findings.images)
  return typeof image === 'string' ? image : { type, price, image }
}

/** Offers from types × subnets, in this order; and why the others were left out. */
export function planOffers(findings: Findings): Ec2Plan {
  const { place, zones, subnets } = findings
  const offers: Offer[] = []
  const leftOut: string[] = []
  const images = new Map<string, ImageFacts>()
  for (const name of findings.instanceTypes) {
    const fit = fitOf(name, findings)
    if (typeof fit === 'string') {
      leftOut.push(`${name}: ${fit}`)
      continue
    }
    images.set(name, fit.image)
    for (const { id, zone } of subnets) {
      if (zones.get(name)?.has(zone) !== true) {
        leftOut.push(`${name}: ${zone} (${id}) does not offer it`)
        continue
      }
      const { price, type } = fit
      offers.push({
        instanceType: name,
        place,
        zone,
        subnet: id,
        market: 'on-demand',
        reservation: null,
        quota: null,
        price,
        extras: null,
        gpu: type.gpu,
      })
    }
  }
  return { offers, leftOut, nearest: [], images }
}
