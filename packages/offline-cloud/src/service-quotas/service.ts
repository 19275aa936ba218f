import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import { pageFrom, readInput } from '../aws/json-input.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { account } from '../world/account.ts'
import { quotas, quotaValue, type QuotaData } from '../world/quotas.ts'

const code = v.pipe(v.string(), v.minLength(1), v.maxLength(128))

const missing = (what: string): AwsError =>
  new AwsError('NoSuchResourceException', `The request failed because the specified ${what} does not exist.`)

// EC2 is the one service whose quotas are here.
function requireEc2(service: string): void {
  if (service !== 'ec2') throw missing('service')
}

const view = (cloud: Cloud, region: string, quota: QuotaData): object => ({
  ServiceCode: 'ec2',
  ServiceName: 'Amazon Elastic Compute Cloud (Amazon EC2)',
  QuotaArn: `arn:aws:servicequotas:${region}:${account}:ec2/${quota.code}`,
  QuotaCode: quota.code,
  QuotaName: quota.name,
  Value: quotaValue(cloud.quotas, region, quota.code),
  Unit: 'None',
  Adjustable: true,
  GlobalQuota: false,
  QuotaAppliedAtLevel: 'ACCOUNT',
})

function getServiceQuota(cloud: Cloud, { region }: Caller, input: unknown): object {
  const { ServiceCode, QuotaCode } = readInput(
    v.object({ ServiceCode: code, QuotaCode: code }),
    input,
    'IllegalArgumentException',
  )
  requireEc2(ServiceCode)
  const quota = quotas.find(candidate => candidate.code === QuotaCode)
  if (quota === undefined) throw missing('quota')
  return { Quota: view(cloud, region, quota) }
}

const listInput = v.object({
  ServiceCode: code,
  QuotaCode: v.optional(code),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 100),
  NextToken: v.optional(v.string()),
})

function listServiceQuotas(cloud: Cloud, { region }: Caller, input: unknown): object {
  const { ServiceCode, QuotaCode, MaxResults, NextToken } = readInput(listInput, input, 'IllegalArgumentException')
  requireEc2(ServiceCode)
  const fitting = quotas.filter(quota => QuotaCode === undefined || quota.code === QuotaCode)
  const { chosen, next } = pageFrom(fitting, MaxResults, NextToken, 'InvalidPaginationTokenException')
  return { Quotas: chosen.map(quota => view(cloud, region, quota)), ...next }
}

const operations: Readonly<Record<string, (cloud: Cloud, caller: Caller, input: unknown) => object>> = {
  GetServiceQuota: getServiceQuota,
  ListServiceQuotas: listServiceQuotas,
}

/** Carries out an operation of Service Quotas. One that is not covered is refused by name. */
export function callServiceQuotas(cloud: Cloud, name: string, input: unknown, caller: Caller): object {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined)
    throw new AwsError('InvalidAction', `The offline cloud does not cover ${name} of Service Quotas.`)
  return operation(cloud, caller, input)
}
