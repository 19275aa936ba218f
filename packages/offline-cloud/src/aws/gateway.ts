import { setTimeout as delay } from 'node:timers/promises'
import type { Cloud } from '../cloud.ts'
import { callCognito, unsignedCognitoOperations } from '../cognito/service.ts'
import { callEc2 } from '../ec2/service.ts'
import type { FaultTarget } from '../faults.ts'
import { requestId } from '../ids.ts'
import { callPricing, noPricingEndpoint, pricingRegions } from '../pricing/service.ts'
import { callServiceQuotas } from '../service-quotas/service.ts'
import { callSsm } from '../ssm/service.ts'
import { callSts, unsignedOperations } from '../sts/service.ts'
import type { Identity } from '../sts/sessions.ts'
import { regionNamed, regions } from '../world/network.ts'
import { AwsError } from './errors.ts'
import { requirePermission } from './policy.ts'
import { parseQuery, plain, text, type QueryNode } from './query.ts'
import { faultRefusal, refusingFaults, unknownCredentials, unsigned, type AwsService } from './refusals.ts'
import { readSignature, type Signed } from './signature.ts'
import { ec2Answer, ec2Refusal, stsAnswer, stsRefusal } from './xml.ts'

/** An HTTP request, as far as AWS's protocols care. */
export interface AwsRequest {
  readonly header: (name: string) => string | undefined
  readonly body: string
}

export interface AwsReply {
  readonly status: number
  readonly contentType: string
  readonly requestId: string
  readonly body: string
}

/** A recognised call: how it is carried out, and how its outcome is written. */
interface Call {
  readonly service: AwsService
  readonly operation: string
  /** For the log: secrets masked. */
  readonly parameters: unknown
  readonly target: Pick<FaultTarget, 'zone' | 'instanceType'>
  readonly contentType: string
  /** What the request limits look at, null for other protocols than EC2's. */
  readonly node: QueryNode | null
  carryOut(signed: Signed | null, identity: Identity | null, id: string): Promise<string>
  refuse(error: AwsError, id: string): string
}

/** Answers a request to AWS; null when the fault `lost-reply` struck and the connection is to be cut. */
export async function answerAws(cloud: Cloud, request: AwsRequest): Promise<AwsReply | null> {
  const call = recognise(cloud, request)
  const id = requestId()
  const signed = readSignature(request.header)
  const reply = (status: number, body: string): AwsReply => ({
    status,
    contentType: call.contentType,
    requestId: id,
    body,
  })
  let strike: string | null = null
  const log = (outcome: string): void => {
    const { service, operation, parameters } = call
    const at = new Date(cloud.clock.now()).toISOString()
    cloud.calls.record({ at, service, operation, outcome: strike ?? outcome, requestId: id, parameters })
  }
  const target: FaultTarget = {
    ...call.target,
    service: call.service,
    operation: call.operation,
    ...(signed === null ? {} : { region: signed.region }),
  }
  if (cloud.faults.take(['sessions-expire'], target) !== null) cloud.sessions.expireAll(cloud.clock.now())
  const answered = await accept(cloud, target)
  try {
    const identity = authenticate(cloud, call, signed)
    requirePermission(identity, call, regionOf(signed))
    const { service, operation, node } = call
    if (!cloud.limits.admit({ service, operation, region: regionOf(signed), parameters: node }))
      throw faultRefusal(service, 'throttled')
    const refused = cloud.faults.take(
      refusingFaults,
      target,
      ({ kind, operation }) =>
        // A call that carries no credentials cannot have expired ones, unless it is meant by name.
        kind !== 'expired-credentials' || identity !== null || operation !== undefined,
    )
    const kind = refusingFaults.find(name => name === refused?.kind)
    if (kind !== undefined) {
      strike = kind
      throw faultRefusal(call.service, kind)
    }
    if (cloud.faults.take(['lost-reply'], target) !== null) strike = 'lost-reply'
    const body = await call.carryOut(signed, identity, id)
    log('ok')
    await answered()
    return strike === 'lost-reply' ? null : reply(200, body)
  } catch (cause) {
    if (!(cause instanceof AwsError)) throw cause
    log(cause.code)
    await answered()
    return strike === 'lost-reply' ? null : reply(cause.status, call.refuse(cause, id))
  }
}

/**
 * Waits while the call is on its way (fault `latency`), in this computer's time; what it gives waits while the answer
 * is. A caller that has given up meanwhile is carried out all the same.
 */
async function accept(cloud: Cloud, target: FaultTarget): Promise<() => Promise<void>> {
  const late = cloud.faults.take(['latency'], target)
  if (late === null) return async () => {}
  const sentAt = Date.now()
  const until = async (seconds: number): Promise<void> => {
    await delay(Math.max(0, sentAt + seconds * 1000 - Date.now()))
  }
  const accepted = late.acceptSeconds ?? late.seconds ?? 1
  await until(accepted)
  return () => until(late.replySeconds ?? accepted)
}

function authenticate(cloud: Cloud, call: Call, signed: Signed | null): Identity | null {
  if (isUnsigned(call)) return null
  if (signed === null) throw unsigned(call.service)
  if (call.service === 'pricing' && !pricingRegions.includes(signed.region)) throw noPricingEndpoint(signed.region)
  const identity = cloud.sessions.identify(signed.accessKeyId, signed.sessionToken, cloud.clock.now())
  const isServed = call.service === 'pricing' || regionNamed(signed.region) !== undefined
  if (identity === 'unknown' || !isServed) throw unknownCredentials(call.service)
  if (identity === 'expired') throw faultRefusal(call.service, 'expired-credentials')
  return identity
}

