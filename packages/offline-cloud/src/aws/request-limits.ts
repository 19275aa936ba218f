import { list, text, type QueryNode } from './query.ts'

/** A token bucket: how many calls at once, and how many more a second. */
interface Limit {
  readonly size: number
  readonly refill: number
}

/** Buckets that a call takes from, by name, and how many tokens from each. */
interface Draw {
  readonly bucket: string
  readonly limit: Limit
  readonly tokens: number
}

/** What the limits look at in a call. `parameters` is null for calls of other protocols than EC2's. */
export interface LimitedCall {
  readonly service: string
  readonly operation: string
  readonly region: string
  readonly parameters: QueryNode | null
}

/** Request limits of an account, refilled by the cloud's clock. */
export interface RequestLimits {
  /** Takes a call's tokens; false when there are too few, and then none are taken. */
  admit(call: LimitedCall): boolean
}

// EC2: docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling. One bucket an account, region and action.
const requests: Readonly<Record<string, Limit>> = {
  RunInstances: { size: 5, refill: 2 },
  StartInstances: { size: 5, refill: 2 },
  TerminateInstances: { size: 100, refill: 5 },
  CreateTags: { size: 100, refill: 10 },
  DescribeCapacityBlockOfferings: { size: 10, refill: 0.15 },
  PurchaseCapacityBlock: { size: 10, refill: 0.15 },
}
const instances: Readonly<Record<string, Limit>> = {
  RunInstances: { size: 1000, refill: 2 },
  TerminateInstances: { size: 1000, refill: 20 },
}
const reading: Limit = { size: 100, refill: 20 }
const readingAll: Limit = { size: 50, refill: 10 }
const changing: Limit = { size: 50, refill: 5 }
/** Reads that have a small bucket of its own for calls with neither filter nor pages. Ids are neither. */
const costlyWhole = new Set([
  'DescribeInstances',
  'DescribeInstanceStatus',
  'DescribeVolumes',
  'DescribeSpotInstanceRequests',
  'DescribeSecurityGroups',
  'DescribeNetworkInterfaces',
  'DescribeSnapshots',
])

// SSM publishes only these two rates; how much may come at once, and all the rest, is our choice.
const parameterReads = new Set(['GetParameter', 'GetParameters', 'GetParametersByPath'])
const parameterReading: Limit = { size: 40, refill: 40 }
const parameterWriting: Limit = { size: 10, refill: 3 }
const ssmReading: Limit = { size: 50, refill: 20 }
const ssmChanging: Limit = { size: 20, refill: 10 }

function ec2Draws(operation: string, node: QueryNode): readonly Draw[] {
  const isRead = /^(Describe|Get|List|Search)/.test(operation)
  const isWhole = list(node, 'Filter').length === 0 && !node.children.has('MaxResults')
  const isCostly = isWhole && !node.children.has('NextToken') && costlyWhole.has(operation)
  const limit = requests[operation] ?? (isCostly ? readingAll : isRead ? reading : changing)
  const calls = { bucket: isCostly ? `${operation} of everything` : operation, limit, tokens: 1 }
  const resources = instances[operation]
  if (resources === undefined) return [calls]
  const named = list(node, 'InstanceId').length
  const tokens = operation === 'RunInstances' ? Number(text(node, 'MaxCount') ?? '1') : named
  return [
    calls,
    { bucket: `instances of ${operation}`, limit: resources, tokens: Number.isFinite(tokens) ? tokens : 0 },
  ]
}

function ssmDraws(operation: string): readonly Draw[] {
  if (parameterReads.has(operation)) return [{ bucket: 'read parameters', limit: parameterReading, tokens: 1 }]
  if (operation === 'PutParameter') return [{ bucket: operation, limit: parameterWriting, tokens: 1 }]
  const isRead = /^(Describe|Get|List)/.test(operation)
  return [{ bucket: operation, limit: isRead ? ssmReading : ssmChanging, tokens: 1 }]
}

/** AWS's limits, fresh and full. `now` gives the cloud's time in ms. */
export function createRequestLimits(now: () => number): RequestLimits {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const filled = (name: string, { size, refill }: Limit): { tokens: number; at: number } => {
    const time = now()
    const bucket = buckets.get(name) ?? { tokens: size, at: time }
    bucket.tokens = Math.min(size, bucket.tokens + (Math.max(0, time - bucket.at) / 1000) * refill)
    bucket.at = time
    buckets.set(name, bucket)
    return bucket
  }
  return {
    admit({ service, operation, region, parameters }) {
      const draws =
        service === 'ec2' && parameters !== null
          ? ec2Draws(operation, parameters)
          : service === 'ssm'
            ? ssmDraws(operation)
            : []
      const taken = draws.map(draw => ({
        ...draw,
        from: filled(`${region}/${service}/${draw.bucket}`, draw.limit),
      }))
      if (taken.some(({ from, tokens }) => from.tokens < tokens)) return false
      for (const { from, tokens } of taken) from.tokens -= tokens
      return true
    },
  }
}

/** For a cloud without limits. */
export const noLimits: RequestLimits = { admit: () => true }
