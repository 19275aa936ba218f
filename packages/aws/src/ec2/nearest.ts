import { shortestTtlMs, type Market } from '@gpu-actions/lease'
import type { AwsClients } from '../clients.ts'
import { describeTypes, lacks, type InstanceTypeFacts } from './catalogue.ts'
import type { LeftOut } from './offers.ts'
import type { Looked } from './plan.ts'
import { tablePrice } from './prices/table.ts'
import { findQuotas, quotaCodeOf, type QuotaFacts } from './quotas.ts'
import { marketsOf } from './region.ts'
import type { Ec2Wish } from './wish.ts'

/** Sentences of each kind are few: who reads them wants the nearest things, not all. */
const most = 3

/** Regions with many GPUs, asked for their quotas when those of the wish have none. */
const largeRegions = ['us-east-1', 'us-east-2', 'us-west-2', 'eu-west-1'] as const

const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`

function describe({ name, gpu, computeCapability }: InstanceTypeFacts): string {
  if (gpu === null) return name
  const memory = Number((gpu.memoryMib / 1024).toFixed(1))
  const capability = computeCapability === null ? '' : `, compute capability ${computeCapability.toFixed(1)}`
  return `${name} (${gpu.count} × ${gpu.name}, ${memory} GiB each${capability})`
}

/** Cheapest first, as far as the table knows; then by size. */
const bySize = (region: string) => (a: InstanceTypeFacts, b: InstanceTypeFacts) => {
  const price = (type: InstanceTypeFacts): number => tablePrice(type.name, region)?.usdPerHour ?? type.vcpus
  return price(a) - price(b) || a.name.localeCompare(b.name)
}

/** How far a type is from the needs, 0 for none: what is missing, each in proportion. */
function distance(type: InstanceTypeFacts, { needs, waitFor }: Ec2Wish): number {
  const { gpu } = type
  if (gpu === null) return Infinity
  const short = (has: number, wanted: number | undefined): number =>
    wanted === undefined || has >= wanted ? 0 : Math.log2(wanted / Math.max(has, 0.01)) + 1
  const count = needs.gpuCount === undefined ? 0 : Math.abs(Math.log2(gpu.count / needs.gpuCount)) * 2
  const model = lacks(
    type,
    { ...needs, gpuCount: undefined, minGpuMemoryGib: undefined, minComputeCapability: undefined },
    waitFor === 'gpu',
  )
  return (
    count +
    short(gpu.memoryMib / 1024, needs.minGpuMemoryGib === undefined ? undefined : needs.minGpuMemoryGib * 0.9) +
    short(type.computeCapability ?? 0, needs.minComputeCapability) +
    model.length * 3
  )
}

/** Types that satisfy the needs and were not named; without any, those that lack the least, and what. */
export function nearestTypes(
  catalogue: readonly InstanceTypeFacts[],
  wish: Ec2Wish,
  region: string,
): readonly string[] {
  const others = catalogue.filter(type => !wish.instanceTypes.includes(type.name))
  const fitting = others.filter(type => lacks(type, wish.needs, wish.waitFor === 'gpu').length === 0)
  if (fitting.length > 0) {
    const names = fitting.toSorted(bySize(region)).slice(0, most).map(describe)
    return [`What satisfies the needs in ${region}: ${list(names)}. Name one in instance-type.`]
  }
  const nearest = catalogue
    .filter(type => type.gpu !== null)
    .toSorted((a, b) => distance(a, wish) - distance(b, wish) || bySize(region)(a, b))
    .slice(0, most)
    .map(type => `${describe(type)} ${lacks(type, wish.needs, wish.waitFor === 'gpu').join(', ')}`)
  if (nearest.length === 0) return [`${region} has no instance type with a GPU.`]
  return [`No instance type of ${region} satisfies the needs. The nearest: ${nearest.join('; ')}.`]
}

/** What a cap on the price would have to be, and what lies below it. */
export function nearestPrices(
  leftOut: readonly LeftOut[],
  catalogue: readonly InstanceTypeFacts[],
  wish: Ec2Wish,
  region: string,
): readonly string[] {
  const dear = leftOut.filter(({ reason }) => reason === 'price')
  const [cheapest] = dear
    .filter(({ usdPerHour }) => usdPerHour !== null)
    .toSorted((a, b) => (a.usdPerHour ?? 0) - (b.usdPerHour ?? 0))
  if (cheapest === undefined) {
    return dear.length === 0
      ? []
      : [
          'No price is known. Without max-price-per-hour and budget it could be launched, or name types with a known price.',
        ]
  }
  const { instanceType, market, usdPerHour, allUsdPerHour } = cheapest
  const raise =
    wish.maxUsdPerHour !== undefined && (usdPerHour ?? 0) > wish.maxUsdPerHour
      ? `max-price-per-hour to at least ${usdPerHour}`
      : `budget to at least ${Math.ceil((allUsdPerHour ?? 0) * (shortestTtlMs / 3_600_000) * 100) / 100}, which lasts 10 minutes`
  const sentences = [
    `The cheapest that fits otherwise is ${instanceType} (${market}) in ${cheapest.region} at $${usdPerHour} an hour: set ${raise}.`,
  ]
  const cap = wish.maxUsdPerHour
  if (cap === undefined) return sentences
  const below = catalogue
    .filter(type => lacks(type, wish.needs, wish.waitFor === 'gpu').length === 0)
    .map(type => ({ type, price: tablePrice(type.name, region) }))
    .filter(({ type, price }) => price !== null && price.usdPerHour <= cap && !wish.instanceTypes.includes(type.name))
    .toSorted((a, b) => (a.price?.usdPerHour ?? 0) - (b.price?.usdPerHour ?? 0))
    .slice(0, most)
    .map(({ type, price }) => `${type.name} ($${price?.usdPerHour})`)
  if (below.length > 0)
    sentences.push(`Below $${cap} an hour on demand, by the table: ${list(below)}. Name one in instance-type.`)
  return sentences
}

/** Where the quota has room, and where to ask for more. */
export function nearestQuotas(
  leftOut: readonly LeftOut[],
  elsewhere: readonly QuotaFacts[],
  types: ReadonlyMap<string, InstanceTypeFacts>,
): readonly string[] {
  const short = leftOut.filter(({ reason }) => reason === 'quota')
  const vcpus = Math.min(...short.map(({ instanceType }) => types.get(instanceType)?.vcpus ?? Infinity))
  if (short.length === 0) return []
  const room = elsewhere
    .filter(({ limit }) => limit !== null && limit >= vcpus)
    .map(({ region, market, limit }) => `market ${market} in ${region} (${limit} vCPUs)`)
  return [
    room.length > 0
      ? `The quota has room for it with ${list(room.slice(0, most))}.`
      : 'The quotas of the other market and of other regions have no room either, or could not be read.',
    'Service Quotas takes the request for more at the link above; GPU quotas are often granted within days.',
  ]
}

/** Zones that do offer what the given subnets' zones do not. */
export function nearestZones(leftOut: readonly LeftOut[], looked: readonly Looked[]): readonly string[] {
  const wrong = leftOut.filter(({ reason }) => reason === 'zone')
  return [...new Set(wrong.map(({ region, instanceType }) => `${region} ${instanceType}`))].map(key => {
    const [region = '', name = ''] = key.split(' ')
    const zones = [...(looked.find(({ facts }) => facts.region === region)?.facts.zones.get(name) ?? [])].toSorted()
    if (zones.length === 0) return `No zone of ${region} offers ${name}.`
    return `${list(zones)} ${zones.length === 1 ? 'offers' : 'offer'} ${name}: give a subnet there in subnet-id.`
  })
}

function nearestMarkets(leftOut: readonly LeftOut[], types: ReadonlyMap<string, InstanceTypeFacts>): readonly string[] {
  const names = new Set(leftOut.filter(({ reason }) => reason === 'market').map(({ instanceType }) => instanceType))
  return [...names].map(name => `${name} is sold as ${list(types.get(name)?.markets ?? [])}: set market to that.`)
}

/** The other market in the same regions, and both in some large ones. */
async function quotasElsewhere(
  clientsFor: (region: string) => AwsClients,
  wish: Ec2Wish,
  leftOut: readonly LeftOut[],
): Promise<readonly QuotaFacts[]> {
  const short = leftOut.filter(({ reason }) => reason === 'quota')
  if (short.length === 0) return []
  const types = [...new Set(short.map(({ instanceType }) => instanceType))]
  const all: readonly Market[] = ['on-demand', 'spot']
  const other = all.filter(market => !marketsOf(wish).includes(market))
  const found = await Promise.all([
    ...wish.regions.map(region => findQuotas(clientsFor(region), types, other)),
    ...largeRegions
      .filter(region => !wish.regions.includes(region))
      .map(region => findQuotas(clientsFor(region), types, all)),
  ])
  const own = new Set(
    short.map(({ region, market, instanceType }) => `${region} ${market && quotaCodeOf(instanceType, market)}`),
  )
  return found.flat().filter(({ region, code }) => !own.has(`${region} ${code}`))
}

/**
 * What comes nearest to a wish that gives no offer, as sentences. Sends a few calls; what they do not answer is left
 * out.
 */
export async function nearestThings(
  clientsFor: (region: string) => AwsClients,
  wish: Ec2Wish,
  looked: readonly Looked[],
): Promise<readonly string[]> {
  const leftOut = looked.flatMap(({ found }) => found.leftOut)
  const types = new Map(looked.flatMap(({ facts }) => [...facts.types]))
  const region = looked[0]?.facts.region
  if (region === undefined) return []
  const unfit = leftOut.some(({ reason }) => reason === 'needs' || reason === 'unknown') || leftOut.length === 0
  const [catalogue, quotas] = await Promise.all([
    unfit || leftOut.some(({ reason }) => reason === 'price')
      ? describeTypes(clientsFor(region).ec2(), region, []).then(
          found => [...found.values()],
          () => [],
        )
      : [],
    quotasElsewhere(clientsFor, wish, leftOut),
  ])
  return [
    ...(unfit && catalogue.length > 0 ? nearestTypes(catalogue, wish, region) : []),
    ...nearestPrices(leftOut, catalogue, wish, region),
    ...nearestQuotas(leftOut, quotas, types),
    ...nearestZones(leftOut, looked),
    ...nearestMarkets(leftOut, types),
  ]
}
