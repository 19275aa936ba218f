import { randomBytes } from 'node:crypto'
import { AwsError } from '../aws/errors.ts'
import { flag, type QueryNode } from '../aws/query.ts'
import type { Xml } from '../aws/xml.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { awsId } from '../ids.ts'
import type { RegionData } from '../world/network.ts'
import { readLaunchRequest, type LaunchRequest } from './launch-request.ts'
import { interrupt } from './interruption.ts'
import { begin, type BootPlan } from './lifecycle.ts'
import type { Instance, NetworkInterface, SpotRequest, Volume } from './model.ts'
import { choosePlace, freeSpotPlace, type Place } from './placement.ts'
import { createRequest, fulfilled, waitForPrice } from './spot-requests.ts'
import { noTags } from './tags.ts'
import { reservationView } from './views.ts'

/** RunInstances. Runs to its end without a pause, so two calls with one token can never launch twice. */
export function runInstances(
  cloud: Cloud,
  node: QueryNode,
  region: RegionData,
  caller: Caller,
): { readonly [name: string]: Xml } {
  const request = readLaunchRequest(node, region)
  if (flag(node, 'DryRun') === true)
    throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412)
  const scope = tokenScope(request, region)
  const earlier = scope === null ? null : repeated(cloud, scope, request)
  if (earlier !== null) return reservationView(cloud, earlier)
  const launched = launch(cloud, request, region, placeFor(cloud, request, region, caller), caller)
  if (scope !== null)
    cloud.ec2.tokens.set(scope, { request: request.fingerprint, instances: launched.map(({ id }) => id) })
  return reservationView(cloud, launched)
}

// A token belongs to its zone when the request names one, else to the region: the same token elsewhere launches anew.
function tokenScope(request: LaunchRequest, region: RegionData): string | null {
  if (request.clientToken === undefined || request.clientToken === '') return null
  return `${region.name}/${request.zone ?? 'regional'}/${request.clientToken}`
}

function repeated(cloud: Cloud, scope: string, request: LaunchRequest): readonly Instance[] | null {
  const use = cloud.ec2.tokens.get(scope)
  if (use === undefined) return null
  if (use.request !== request.fingerprint)
    throw new AwsError(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
    )
  const instances = use.instances.flatMap(id => cloud.ec2.instances.get(id) ?? [])
  if (instances.some(({ state }) => state === 'terminated'))
    throw new AwsError(
      'IdempotentInstanceTerminated',
      'The client token belongs to an instance that has been terminated.',
    )
  return instances
}

function placeFor(cloud: Cloud, request: LaunchRequest, region: RegionData, caller: Caller): Place {
  try {
    return choosePlace(cloud, request, region)
  } catch (cause) {
    // The launch fails, but what it asked for goes on waiting.
    if (cause instanceof AwsError && cause.code === 'SpotMaxPriceTooLow')
      for (let index = 0; index < request.most; index += 1) {
        const order = orderFor(cloud, request, region, caller)
        if (order !== null) waitForPrice(cloud, order, cause.message)
      }
    throw cause
  }
}

function launch(
  cloud: Cloud,
  request: LaunchRequest,
  region: RegionData,
  chosen: Place,
  caller: Caller,
): readonly Instance[] {
  const reservation = awsId('r')
  return Array.from({ length: chosen.count }, (_, launchIndex) => {
    const order = orderFor(cloud, request, region, caller)
    return launchOne(cloud, request, region, chosen, { reservation, launchIndex, order, caller })
  })
}

interface Launch {
  readonly reservation: string
  readonly launchIndex: number
  readonly order: SpotRequest | null
  readonly caller: Caller
}

function launchOne(cloud: Cloud, request: LaunchRequest, region: RegionData, chosen: Place, more: Launch): Instance {
  const instance = createInstance(cloud, request, region, chosen, more)
  if (more.order !== null) fulfilled(cloud, more.order, instance)
  cloud.ec2.instances.set(instance.id, instance)
  begin(cloud, instance, bootPlan(cloud, instance, more.caller))
  return instance
}

// An instance that comes later is launched from the request's specification, which holds neither tags nor token.
function orderFor(cloud: Cloud, request: LaunchRequest, region: RegionData, caller: Caller): SpotRequest | null {
  const { spot } = request.choice
  if (spot === null) return null
  const bare: LaunchRequest = { ...request, least: 1, most: 1, clientToken: undefined, tags: noTags }
  return createRequest(cloud, request, spot, region.name, order => {
    const chosen = freeSpotPlace(cloud, bare, region)
    if (chosen === null) return
    launchOne(cloud, bare, region, chosen, { reservation: awsId('r'), launchIndex: 0, order, caller })
  })
}

