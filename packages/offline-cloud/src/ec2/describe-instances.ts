import { AwsError } from '../aws/errors.ts'
import { flag, text, texts, type QueryNode } from '../aws/query.ts'
import { items, time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { account, profileArn } from '../world/account.ts'
import type { RegionData } from '../world/network.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import { afterlife, stateCodes, type Instance } from './model.ts'
import { page } from './pages.ts'
import { attachedInterfaces, attachedVolumes, reservationView, stateView } from './views.ts'

const wellFormed = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/

function visibleIn(cloud: Cloud, region: string): (instance: Instance) => boolean {
  const now = cloud.clock.now()
  return instance =>
    instance.region === region &&
    instance.visibleAt <= now &&
    (instance.terminatedAt === null || now - instance.terminatedAt < afterlife)
}

/** Instances that reads of a region see: not those of the last moment, not those gone for more than an hour. */
export const visibleInstances = (cloud: Cloud, region: string): readonly Instance[] =>
  [...cloud.ec2.instances.values()].filter(visibleIn(cloud, region))

/** The instances with these ids. One id that is malformed or unknown fails the whole call, as on EC2. */
export function instancesByIds(cloud: Cloud, region: string, ids: readonly string[]): readonly Instance[] {
  for (const id of ids) {
    if (!wellFormed.test(id)) throw new AwsError('InvalidInstanceID.Malformed', `Invalid id: "${id}"`)
  }
  const isVisible = visibleIn(cloud, region)
  const found = ids.map(id => {
    const instance = cloud.ec2.instances.get(id)
    return instance !== undefined && isVisible(instance) ? instance : id
  })
  const missing = found.filter(one => typeof one === 'string')
  if (missing.length > 0)
    throw new AwsError(
      'InvalidInstanceID.NotFound',
      missing.length === 1
        ? `The instance ID '${missing[0]}' does not exist`
        : `The instance IDs '${missing.join(', ')}' do not exist`,
    )
  return found.filter(one => typeof one !== 'string')
}

const fields = (cloud: Cloud): Fields<Instance> => ({
  'instance-id': ({ id }) => [id],
  'instance-state-name': ({ state }) => [state],
  'instance-state-code': ({ state }) => [stateCodes[state]],
  'client-token': ({ clientToken }) => [clientToken],
  'instance-type': ({ type }) => [type.name],
  'image-id': ({ image }) => [image.id],
  'availability-zone': ({ zone }) => [zone.name],
  'availability-zone-id': ({ zone }) => [zone.id],
  'subnet-id': ({ subnet, state }) => (state === 'terminated' ? [] : [subnet.id]),
  'vpc-id': ({ vpc, state }) => (state === 'terminated' ? [] : [vpc]),
  'private-ip-address': ({ privateIp, state }) => (state === 'terminated' ? [] : [privateIp]),
  'ip-address': ({ publicIp, state }) => (state === 'terminated' ? [] : [publicIp]),
  'reservation-id': ({ reservation }) => [reservation],
  'owner-id': () => [account],
  'launch-time': ({ launchTime }) => [time(launchTime)],
  'launch-index': ({ launchIndex }) => [launchIndex],
  'state-reason-code': ({ stateReason }) => [stateReason?.code ?? null],
  architecture: ({ type }) => [type.architecture],
  hypervisor: () => ['xen'],
  'virtualization-type': () => ['hvm'],
  'root-device-type': () => ['ebs'],
  'root-device-name': ({ rootDevice }) => [rootDevice],
  'instance-lifecycle': ({ lifecycle }) => [lifecycle],
  'spot-instance-request-id': ({ spotRequest }) => [spotRequest],
  'capacity-reservation-id': ({ capacityReservation }) => [capacityReservation],
  'key-name': () => [],
  tenancy: () => ['default'],
  'iam-instance-profile.arn': ({ profile }) => [profile === null ? null : profileArn(profile)],
  'instance.group-id': ({ groups }) => groups.map(({ id }) => id),
  'instance.group-name': ({ groups }) => groups.map(({ name }) => name),
  'metadata-options.http-tokens': ({ metadata }) => [metadata.httpTokens],
  'block-device-mapping.volume-id': instance => attachedVolumes(cloud, instance).map(({ id }) => id),
  'block-device-mapping.device-name': instance => attachedVolumes(cloud, instance).map(({ device }) => device),
  'network-interface.network-interface-id': instance => attachedInterfaces(cloud, instance).map(({ id }) => id),
})

/** DescribeInstances. */
export function describeInstances(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const ids = texts(node, 'InstanceId')
  if (ids.length > 0 && text(node, 'MaxResults') !== undefined)
    throw new AwsError(
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    )
  const filters = readFilters(node)
  const known = fields(cloud)
  checkFilters(filters, known)
  const candidates = ids.length > 0 ? instancesByIds(cloud, region.name, ids) : visibleInstances(cloud, region.name)
  const fitting = candidates.filter(instance => passes(instance, filters, known, instance.tags))
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  const reservations = new Map<string, Instance[]>()
  for (const instance of members) {
    const others = reservations.get(instance.reservation)
    if (others === undefined) reservations.set(instance.reservation, [instance])
    else others.push(instance)
  }
  return {
    reservationSet: items([...reservations.values()].map(instances => reservationView(cloud, instances))),
    nextToken,
  }
}

const statusFields = (cloud: Cloud): Fields<Instance> => ({
  'availability-zone': ({ zone }) => [zone.name],
  'instance-state-name': ({ state }) => [state],
  'instance-state-code': ({ state }) => [stateCodes[state]],
  'instance-status.status': instance => [healthOf(cloud, instance)],
  'system-status.status': instance => [systemHealthOf(cloud, instance)],
  'instance-status.reachability': instance => [reachability(healthOf(cloud, instance))],
  'system-status.reachability': instance => [reachability(systemHealthOf(cloud, instance))],
})

// The checks pass about when the agent would register.
function systemHealthOf(cloud: Cloud, instance: Instance): string {
  if (instance.state !== 'running' || instance.runningAt === null) return 'not-applicable'
  const passedAt = instance.runningAt + cloud.timings.registrationSeconds * 1000
  return cloud.clock.now() < passedAt ? 'initializing' : 'ok'
}

const isImpaired = (cloud: Cloud, { impairedAt }: Instance): boolean =>
  impairedAt !== null && impairedAt <= cloud.clock.now()

// It is the check of the instance that fails (a kernel that hangs, no network), not that of the computer below it.
function healthOf(cloud: Cloud, instance: Instance): string {
  const health = systemHealthOf(cloud, instance)
  return health !== 'not-applicable' && isImpaired(cloud, instance) ? 'impaired' : health
}

const reachability = (status: string): string =>
  status === 'ok' ? 'passed' : status === 'impaired' ? 'failed' : status

/** DescribeInstanceStatus: running instances only, unless IncludeAllInstances is set. */
export function describeInstanceStatus(
  cloud: Cloud,
  node: QueryNode,
  region: RegionData,
): { readonly [name: string]: Xml } {
  const ids = texts(node, 'InstanceId')
  const filters = readFilters(node)
  const known = statusFields(cloud)
  checkFilters(filters, known)
  const isAll = flag(node, 'IncludeAllInstances') === true
  const candidates = ids.length > 0 ? instancesByIds(cloud, region.name, ids) : visibleInstances(cloud, region.name)
  const fitting = candidates.filter(
    instance => (isAll || instance.state === 'running') && passes(instance, filters, known),
  )
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  const check = (status: string, since: number | null): Xml => {
    const impairedSince = status === 'impaired' && since !== null ? time(since) : undefined
    return status === 'not-applicable'
      ? { status }
      : { status, details: items([{ name: 'reachability', status: reachability(status), impairedSince }]) }
  }
  return {
    instanceStatusSet: items(
      members.map(instance => ({
        instanceId: instance.id,
        availabilityZone: instance.zone.name,
        availabilityZoneId: instance.zone.id,
        instanceState: stateView(instance.state),
        systemStatus: check(systemHealthOf(cloud, instance), null),
        instanceStatus: check(healthOf(cloud, instance), instance.impairedAt),
      })),
    ),
    nextToken,
  }
}
