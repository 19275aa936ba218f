import { typeNamed } from './instance-types.ts'

/**
 * On-demand USD an hour for Linux in the two American regions. Prices of the offline world: near those of AWS, and equal
 * to none, so that a test can tell what was read here from what stood in a table.
 */
const onDemand: Readonly<Record<string, number>> = {
  'g4dn.xlarge': 0.5347,
  'g4dn.2xlarge': 0.7643,
  'g4dn.4xlarge': 1.2239,
  'g4dn.8xlarge': 2.2117,
  'g4dn.12xlarge': 3.9764,
  'g5.xlarge': 1.0227,
  'g5.2xlarge': 1.2319,
  'g5.4xlarge': 1.6508,
  'g5.8xlarge': 2.4879,
  'g5.12xlarge': 5.7661,
  'g5.24xlarge': 8.2794,
  'g5.48xlarge': 16.5573,
  'g6.xlarge': 0.8181,
  'g6.2xlarge': 0.9937,
  'g6.4xlarge': 1.3449,
  'g6.12xlarge': 4.6779,
  'g6.48xlarge': 13.5717,
  'gr6.4xlarge': 1.5649,
  'g6e.xlarge': 1.8917,
  'g6e.2xlarge': 2.2793,
  'g6e.4xlarge': 3.0543,
  'g6e.12xlarge': 10.6653,
  'g6e.48xlarge': 30.6317,
  'g5g.xlarge': 0.4273,
  'p3.2xlarge': 3.1103,
  'p4d.24xlarge': 22.3191,
  'p4de.24xlarge': 27.8977,
  'p5.4xlarge': 6.9931,
  'p5.48xlarge': 55.9459,
  'p5e.48xlarge': 60.7139,
  'p5en.48xlarge': 64.3373,
  'p6-b200.48xlarge': 115.8061,
  't3.micro': 0.0107,
}

// Frankfurt costs more, as it does on AWS.
const factors: Readonly<Record<string, number>> = { 'eu-central-1': 1.2391 }

const rounded = (usd: number, digits: number): number => Number(usd.toFixed(digits))

/** What an instance costs on demand in a region, USD an hour. */
export const onDemandPrice = (region: string, typeName: string): number =>
  rounded((onDemand[typeName] ?? (typeNamed(typeName)?.vcpus ?? 1) * 0.05) * (factors[region] ?? 1), 4)

// FNV-1a: spreads the discounts over zones and types, the same ones each time.
function spread(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}

/** What a spot instance costs in a zone where a scenario does not say, USD an hour: 30 to 65 % of on-demand. */
export const usualSpotPrice = (region: string, zone: string, typeName: string): number =>
  rounded(onDemandPrice(region, typeName) * (0.3 + 0.35 * spread(`${zone}/${typeName}`)), 4)

/** Storage, USD a GB and month, and a public IPv4 address, USD an hour; prices of the offline world too. */
export const storagePrice = (region: string, volumeType: 'gp3' | 'gp2'): number =>
  rounded((volumeType === 'gp3' ? 0.0817 : 0.1019) * (factors[region] ?? 1), 4)

export const addressPrice = 0.0051