function bootPlan(cloud: Cloud, instance: Instance, caller: Caller): BootPlan {
  const target = {
    service: 'ec2',
    operation: 'RunInstances',
    region: caller.region,
    zone: instance.zone.name,
    instanceType: instance.type.name,
  } as const
  const slow = cloud.faults.take(['slow-boot'], target)
  const interrupted = instance.lifecycle === 'spot' ? cloud.faults.take(['spot-interruption'], target) : null
  return {
    slowBy: slow === null ? 0 : (slow.seconds ?? 30),
    neverRegisters: cloud.faults.take(['never-registers'], target) !== null,
    terminated: cloud.faults.take(['boot-terminated'], target),
    whenRunning() {
      if (interrupted === null) return
      cloud.clock.after((interrupted.seconds ?? 30) * 1000, () =>
        interrupt(cloud, instance, cloud.timings.spotNoticeSeconds),
      )
    },
  }
}

// Private addresses count up through the subnet's /20; public ones come from the block reserved for documentation.
function addresses(
  cloud: Cloud,
  place: Place,
  isPublic: boolean,
): { readonly inside: string; readonly outside: string | null } {
  const count = cloud.ec2.addresses
  cloud.ec2.addresses += 1
  const [first = '172', second = '31', third = '0'] = place.subnet.cidr.split('.')
  const inside = `${first}.${second}.${Number(third) + (Math.floor(count / 250) % 16)}.${4 + (count % 250)}`
  return { inside, outside: isPublic ? `203.0.113.${1 + (count % 254)}` : null }
}

const freshCard = (): Pick<NetworkInterface, 'id' | 'about' | 'mac' | 'attachment'> => ({
  id: awsId('eni'),
  about: '',
  // A locally administered address, as EC2's begin with 02 to 0e.
  mac: `02:${(randomBytes(5).toString('hex').match(/../g) ?? []).join(':')}`,
  attachment: awsId('eni-attach'),
})

/** A fresh instance, pending, with its volumes and its interface; what happens to it next is up to the caller. */
export function createInstance(
  cloud: Cloud,
  request: LaunchRequest,
  region: RegionData,
  place: Place,
  { reservation, launchIndex, order }: Omit<Launch, 'caller'>,
): Instance {
  const { image, type, tags, choice } = request
  const id = awsId('i')
  const now = cloud.clock.now()
  const visibleAt = now + cloud.timings.consistencySeconds * 1000
  const { subnet, zone } = place
  const { inside, outside } = addresses(cloud, place, request.publicIp ?? subnet.mapPublicIp)
  const shared = { region: region.name, zone, visibleAt, instance: id, state: 'in-use' as const, created: now }
  const volumes = request.volumes.map((plan): Volume => ({ ...shared, ...plan, id: awsId('vol'), tags: tags.volume }))
  const card: NetworkInterface = {
    ...shared,
    ...freshCard(),
    vpc: region.vpc,
    subnet,
    groups: request.groups,
    privateIp: inside,
    publicIp: outside,
    deleteOnTermination: !request.interfaceStays,
    tags: tags['network-interface'],
  }
  for (const volume of volumes) cloud.ec2.volumes.set(volume.id, volume)
  cloud.ec2.interfaces.set(card.id, card)
  return {
    id,
    reservation,
    launchIndex,
    region: region.name,
    zone,
    type,
    image,
    vpc: region.vpc,
    subnet,
    groups: request.groups,
    profile: request.profile,
    clientToken: request.clientToken ?? '',
    launchTime: Math.floor(now / 1000) * 1000,
    visibleAt,
    onShutdown: request.onShutdown,
    lifecycle: choice.market === 'on-demand' ? null : choice.market,
    spotRequest: order?.id ?? null,
    capacityReservation: choice.reservation,
    isProtected: request.isProtected,
    ebsOptimized: request.ebsOptimized,
    userData: request.userData,
    metadata: request.metadata,
    rootDevice: image.rootDevice,
    privateIp: inside,
    publicIp: outside,
    tags: tags.instance,
    state: 'pending',
    stateReason: { code: 'pending', message: 'pending' },
    transition: '',
    runningAt: null,
    terminatedAt: null,
    ssm: 'offline',
    registeredAt: null,
    impairedAt: null,
    interruption: null,
    console: '',
    volumes: volumes.map(volume => volume.id),
    interfaces: [card.id],
  }
}
