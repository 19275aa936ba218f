import { paginateDescribeInstances, type EC2Client } from '@aws-sdk/client-ec2'
import type { Market } from '@gpu-actions/lease'
import type { AwsClients } from '../clients.ts'
import { optionalMs, whyUnknown, within } from './within.ts'

/** A quota of vCPUs in one region, as far as it could be read. */
export interface QuotaFacts {
  readonly region: string
  readonly market: Market
  readonly code: string
  readonly name: string
  /** vCPUs; null when unknown. */
  readonly limit: number | null
  /** vCPUs of the pending and running machines that count against it; null when unknown. */
  readonly used: number | null
  /** Why a number is unknown, as a sentence; null when both are known. */
  readonly unknown: string | null
  /** Where it is seen and raised. */
  readonly link: string
}

interface Quota {
  readonly code: string
  readonly name: string
  readonly market: Market
  /** Names of its instance types, as EC2's filters take them. */
  readonly patterns: readonly string[]
  readonly families: RegExp
}

/**
 * Codes of the quotas of GPU types. Those of G and VT are on AWS's pages; those of P agree across public repositories;
 * the one of P5 spot is seen in code only. What has no entry is unknown. A capacity block counts against none.
 */
const quotas: readonly Quota[] = [
  {
    code: 'L-DB2E81BA',
    name: 'Running On-Demand G and VT instances',
    market: 'on-demand',
    patterns: ['g*', 'vt*'],
    families: /^(g|gr|vt)\d/,
  },
  {
    code: 'L-417A185B',
    name: 'Running On-Demand P instances',
    market: 'on-demand',
    patterns: ['p*'],
    families: /^p\d/,
  },
  {
    code: 'L-1216C47A',
    name: 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances',
    market: 'on-demand',
    patterns: ['a*', 'c*', 'd*', 'h*', 'i*', 'm*', 'r*', 't*', 'z*'],
    families: /^(a|c|d|h|i|im|is|m|r|t|z)\d/,
  },
  {
    code: 'L-3819A6DF',
    name: 'All G and VT Spot Instance Requests',
    market: 'spot',
    patterns: ['g*', 'vt*'],
    families: /^(g|gr|vt)\d/,
  },
  {
    code: 'L-7212CCBC',
    name: 'All P4, P3 and P2 Spot Instance Requests',
    market: 'spot',
    patterns: ['p2*', 'p3*', 'p4*'],
    families: /^p[2-4]/,
  },
  { code: 'L-C4BD4855', name: 'All P5 Spot Instance Requests', market: 'spot', patterns: ['p5*'], families: /^p5/ },
  {
    code: 'L-34B43A08',
    name: 'All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests',
    market: 'spot',
    patterns: ['a*', 'c*', 'd*', 'h*', 'i*', 'm*', 'r*', 't*', 'z*'],
    families: /^(a|c|d|h|i|im|is|m|r|t|z)\d/,
  },
]

/** The code of the quota that a type counts against; null when none is known. */
export const quotaCodeOf = (instanceType: string, market: Market): string | null =>
  quotas.find(quota => quota.market === market && quota.families.test(instanceType))?.code ?? null

export const quotaLink = (region: string, code: string): string =>
  `https://${region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/${code}`

/** @returns the value in vCPUs, or why it is unknown */
async function limitOf(clients: AwsClients, code: string): Promise<number | string> {
  const { region } = clients
  try {
    const { GetServiceQuotaCommand, ServiceQuotasClient } = await import('@aws-sdk/client-service-quotas')
    const client = clients.other('service-quotas', settings => new ServiceQuotasClient(settings))
    const command = new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: code })
    const reply = await within(optionalMs, abortSignal => client.send(command, { abortSignal }))
    return reply.Quota?.Value ?? 'Service Quotas gave no value'
  } catch (error) {
    return whyUnknown(error, 'servicequotas:GetServiceQuota', region)
  }
}

interface Use {
  readonly type: string
  readonly spot: boolean
  readonly vcpus: number
}

/** The pending and running machines of types with these names. */
async function inUse(ec2: EC2Client, patterns: readonly string[]): Promise<readonly Use[]> {
  return within(optionalMs, async abortSignal => {
    const uses: Use[] = []
    const Filters = [
      { Name: 'instance-state-name', Values: ['pending', 'running'] },
      { Name: 'instance-type', Values: [...patterns] },
    ]
    for await (const page of paginateDescribeInstances({ client: ec2, pageSize: 1000 }, { Filters }, { abortSignal })) {
      for (const one of page.Reservations?.flatMap(({ Instances }) => Instances ?? []) ?? []) {
        // What runs in a block counts against no quota.
        if (one.InstanceLifecycle === 'capacity-block') continue
        const { CoreCount: cores = 0, ThreadsPerCore: threads = 1 } = one.CpuOptions ?? {}
        uses.push({ type: one.InstanceType ?? '', spot: one.InstanceLifecycle === 'spot', vcpus: cores * threads })
      }
    }
    return uses
  })
}

/**
 * The quotas that these types count against in these markets: each read once, and one look at the machines of the
 * region for all of them. What may not be read, or does not answer in time, is unknown and holds nothing up.
 */
export async function findQuotas(
  clients: AwsClients,
  types: readonly string[],
  markets: readonly Market[],
): Promise<readonly QuotaFacts[]> {
  const { region } = clients
  const wanted = quotas.filter(
    ({ market, families }) => markets.includes(market) && types.some(type => families.test(type)),
  )
  if (wanted.length === 0) return []
  const patterns = [...new Set(wanted.flatMap(quota => quota.patterns))]
  const [limits, uses] = await Promise.all([
    Promise.all(wanted.map(({ code }) => limitOf(clients, code))),
    inUse(clients.ec2(), patterns).catch((error: unknown) => whyUnknown(error, 'ec2:DescribeInstances', region)),
  ])
  return wanted.map(({ code, name, market, families }, index) => {
    const limit = limits[index] ?? 'it was not asked for'
    const used =
      typeof uses === 'string'
        ? uses
        : uses
            .filter(use => use.spot === (market === 'spot') && families.test(use.type))
            .reduce((sum, use) => sum + use.vcpus, 0)
    const unknown = [limit, used].filter(part => typeof part === 'string')
    return {
      region,
      market,
      code,
      name,
      limit: typeof limit === 'number' ? limit : null,
      used: typeof used === 'number' ? used : null,
      unknown: unknown.length > 0 ? [...new Set(unknown)].join('; ') : null,
      link: quotaLink(region, code),
    }
  })
}
