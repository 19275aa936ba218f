import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import type { InstanceTypeData } from '../world/instance-types.ts'
import { quotaFor, quotaValue, type QuotaData } from '../world/quotas.ts'
import { isLiving } from './spot-requests.ts'

/** vCPUs that count against a quota in a region now. */
export function vcpusInUse(cloud: Cloud, region: string, quota: QuotaData): number {
  const counts = (name: string): boolean => quota.families.test(name)
  let sum = 0
  for (const { region: here, type, state, lifecycle, spotRequest } of cloud.ec2.instances.values()) {
    if (here !== region || state === 'terminated' || state === 'stopped' || !counts(type.name)) continue
    const request = spotRequest === null ? undefined : cloud.ec2.spotRequests.get(spotRequest)
    // A machine whose request lives is counted with the request, below. Capacity blocks have no part in any quota.
    const isOurs = quota.market === 'on-demand' ? lifecycle === null : request !== undefined && !isLiving(request)
    if (isOurs) sum += type.vcpus
  }
  if (quota.market === 'spot') {
    for (const request of cloud.ec2.spotRequests.values())
      if (request.region === region && isLiving(request) && counts(request.instanceType.name))
        sum += request.instanceType.vcpus
  }
  return sum
}

/** How many of `most` instances the quota leaves room for. Throws what EC2 answers when that is less than `least`. */
export function allowedByQuota(
  cloud: Cloud,
  region: string,
  type: InstanceTypeData,
  market: QuotaData['market'],
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const quota = quotaFor(type.name, market)
  if (quota === undefined) return most
  const limit = quotaValue(cloud.quotas, region, quota.code)
  const allowed = Math.floor((limit - vcpusInUse(cloud, region, quota)) / type.vcpus)
  if (allowed >= least) return Math.min(allowed, most)
  throw market === 'spot'
    ? new AwsError('MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded')
    : new AwsError(
        'VcpuLimitExceeded',
        `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket ` +
          'that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to ' +
          'request an adjustment to this limit.',
      )
}
