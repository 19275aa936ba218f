import { DescribeSpotPriceHistoryCommand } from '@aws-sdk/client-ec2'
import type { AwsClients } from '../../clients.ts'
import { optionalMs, whyUnknown, within } from '../within.ts'
import type { FoundPrice } from './on-demand.ts'

/** Spot prices by type, then by zone. */
export type SpotPrices = (instanceType: string, zone: string) => FoundPrice

/** The latest price of each type in each zone that is not after now. */
export async function spotPrices(clients: AwsClients, types: readonly string[]): Promise<SpotPrices> {
  const latest = new Map<string, { readonly at: number; readonly usd: number }>()
  let note = 'EC2 has no spot price of it in this zone'
  try {
    await within(optionalMs, async abortSignal => {
      const now = clients.serviceNow()
      let token: string | undefined
      // With a start of now, the history begins with what holds now.
      do {
        const reply = await clients.ec2().send(
          new DescribeSpotPriceHistoryCommand({
            // A filter answers nothing for a name that the region does not know; the list would fail as a whole.
            Filters: [{ Name: 'instance-type', Values: [...types] }],
            ProductDescriptions: ['Linux/UNIX'],
            StartTime: new Date(now),
            EndTime: new Date(now),
            MaxResults: 1000,
            ...(token === undefined ? {} : { NextToken: token }),
          }),
          { abortSignal },
        )
        for (const { InstanceType, AvailabilityZone, SpotPrice, Timestamp } of reply.SpotPriceHistory ?? []) {
          const key = `${InstanceType} ${AvailabilityZone}`
          const at = Timestamp?.getTime() ?? 0
          const usd = Number(SpotPrice)
          const before = latest.get(key)
          // The service counts in whole seconds, and so may be a second ahead.
          if (at <= now + 1000 && usd > 0 && (before === undefined || at > before.at)) latest.set(key, { at, usd })
        }
        token = reply.NextToken === '' ? undefined : reply.NextToken
      } while (token !== undefined)
    })
  } catch (error) {
    note = whyUnknown(error, 'ec2:DescribeSpotPriceHistory', clients.region)
  }
  const date = new Date(clients.serviceNow()).toISOString().slice(0, 10)
  return (type, zone) => {
    const found = latest.get(`${type} ${zone}`)
    if (found === undefined) return { price: null, note }
    return { price: { usdPerHour: found.usd, source: 'EC2 spot price history', date }, note: null }
  }
}
