import { effectiveTtl, hourlyCost, priceRefusal, toUsd, type Gpu, type Market, type Offer } from '@gpu-actions/lease'
import { lacks, needsClosedDriver, type InstanceTypeFacts } from './catalogue.ts'
import type { ImageFacts } from './image.ts'
import { extrasOf } from './prices/extras.ts'
import { quotaCodeOf } from './quotas.ts'
import type { RegionFacts } from './region.ts'
import { reservationLacks } from './reservation.ts'
import type { Ec2Wish } from './wish.ts'

/** Why a way to get a machine was left out: what the words that help begin with. */
export type Reason = 'needs' | 'price' | 'quota' | 'zone' | 'market' | 'image' | 'unknown' | 'reservation'

export interface LeftOut {
  readonly reason: Reason
  readonly region: string
  readonly instanceType: string
  readonly market: Market | null
  /** A sentence. */
  readonly says: string
  /** Of what was left out for its price: decimal USD an hour of the machine, null when unknown. */
  readonly usdPerHour: number | null
  /** The same with its volumes and address. */
  readonly allUsdPerHour: number | null
}

export interface RegionOffers {
  readonly offers: readonly Offer[]
  readonly leftOut: readonly LeftOut[]
  /** The image for each type that has an offer. */
  readonly images: ReadonlyMap<string, ImageFacts>
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

/** GiB of all volumes of a machine with this image. */
function gibOf(image: ImageFacts, wish: Ec2Wish): number | null {
  const sizes = image.devices.map(({ device, sizeGib }) =>
    device === image.rootDevice ? (wish.volumeSizeGib ?? sizeGib) : sizeGib,
  )
  return sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

/** Everything an hour costs; null when any of it is unknown, and for what is paid in advance. */
export function usdPerHourOf(offer: Pick<Offer, 'price' | 'extras' | 'market'>): number | null {
  const hourly = offer.market === 'capacity-block' ? null : hourlyCost(offer)
  return hourly === null ? null : toUsd(hourly.machine + hourly.extras)
}

/** What speaks against a price. One that nobody knows may be above any limit; a capacity block is paid already. */
function tooDear(offer: Pick<Offer, 'price' | 'extras' | 'market'>, wish: Ec2Wish): string | null {
  const beyond = priceRefusal(offer, wish.maxUsdPerHour ?? null)
  const read = offer.price === null ? '' : ` (${offer.price.source}, ${offer.price.date})`
  if (beyond !== null) return `${beyond}, the max-price-per-hour${read}`
  const affordable = effectiveTtl({ ttlMs: wish.ttlMs, budgetUsd: wish.budgetUsd ?? null, offer })
  return affordable.kind === 'refused' ? affordable.reason : null
}

interface Fit {
  readonly type: InstanceTypeFacts
  readonly image: ImageFacts
}

type Refusal = Pick<LeftOut, 'reason' | 'says'>

/** What to launch a type with, or why it is left out in every zone and market. */
function fitOf(name: string, facts: RegionFacts, wish: Ec2Wish): Fit | Refusal {
  const type = facts.types.get(name)
  if (type === undefined) return { reason: 'unknown', says: `${facts.region} has no such instance type` }
  const lacking = lacks(type, wish.needs, wish.waitFor === 'gpu')
  if (lacking.length > 0) return { reason: 'needs', says: lacking.join(', ') }
  if (facts.reservation !== null && facts.reservation.instanceType !== name) {
    const { id, instanceType } = facts.reservation
    return { reason: 'reservation', says: `reservation ${id} is for ${instanceType}` }
  }
  const image = imageOf(type, facts.images)
  return typeof image === 'string' ? { reason: 'image', says: image } : { type, image }
}

/** A type that needs more than the whole quota can never be launched; one that is merely full may be had later. */
function aboveQuota(type: InstanceTypeFacts, market: Market, facts: RegionFacts): string | null {
  const code = quotaCodeOf(type.name, market)
  const quota = facts.quotas.find(one => one.code === code)
  if (quota === undefined || quota.limit === null || type.vcpus <= quota.limit) return null
  return `needs ${type.vcpus} vCPUs, and the quota ${quota.code} (${quota.name}) of ${facts.region} is ${quota.limit}: ask for more at ${quota.link}`
}

/** Names in the caller's order, or those that the needs choose. */
function namesOf(facts: RegionFacts, wish: Ec2Wish): readonly string[] {
  if (wish.instanceTypes.length > 0) return wish.instanceTypes
  return [...facts.types.values()]
    .filter(type => lacks(type, wish.needs, wish.waitFor === 'gpu').length === 0)
    .map(({ name }) => name)
    .toSorted()
}

/** Offers of one region and market, in the order of types, then subnets; and why the others were left out. */
export function offersIn(facts: RegionFacts, wish: Ec2Wish, market: Market, account: string): RegionOffers {
  const offers: Offer[] = []
  const leftOut: LeftOut[] = []
  const images = new Map<string, ImageFacts>()
  const { region, reservation } = facts
  for (const name of namesOf(facts, wish)) {
    const leave = (refusal: Refusal, of: Market | null = market, cost?: Pick<Offer, 'price' | 'extras'>) =>
      leftOut.push({
        ...refusal,
        says: `${name}: ${refusal.says}`,
        region,
        instanceType: name,
        market: of,
        usdPerHour: cost?.price?.usdPerHour ?? null,
        allUsdPerHour: cost === undefined ? null : usdPerHourOf({ ...cost, market }),
      })
    const fit = fitOf(name, facts, wish)
    if ('reason' in fit) {
      leave(fit, null)
      continue
    }
    const { type, image } = fit
    if (!type.markets.includes(market)) {
      leave({ reason: 'market', says: `is not sold as ${market}` })
      continue
    }
    const quota = reservation === null ? aboveQuota(type, market, facts) : null
    if (quota !== null) {
      leave({ reason: 'quota', says: quota })
      continue
    }
    images.set(name, image)
    const dear = new Set<string>()
    for (const { id, zone, givesPublicIp } of facts.network.subnets) {
      if (facts.zones.get(name)?.has(zone) !== true) {
        leave({ reason: 'zone', says: `${zone} (${id}) does not offer it` })
        continue
      }
      if (reservation !== null && reservation.zone !== zone) {
        leave({
          reason: 'reservation',
          says: `reservation ${reservation.id} is in ${reservation.zone}, not in ${zone}`,
        })
        continue
      }
      const { price } = priceOf(facts, name, zone, market)
      const hasAddress = givesPublicIp || facts.network.publicIpSubnets.has(id)
      const extras = extrasOf(facts.storage, gibOf(image, wish), hasAddress)
      const says = tooDear({ price, extras, market }, wish)
      if (says !== null) {
        // On demand the price is that of the region: said once, not for each zone.
        if (!dear.has(says)) leave({ reason: 'price', says }, market, { price, extras })
        dear.add(says)
        continue
      }
      offers.push({
        instanceType: name,
        place: { account, region },
        zone,
        subnet: id,
        market,
        reservation: reservation?.id ?? null,
        quota: reservation === null ? quotaCodeOf(name, market) : null,
        price,
        extras,
        gpu: type.gpu satisfies Gpu | null,
      })
    }
  }
  return { offers, leftOut, images }
}

export function priceOf(facts: RegionFacts, type: string, zone: string, market: Market) {
  if (market === 'capacity-block') return { price: null, note: 'paid in advance' }
  if (market === 'spot') return facts.spot(type, zone)
  return facts.onDemand.get(type) ?? { price: null, note: null }
}

/** What speaks against the reservation in every zone, as sentences. */
export const reservationFaults = (facts: RegionFacts, wish: Ec2Wish): readonly string[] =>
  facts.reservation === null
    ? []
    : reservationLacks(facts.reservation, {
        block: wish.market === 'capacity-block',
        ttlMs: wish.ttlMs,
        now: facts.now,
      }).map(lack => `capacity-reservation-id: ${facts.reservation?.id} ${lack}`)
