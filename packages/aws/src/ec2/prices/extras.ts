import type { Extra } from '@gpu-actions/lease'
import type { AwsClients } from '../../clients.ts'
import { optionalMs, within } from '../within.ts'
import { mostFactor, productUsd } from './on-demand.ts'

/** AWS counts a month of storage as this many hours. */
export const hoursPerMonth = 730

/** USD per GB and month in us-east-1 and us-west-2. Source: aws.amazon.com/ebs/pricing, read 2026-11-22. */
const storageTable: Readonly<Record<string, number>> = {
  gp3: 0.08,
  gp2: 0.1,
  io1: 0.125,
  io2: 0.125,
  st1: 0.045,
  sc1: 0.015,
}
const storageTableDate = '2026-11-22'
const tableRegions: ReadonlySet<string> = new Set(['us-east-1', 'us-west-2'])

/** A public IPv4 address, USD an hour, in every region since 2024-02-01. Source: aws.amazon.com/vpc/pricing. */
const addressUsd = 0.005

/** What a GB of storage costs a month, and who says so. */
export interface StoragePrice {
  readonly usdPerGbMonth: number
  readonly source: string
  readonly date: string
}

/** Live where that can be had in time, else from the table; null when unknown. */
export async function storagePrice(clients: AwsClients, volumeType: string): Promise<StoragePrice | null> {
  const { region } = clients
  const known = tableRegions.has(region) ? storageTable[volumeType] : undefined
  const table =
    known === undefined ? null : { usdPerGbMonth: known, source: 'table in gpu-actions', date: storageTableDate }
  try {
    const filters = { regionCode: region, productFamily: 'Storage', volumeApiName: volumeType }
    const usd = await within(optionalMs, signal => productUsd(clients, filters, signal))
    if (usd === undefined) return table
    if (table !== null && (usd > table.usdPerGbMonth * mostFactor || usd * mostFactor < table.usdPerGbMonth))
      return table
    const date = new Date(clients.serviceNow()).toISOString().slice(0, 10)
    return { usdPerGbMonth: usd, source: 'AWS Pricing API', date }
  } catch {
    return table
  }
}

const micro = (usd: number): number => Math.round(usd * 1_000_000) / 1_000_000

/**
 * What is billed beside a machine. Provisioned IOPS and throughput beyond a volume's baseline are not ordered, so not
 * counted.
 * @param gib of all its volumes; null when unknown
 * @returns null when any of it is unknown
 */
export function extrasOf(
  storage: StoragePrice | null,
  gib: number | null,
  publicAddress: boolean,
): readonly Extra[] | null {
  if (storage === null || gib === null) return null
  const { source, date } = storage
  return [
    { what: 'storage', usdPerHour: micro((storage.usdPerGbMonth * gib) / hoursPerMonth), source, date },
    ...(publicAddress
      ? [{ what: 'address' as const, usdPerHour: addressUsd, source: 'table in gpu-actions', date: storageTableDate }]
      : []),
  ]
}
