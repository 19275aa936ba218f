import { randomBytes } from 'node:crypto'
import type { Cloud } from '../cloud.ts'
import type { LaunchRequest } from './launch-request.ts'
import type { SpotOptions } from './market-options.ts'
import type { Instance, SpotRequest, SpotStatus } from './model.ts'

/** The status codes that a request can come to here, with what the service says. */
const sentences = {
  'pending-fulfillment': 'Your Spot request is pending fulfillment.',
  'pending-evaluation': 'Your Spot request has been submitted for review, and is pending evaluation.',
  fulfilled: 'Your spot request is fulfilled.',
  'canceled-before-fulfillment': 'Your Spot request is canceled before it was fulfilled.',
  'request-canceled-and-instance-running': 'Your Spot request is canceled, but your instance is still running.',
  'marked-for-termination': 'Your Spot instance is marked for termination.',
  'marked-for-stop': 'Your Spot instance is marked for stopping.',
  'instance-stopped-no-capacity':
    'Your Spot instance was stopped because there is no Spot capacity available that matches your request.',
  'instance-stopped-by-price': 'Your Spot instance was stopped because the Spot price exceeded your maximum price.',
  'instance-terminated-by-user': 'Spot Instance terminated due to user-initiated termination.',
  'instance-terminated-no-capacity':
    'Your Spot instance was terminated because there is no Spot capacity available that matches your request.',
  'instance-terminated-by-price':
    'Your Spot instance was terminated because the Spot price exceeded your maximum price.',
  'system-error': 'There was an unexpected system error.',
} as const
export type SpotStatusCode = keyof typeof sentences

const statusOf = (cloud: Cloud, code: SpotStatusCode): SpotStatus => ({
  code,
  message: sentences[code],
  at: cloud.clock.now(),
})

const idAlphabet = 'abcdefghijkmnpqrstuvwxyz123456789'
const requestId = (): string =>
  `sir-${Array.from(randomBytes(8), byte => idAlphabet[byte % idAlphabet.length]).join('')}`

/** A request for one spot instance. It is open until it is fulfilled. */
export function createRequest(
  cloud: Cloud,
  request: LaunchRequest,
  options: SpotOptions,
  region: string,
  fulfil: (order: SpotRequest) => void,
): SpotRequest {
  const now = cloud.clock.now()
  const order: SpotRequest = {
    id: requestId(),
    region,
    type: options.type,
    onInterruption: options.onInterruption,
    maxPrice: options.maxPrice,
    instanceType: request.type,
    imageId: request.image.id,
    groups: request.groups,
    profile: request.profile,
    subnet: request.subnet?.id ?? null,
    created: now,
    visibleAt: now + cloud.timings.consistencySeconds * 1000,
    fulfil: () => fulfil(order),
    zone: null,
    tags: request.tags['spot-instances-request'],
    instance: null,
    state: 'open',
    status: statusOf(cloud, 'pending-fulfillment'),
  }
  cloud.ec2.spotRequests.set(order.id, order)
  return order
}

/** Notes the instance that fulfils a request. */
export function fulfilled(cloud: Cloud, order: SpotRequest, instance: Instance): void {
  order.instance = instance.id
  order.zone = instance.zone
  settle(cloud, order, 'active', 'fulfilled')
}

/** Notes that a request waits for a price that it can pay. */
export function waitForPrice(cloud: Cloud, order: SpotRequest, message: string): void {
  order.status = { code: 'price-too-low', message, at: cloud.clock.now() }
}

/** The request of a spot instance. */
export const requestOf = (cloud: Cloud, instance: Instance): SpotRequest | undefined =>
  instance.spotRequest === null ? undefined : cloud.ec2.spotRequests.get(instance.spotRequest)

/** Whether a request can still cost or block something. */
export const isLiving = ({ state }: SpotRequest): boolean => state === 'open' || state === 'active'

/** Moves a request on; one that was cancelled keeps that state and takes the status only. */
export function settle(cloud: Cloud, request: SpotRequest, state: SpotRequest['state'], code: SpotStatusCode): void {
  if (request.state !== 'cancelled') request.state = state
  request.status = statusOf(cloud, code)
}

/** What the end of its instance does to a request: at once where EC2 itself ended it, else when EC2 has noticed. */
export function instanceEnded(cloud: Cloud, instance: Instance): void {
  const request = requestOf(cloud, instance)
  if (request === undefined) return
  if (instance.interruption !== null && instance.stateReason?.code === 'Server.SpotInstanceTermination')
    return settle(cloud, request, 'closed', instance.interruption.status)
  if (instance.stateReason?.code.startsWith('Server.') === true) return settle(cloud, request, 'closed', 'system-error')
  cloud.clock.after(cloud.timings.spotClosingSeconds * 1000, () => {
    const isAgain = request.type === 'persistent' && request.state !== 'cancelled'
    settle(cloud, request, isAgain ? 'open' : 'closed', isAgain ? 'pending-evaluation' : 'instance-terminated-by-user')
    // A persistent request that nobody cancelled gets its next instance.
    if (isAgain) request.fulfil()
  })
}

/** Cancels a request as the API's caller wishes. Its instance goes on. */
export function cancel(cloud: Cloud, request: SpotRequest): void {
  if (request.state !== 'open' && request.state !== 'active' && request.state !== 'disabled') return
  const instance = request.instance === null ? undefined : cloud.ec2.instances.get(request.instance)
  const code =
    instance === undefined || request.state === 'open'
      ? 'canceled-before-fulfillment'
      : instance.state === 'terminated'
        ? 'instance-terminated-by-user'
        : 'request-canceled-and-instance-running'
  request.state = 'cancelled'
  request.status = statusOf(cloud, code)
}
