import * as v from 'valibot'

/** A quota of vCPUs, by region. `families` are the first letters of types' names, with a digit where that counts. */
export interface QuotaData {
  readonly code: string
  readonly name: string
  readonly market: 'on-demand' | 'spot'
  readonly families: RegExp
}

const standard = /^(a|c|d|h|i|im|is|m|r|t|z)\d/

/**
 * The quotas that EC2 holds launches to. Codes: AWS's pages on on-demand and spot quotas; those of P are what public
 * repositories agree on, and the one of P5 spot is seen in code only. None of these holds P6 spot.
 */
export const quotas: readonly QuotaData[] = [
  {
    code: 'L-1216C47A',
    name: 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances',
    market: 'on-demand',
    families: standard,
  },
  { code: 'L-DB2E81BA', name: 'Running On-Demand G and VT instances', market: 'on-demand', families: /^(g|gr|vt)\d/ },
  { code: 'L-417A185B', name: 'Running On-Demand P instances', market: 'on-demand', families: /^p\d/ },
  {
    code: 'L-34B43A08',
    name: 'All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests',
    market: 'spot',
    families: standard,
  },
  { code: 'L-3819A6DF', name: 'All G and VT Spot Instance Requests', market: 'spot', families: /^(g|gr|vt)\d/ },
  { code: 'L-7212CCBC', name: 'All P4, P3 and P2 Spot Instance Requests', market: 'spot', families: /^p[2-4]/ },
  { code: 'L-C4BD4855', name: 'All P5 Spot Instance Requests', market: 'spot', families: /^p5/ },
]

/** More vCPUs than any test starts: a quota is met only where a scenario sets one. */
export const defaultQuota = 1_000_000

const value = v.exactOptional(v.pipe(v.number(), v.minValue(0)))

/** Values by region and quota code: `{ us-west-2: { L-DB2E81BA: 8 } }`. */
export const quotasSchema = v.record(
  v.string(),
  v.strictObject(Object.fromEntries(quotas.map(({ code }) => [code, value]))),
)
export type QuotaValues = v.InferOutput<typeof quotasSchema>

/** The quota that a type counts against in a market. */
export const quotaFor = (typeName: string, market: QuotaData['market']): QuotaData | undefined =>
  quotas.find(quota => quota.market === market && quota.families.test(typeName))

/** vCPUs that a quota allows in a region. */
export const quotaValue = (values: QuotaValues, region: string, code: string): number =>
  values[region]?.[code] ?? defaultQuota
