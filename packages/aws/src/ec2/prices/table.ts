import type { Price } from '@gpu-actions/lease'

interface Table {
  readonly source: string
  /** The day it was read. */
  readonly date: string
  readonly usdPerHour: Readonly<Record<string, number>>
}

/** Regions in which the table holds. */
const regions: ReadonlySet<string> = new Set(['us-east-1', 'us-west-2'])

/**
 * Linux on-demand, USD per hour. Prices change: every use carries the source and the day of its table. Types that are
 * in neither have no known price.
 */
const tables: readonly Table[] = [
  {
    source: 'table in gpu-actions, from third-party captures of the AWS Pricing API',
    date: '2026-08-17',
    usdPerHour: {
      'g4dn.xlarge': 0.526,
      'g4dn.12xlarge': 3.912,
      'g4dn.metal': 7.824,
      'g5.xlarge': 1.006,
      'g5.12xlarge': 5.672,
      'g5.48xlarge': 16.288,
      'g6.xlarge': 0.8048,
      'g6.12xlarge': 4.6016,
      'g6e.xlarge': 1.861,
      'g6e.12xlarge': 10.49264,
      'g7e.2xlarge': 3.36,
      'p3.2xlarge': 3.06,
      'p4d.24xlarge': 21.957642,
      'p4de.24xlarge': 27.44705,
      'p5.48xlarge': 55.04,
      'p5en.48xlarge': 63.296,
      'p6-b200.48xlarge': 113.93,
    },
  },
  {
    source: 'table in gpu-actions, from public price tables that agree with each other',
    date: '2026-11-22',
    usdPerHour: { 'g4dn.2xlarge': 0.752, 'g5.2xlarge': 1.212, 'g5.4xlarge': 1.624, 'g6.2xlarge': 0.9776 },
  },
]

/** The on-demand price of a type, or null when no table has one for it in this region. */
export function tablePrice(instanceType: string, region: string): Price | null {
  if (!regions.has(region)) return null
  for (const { source, date, usdPerHour } of tables) {
    const usd = usdPerHour[instanceType]
    if (usd !== undefined) return { usdPerHour: usd, source, date }
  }
  return null
}
