import type { Cloud } from '../cloud.ts'
import { regions } from '../world/network.ts'
import { usualSpotPrice } from '../world/prices.ts'
import { changesOf, pricesUntil } from '../world/schedule.ts'
import { interrupt } from './interruption.ts'
import { requestOf } from './spot-requests.ts'

/** A spot price since a moment, in USD an hour and ms. */
export interface PriceStep {
  readonly usd: number
  readonly at: number
}

/** The prices of a type in a zone since the cloud's start, oldest first; never none. */
export function priceSteps(cloud: Cloud, region: string, zone: string, type: string): readonly PriceStep[] {
  const given = cloud.spot[zone]?.[type]?.usdPerHour ?? usualSpotPrice(region, zone, type)
  const seconds = (cloud.clock.now() - cloud.startedAt) / 1000
  return pricesUntil(given, seconds).map(({ atSeconds, usdPerHour }) => ({
    usd: usdPerHour,
    at: cloud.startedAt + atSeconds * 1000,
  }))
}

/** What a spot instance costs in a zone now, USD an hour. */
export const spotPrice = (cloud: Cloud, region: string, zone: string, type: string): number =>
  priceSteps(cloud, region, zone, type).at(-1)?.usd ?? Number.POSITIVE_INFINITY

/** Arms what the scenario's spot market does by itself: each change of a price or a capacity moves requests on. */
export function openSpotMarket(cloud: Cloud): void {
  for (const [zone, types] of Object.entries(cloud.spot)) {
    for (const [type, { usdPerHour, capacity }] of Object.entries(types)) {
      for (const seconds of new Set([...changesOf(usdPerHour), ...changesOf(capacity)]))
        cloud.clock.after(cloud.startedAt + seconds * 1000 - cloud.clock.now(), () => marketMoved(cloud, zone, type))
    }
  }
}

// Who cannot pay any more gets a notice; whose request is open gets an instance where there is one now.
function marketMoved(cloud: Cloud, zone: string, type: string): void {
  const region = regions.find(({ zones }) => zones.some(({ name }) => name === zone))?.name ?? ''
  const price = spotPrice(cloud, region, zone, type)
  for (const instance of cloud.ec2.instances.values()) {
    if (instance.zone.name !== zone || instance.type.name !== type) continue
    const most = requestOf(cloud, instance)?.maxPrice ?? null
    if (most !== null && most < price)
      interrupt(cloud, instance, cloud.timings.spotNoticeSeconds, 'instance-terminated-by-price')
  }
  for (const request of cloud.ec2.spotRequests.values())
    if (request.region === region && request.instanceType.name === type && request.state === 'open') request.fulfil()
}