const isUnsigned = ({ service, operation }: Call): boolean =>
  (service === 'sts' && unsignedOperations.includes(operation)) ||
  (service === 'cognito-idp' && unsignedCognitoOperations.includes(operation))

// The protocol gives the service away: a target header for the JSON ones, the API version for the query ones.
function recognise(cloud: Cloud, request: AwsRequest): Call {
  const target = request.header('x-amz-target')
  if (target !== undefined) return jsonCall(cloud, target, request.body)
  const node = parseQuery(request.body)
  const operation = text(node, 'Action') ?? ''
  return text(node, 'Version') === '2011-06-15' ? stsCall(cloud, operation, node) : ec2Call(cloud, operation, node)
}

const regionOf = (signed: Signed | null): string => signed?.region ?? ''

function ec2Call(cloud: Cloud, operation: string, node: QueryNode): Call {
  const instanceType = text(node, 'InstanceType')
  const subnet = text(node, 'SubnetId') ?? text(node, 'NetworkInterface.1.SubnetId')
  return {
    service: 'ec2',
    operation,
    parameters: withoutProtocol(node),
    target: { ...(instanceType === undefined ? {} : { instanceType }), ...zoneOf(node, subnet) },
    contentType: 'text/xml;charset=UTF-8',
    node,
    async carryOut(signed, _, id) {
      const region = regionNamed(regionOf(signed))
      if (region === undefined || signed === null) throw unknownCredentials('ec2')
      const version = text(node, 'Version')
      if (version !== '2016-11-15')
        throw new AwsError('NoSuchVersion', `The requested version (${version}) of service AmazonEC2 does not exist`)
      const caller = { region: region.name, accessKeyId: signed.accessKeyId }
      return ec2Answer(operation, id, callEc2(cloud, operation, node, region, caller))
    },
    refuse: ({ code, message }, id) => ec2Refusal(id, code, message),
  }
}

function zoneOf(node: QueryNode, subnet: string | undefined): { readonly zone?: string } {
  const zone =
    text(node, 'Placement.AvailabilityZone') ??
    regions.flatMap(({ subnets }) => subnets).find(({ id }) => id === subnet)?.zone
  return zone === undefined ? {} : { zone }
}

function withoutProtocol(node: QueryNode): unknown {
  const aside = new Set(['Action', 'Version', 'WebIdentityToken'])
  const children = new Map([...node.children].filter(([name]) => !aside.has(name)))
  const parameters = plain({ value: undefined, children })
  const isMasked = node.children.has('WebIdentityToken')
  return isMasked && typeof parameters === 'object' ? { ...parameters, WebIdentityToken: '***' } : parameters
}

function stsCall(cloud: Cloud, operation: string, node: QueryNode): Call {
  return {
    service: 'sts',
    operation,
    parameters: withoutProtocol(node),
    target: {},
    contentType: 'text/xml',
    node: null,
    carryOut: async (_, identity, id) => stsAnswer(operation, id, await callSts(cloud, operation, node, identity)),
    refuse: ({ code, message, status }, id) => stsRefusal(id, code, message, status),
  }
}

const jsonServices: Readonly<Record<string, 'ssm' | 'cognito-idp' | 'servicequotas' | 'pricing'>> = {
  AmazonSSM: 'ssm',
  AWSCognitoIdentityProviderService: 'cognito-idp',
  ServiceQuotasV20190624: 'servicequotas',
  AWSPriceListService: 'pricing',
}

function jsonCall(cloud: Cloud, target: string, body: string): Call {
  const [prefix = '', operation = ''] = target.split('.')
  const input = parseJson(body)
  const service = jsonServices[prefix]
  return {
    service: service ?? 'ssm',
    operation: service === undefined ? target : operation,
    parameters: maskedInput(operation, input),
    target: {},
    contentType: 'application/x-amz-json-1.1',
    node: null,
    async carryOut(signed) {
      if (service === undefined) throw new AwsError('InvalidAction', `The offline cloud does not cover ${target}.`)
      if (input === undefined) throw new AwsError('SerializationException', 'The request is not JSON.')
      if (service === 'cognito-idp')
        return JSON.stringify(await callCognito(cloud, operation, input, signed?.region ?? null))
      if (service === 'pricing') return JSON.stringify(callPricing(operation, input))
      const caller = { region: regionOf(signed), accessKeyId: signed?.accessKeyId ?? '' }
      if (service === 'servicequotas') return JSON.stringify(callServiceQuotas(cloud, operation, input, caller))
      return JSON.stringify(callSsm(cloud, operation, input, caller))
    },
    refuse: ({ code, message }) => JSON.stringify({ __type: code, message }),
  }
}

function parseJson(body: string): unknown {
  try {
    return body === '' ? {} : JSON.parse(body)
  } catch {
    return undefined
  }
}

const secretMembers = ['Token', 'ClientSecret', 'AuthParameters', 'ChallengeResponses', 'Session']

// A parameter's value is masked unless the request itself says that it is a plain one; what Cognito is told is masked
// but for the user's name.
function maskedInput(operation: string, input: unknown): unknown {
  if (typeof input !== 'object' || input === null) return input
  const masked = Object.entries(input).map(([name, value]: [string, unknown]) => [
    name,
    secretMembers.includes(name) ? mask(value) : value,
  ])
  if (operation !== 'PutParameter' || !('Value' in input)) return Object.fromEntries(masked)
  const isPlain = 'Type' in input && (input.Type === 'String' || input.Type === 'StringList')
  return isPlain ? input : { ...input, Value: '***' }
}

const mask = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'USERNAME' in value
    ? { ...Object.fromEntries(Object.keys(value).map(name => [name, '***'])), USERNAME: value.USERNAME }
    : '***'
