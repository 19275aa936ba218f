import type { Price } from '@gpu-actions/lease'
import type { AwsClients } from '../../clients.ts'
import { optionalMs, whyUnknown, within } from '../within.ts'
import { tablePrice } from './table.ts'

/** A price, and what there is to say about it. */
export interface FoundPrice {
  readonly price: Price | null
  /** Why it is not the live one, as a sentence. */
  readonly note: string | null
}

/** The Pricing API is served in few regions only. */
const pricingRegion = 'us-east-1'
/** Types asked about for a region; each is a call of its own, and the API takes few a second. */
const mostCalls = 24
/** A live price that differs from the table by more than this is a mistake somewhere. */
export const mostFactor = 4

type Filters = Readonly<Record<string, string>>

/** Linux, nothing preinstalled, on shared hardware, not reserved: what a launch of ours is billed at. */
const machineFilters = (instanceType: string, region: string): Filters => ({
  instanceType,
  regionCode: region,
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  licenseModel: 'No License required',
})

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

const members = (value: unknown): readonly unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : []

/** The on-demand prices in an item of the price list (JSON) that are above zero, in USD for a unit. */
export function onDemandUsd(item: string): readonly number[] {
  let product: unknown
  try {
    product = JSON.parse(item)
  } catch {
    return []
  }
  return members(member(member(product, 'terms'), 'OnDemand'))
    .flatMap(term => members(member(term, 'priceDimensions')))
    .map(dimension => Number(member(member(dimension, 'pricePerUnit'), 'USD')))
    .filter(usd => Number.isFinite(usd) && usd > 0)
}

/** Asks the Pricing API for one product. @returns USD for a unit; undefined unless it names exactly one price */
export async function productUsd(
  clients: AwsClients,
  filters: Filters,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { GetProductsCommand, PricingClient } = await import('@aws-sdk/client-pricing')
  const client = clients.other('pricing', settings => new PricingClient(settings), pricingRegion)
  const command = new GetProductsCommand({
    ServiceCode: 'AmazonEC2',
    FormatVersion: 'aws_v1',
    Filters: Object.entries(filters).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value })),
  })
  const reply = await client.send(command, { abortSignal: signal })
  const [usd, ...others] = new Set<number>(
    (reply.PriceList ?? []).flatMap((item: unknown) => onDemandUsd(String(item))),
  )
  return others.length === 0 ? usd : undefined
}

/** The live price if it can be believed, else that of the table. */
export function believed(live: number | undefined, table: Price | null, date: string): FoundPrice {
  if (live === undefined) return { price: table, note: 'the AWS Pricing API names no price' }
  if (table !== null && (live > table.usdPerHour * mostFactor || live * mostFactor < table.usdPerHour)) {
    return {
      price: table,
      note: `the AWS Pricing API says $${live} an hour, more than ${mostFactor} times away from the table: not believed`,
    }
  }
  return { price: { usdPerHour: live, source: 'AWS Pricing API', date }, note: null }
}

/** On-demand prices of types in the region, live where that can be had in time, else from the table. */
export async function onDemandPrices(
  clients: AwsClients,
  types: readonly string[],
): Promise<ReadonlyMap<string, FoundPrice>> {
  const { region } = clients
  const asked = types.slice(0, mostCalls)
  const found = await Promise.all(
    asked.map(async (type): Promise<[string, FoundPrice]> => {
      const table = tablePrice(type, region)
      try {
        const live = await within(optionalMs, signal => productUsd(clients, machineFilters(type, region), signal))
        return [type, believed(live, table, new Date(clients.serviceNow()).toISOString().slice(0, 10))]
      } catch (error) {
        return [type, { price: table, note: whyUnknown(error, 'pricing:GetProducts', pricingRegion) }]
      }
    }),
  )
  const rest = types
    .slice(mostCalls)
    .map((type): [string, FoundPrice] => [
      type,
      { price: tablePrice(type, region), note: `only ${mostCalls} types are looked up` },
    ])
  return new Map([...found, ...rest])
}
