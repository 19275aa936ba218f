import type { Market, Offer, Plan, Price } from '@gpu-actions/lease'
import type { ImageFacts } from './image.ts'
import type { LaunchSpec } from './launch.ts'
import { offersIn, priceOf, usdPerHourOf, type LeftOut, type RegionOffers } from './offers.ts'
import type { QuotaFacts } from './quotas.ts'
import { marketsOf, type RegionFacts } from './region.ts'
import type { Ec2Wish } from './wish.ts'

/** A price that was looked up. */
export interface PriceFacts {
  readonly region: string
  readonly market: Market
  readonly instanceType: string
  /** null: the same in the whole region. */
  readonly zone: string | null
  readonly price: Price | null
  /** Why it is not the live one, as a sentence; null when it is. */
  readonly note: string | null
}

export interface Ec2Plan extends Plan {
  readonly account: string
  /** Sentences for the log; none of them stops the launch. */
  readonly warnings: readonly string[]
  readonly quotas: readonly QuotaFacts[]
  readonly prices: readonly PriceFacts[]
  /** The image that an offer of this plan is launched with. */
  imageFor(offer: Offer): ImageFacts
  /** vCPUs of an offer's type. */
  vcpusOf(offer: Offer): number | null
}

/** A plan, and what a launch of its offers needs, by region. */
export interface Prepared {
  readonly plan: Ec2Plan
  readonly specs: ReadonlyMap<string, LaunchSpec>
}

/** In the order in which to try them: markets first, then as the strategy says. */
function inOrder(wish: Ec2Wish, regions: readonly RegionOffers[]): readonly Offer[] {
  const offers = regions.flatMap(({ offers: some }) => some)
  const typeOrder = new Map(wish.instanceTypes.map((name, index) => [name, index]))
  return marketsOf(wish).flatMap(market => {
    const own = offers.filter(offer => offer.market === market)
    // Without names there is no order of the caller's to follow.
    if (wish.strategy === 'cheapest' || wish.instanceTypes.length === 0) {
      return own.toSorted((a, b) => costOf(a) - costOf(b))
    }
    return own.toSorted(
      (a, b) => (typeOrder.get(a.instanceType) ?? Infinity) - (typeOrder.get(b.instanceType) ?? Infinity),
    )
  })
}

const unknownCost = 1e9
const costOf = (offer: Offer): number => usdPerHourOf(offer) ?? offer.price?.usdPerHour ?? unknownCost

function pricesIn(facts: RegionFacts, wish: Ec2Wish, offers: RegionOffers): readonly PriceFacts[] {
  const { region } = facts
  const types = new Set([...offers.offers, ...offers.leftOut].map(({ instanceType }) => instanceType))
  return marketsOf(wish).flatMap(market =>
    [...types].flatMap((instanceType): PriceFacts[] => {
      if (market === 'capacity-block') return []
      if (market === 'on-demand') {
        const found = facts.onDemand.get(instanceType)
        return found === undefined ? [] : [{ region, market, instanceType, zone: null, ...found }]
      }
      return facts.network.subnets.map(({ zone }) => ({
        region,
        market,
        instanceType,
        zone,
        ...priceOf(facts, instanceType, zone, market),
      }))
    }),
  )
}

/** Quotas that have no room for any offer's type: a warning, because they may have by the time of the launch. */
const fullQuotas = (quotas: readonly QuotaFacts[]): readonly string[] =>
  quotas.flatMap(({ region, code, name, limit, used, link }) =>
    limit === null || used === null || used < limit || limit === 0
      ? []
      : [`The quota ${code} (${name}) of ${region} is full: ${used} of ${limit} vCPUs are in use. ${link}`],
  )

/** Without names and without a cap the last offers may cost a hundred times the first. */
function withoutCap(wish: Ec2Wish, offers: readonly Offer[]): readonly string[] {
  if (wish.instanceTypes.length > 0 || wish.maxUsdPerHour !== undefined || wish.budgetUsd !== undefined) return []
  const dearest = Math.max(...offers.map(({ price }) => price?.usdPerHour ?? 0))
  return dearest > 0
    ? [
        `The needs alone choose, and the dearest offer costs $${dearest} an hour: max-price-per-hour or budget would hold it.`,
      ]
    : []
}

const oldImages = (images: readonly ImageFacts[], now: number): readonly string[] =>
  images.flatMap(({ id, name, deprecatedAt }) =>
    deprecatedAt === null || Date.parse(deprecatedAt) > now
      ? []
      : [`Image ${id} (${name}) is deprecated since ${deprecatedAt.slice(0, 10)}: take a newer one.`],
  )

/** A region that can be launched in, and its offers. */
export interface Looked {
  readonly facts: RegionFacts
  readonly found: RegionOffers
}

export function lookedAt(facts: RegionFacts, wish: Ec2Wish, account: string): Looked {
  const markets = marketsOf(wish).map(market => offersIn(facts, wish, market, account))
  return {
    facts,
    found: {
      offers: markets.flatMap(({ offers }) => offers),
      // What does not depend on the market is the same for each.
      leftOut: markets.flatMap(({ leftOut }, index) => leftOut.filter(({ market }) => index === 0 || market !== null)),
      images: new Map(markets.flatMap(({ images }) => [...images])),
    },
  }
}

/**
 * Joins the regions to one plan.
 * @param without why regions were left out, as sentences
 */
export function assemble(
  wish: Ec2Wish,
  account: string,
  looked: readonly Looked[],
  without: readonly string[],
): Prepared {
  const specs = new Map(looked.map(({ facts, found }) => [facts.region, specOf(facts, found, wish)]))
  const quotas = looked.flatMap(({ facts }) => facts.quotas)
  const leftOut: readonly LeftOut[] = looked.flatMap(({ found }) => found.leftOut)
  const offers = inOrder(
    wish,
    looked.map(({ found }) => found),
  )
  const several = wish.regions.length > 1
  const plan: Ec2Plan = {
    account,
    offers,
    leftOut: [
      ...without,
      ...leftOut.map(({ says, region, market }) =>
        [
          several ? `${region}: ` : '',
          wish.market === 'spot-then-on-demand' && market !== null ? `${market} ` : '',
          says,
        ].join(''),
      ),
    ],
    nearest: [],
    warnings: [
      ...new Set([
        ...looked.flatMap(({ facts }) => facts.network.warnings),
        ...fullQuotas(quotas),
        ...withoutCap(wish, offers),
        ...looked.flatMap(({ facts, found }) => oldImages([...found.images.values()], facts.now)),
      ]),
    ],
    quotas,
    prices: looked.flatMap(({ facts, found }) => pricesIn(facts, wish, found)),
    imageFor: offer => {
      const image = specs.get(offer.place.region)?.images.get(offer.instanceType)
      if (image === undefined) throw new Error(`no image was chosen for ${offer.instanceType} in ${offer.place.region}`)
      return image
    },
    vcpusOf: offer =>
      looked.find(({ facts }) => facts.region === offer.place.region)?.facts.types.get(offer.instanceType)?.vcpus ??
      null,
  }
  return { plan, specs }
}

const specOf = (facts: RegionFacts, found: RegionOffers, wish: Ec2Wish): LaunchSpec => ({
  images: found.images,
  publicIpSubnets: facts.network.publicIpSubnets,
  securityGroupId: wish.securityGroupId,
  instanceProfileName: wish.instanceProfileName,
  volumeSizeGib: wish.volumeSizeGib,
  volumeType: wish.volumeType,
  userData: wish.userData,
  tags: wish.tags,
})
