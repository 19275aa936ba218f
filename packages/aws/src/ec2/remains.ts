import {
  paginateDescribeNetworkInterfaces,
  paginateDescribeSpotInstanceRequests,
  paginateDescribeVolumes,
  type EC2Client,
} from '@aws-sdk/client-ec2'
import type { Left, Machine, Place, Remains } from '@gpu-actions/lease'
import { calling } from '../errors.ts'
import { filter } from './find.ts'
import { describeMachines } from './machines.ts'
import { tagNames } from './tags.ts'

const consoleOf = (region: string, what: string): string =>
  `https://${region}.console.aws.amazon.com/ec2/home?region=${region}#${what}`

/** Where a person looks at it, and the command that ends it. */
export const describeMachine = ({ id, place, state }: Machine): Left => ({
  kind: 'machine',
  id,
  place,
  state,
  consoleLink: consoleOf(place.region, `InstanceDetails:instanceId=${id}`),
  byHand: `aws ec2 terminate-instances --region ${place.region} --instance-ids ${id}`,
})

export const describeVolume = (id: string, place: Place, state: string): Left => ({
  kind: 'volume',
  id,
  place,
  state,
  consoleLink: consoleOf(place.region, `VolumeDetails:volumeId=${id}`),
  byHand: `aws ec2 delete-volume --region ${place.region} --volume-id ${id}`,
})

export const describeInterface = (id: string, place: Place, state: string): Left => ({
  kind: 'interface',
  id,
  place,
  state,
  consoleLink: consoleOf(place.region, `NetworkInterface:networkInterfaceId=${id}`),
  byHand: `aws ec2 delete-network-interface --region ${place.region} --network-interface-id ${id}`,
})

export const describeRequest = (id: string, place: Place, state: string): Left => ({
  kind: 'request',
  id,
  place,
  state,
  consoleLink: consoleOf(place.region, `SpotInstancesDetails:id=${id}`),
  byHand: `aws ec2 cancel-spot-instance-requests --region ${place.region} --spot-instance-request-ids ${id}`,
})

/** For a region that could not be asked. */
export const describePlace = (place: Place): Left => ({
  kind: 'region',
  id: place.region,
  place,
  state: 'not asked',
  consoleLink: consoleOf(place.region, 'Instances:tag-key=gpu-actions:lease'),
  byHand:
    `aws ec2 describe-instances --region ${place.region} --filters Name=tag-key,Values=${tagNames.lease} ` +
    `Name=instance-state-name,Values=pending,running,stopping,stopped`,
})

export const describeLaunch = (token: string, place: Place): Left => ({
  kind: 'launch',
  id: token,
  place,
  state: 'unknown',
  consoleLink: consoleOf(place.region, `Instances:clientToken=${token}`),
  byHand:
    `aws ec2 terminate-instances --region ${place.region} --instance-ids ` +
    `$(aws ec2 describe-instances --region ${place.region} --filters Name=client-token,Values=${token} ` +
    `--query 'Reservations[].Instances[].InstanceId' --output text)`,
})

/** By the lease's mark, and by the ids that were recorded while the machines lived. */
function filtersFor(idFilter: string, leases: readonly string[], ids: readonly string[]) {
  return [
    ...(leases.length > 0 ? [[filter(`tag:${tagNames.lease}`, ...leases)]] : []),
    ...(ids.length > 0 ? [[filter(idFilter, ...ids)]] : []),
  ]
}

async function volumesLeft(ec2: EC2Client, place: Place, leases: readonly string[], ids: readonly string[]) {
  const call = { doing: 'Looking for volumes that are left', permission: 'ec2:DescribeVolumes', region: place.region }
  return calling(call, async () => {
    const left = new Map<string, Left>()
    for (const filters of filtersFor('volume-id', leases, ids)) {
      for await (const page of paginateDescribeVolumes({ client: ec2 }, { Filters: filters })) {
        for (const { VolumeId: id, State: state } of page.Volumes ?? []) {
          if (id !== undefined) left.set(id, describeVolume(id, place, state ?? 'unknown'))
        }
      }
    }
    return [...left.values()]
  })
}

async function interfacesLeft(ec2: EC2Client, place: Place, leases: readonly string[], ids: readonly string[]) {
  const doing = 'Looking for network interfaces that are left'
  return calling({ doing, permission: 'ec2:DescribeNetworkInterfaces', region: place.region }, async () => {
    const left = new Map<string, Left>()
    for (const filters of filtersFor('network-interface-id', leases, ids)) {
      for await (const page of paginateDescribeNetworkInterfaces({ client: ec2 }, { Filters: filters })) {
        for (const { NetworkInterfaceId: id, Status: status } of page.NetworkInterfaces ?? []) {
          if (id !== undefined) left.set(id, describeInterface(id, place, status ?? 'unknown'))
        }
      }
    }
    return [...left.values()]
  })
}

/** Requests that could still start a machine, or that hold one. */
async function requestsLeft(ec2: EC2Client, place: Place, leases: readonly string[], ids: readonly string[]) {
  const doing = 'Looking for spot requests that are left'
  return calling({ doing, permission: 'ec2:DescribeSpotInstanceRequests', region: place.region }, async () => {
    const left = new Map<string, Left>()
    for (const filters of filtersFor('spot-instance-request-id', leases, ids)) {
      const Filters = [...filters, filter('state', 'open', 'active')]
      for await (const page of paginateDescribeSpotInstanceRequests({ client: ec2, pageSize: 500 }, { Filters })) {
        for (const { SpotInstanceRequestId: id, State: state } of page.SpotInstanceRequests ?? []) {
          if (id !== undefined) left.set(id, describeRequest(id, place, state ?? 'unknown'))
        }
      }
    }
    return [...left.values()]
  })
}

const unique = (values: readonly (string | null)[]): string[] => [
  ...new Set(values.filter((value): value is string => value !== null)),
]

/**
 * One look at machines of one place: one call for all of them. Volumes and interfaces are asked for only when no
 * machine lives any more, because until then they are in use.
 * @throws OutsideFault
 */
export async function remainsIn(ec2: EC2Client, place: Place, machines: readonly Machine[]): Promise<Remains> {
  if (machines.length === 0) return { machines: [], left: [] }
  const ids = machines.map(machine => machine.id)
  const seen = await describeMachines(ec2, place, [filter('instance-id', ...ids)])
  const alive = seen.filter(machine => machine.state !== 'gone')
  if (alive.length > 0) return { machines: seen, left: alive.map(describeMachine) }
  const leases = unique(machines.map(machine => machine.leaseId))
  const all = [...machines, ...seen]
  // Nothing asked for a machine that was not bought on spot.
  const isSpot = all.some(machine => machine.market === 'spot' || machine.requests.length > 0)
  const [volumes, interfaces, requests] = await Promise.all([
    volumesLeft(ec2, place, leases, unique(all.flatMap(machine => machine.volumes))),
    interfacesLeft(ec2, place, leases, unique(all.flatMap(machine => machine.interfaces))),
    isSpot ? requestsLeft(ec2, place, leases, unique(all.flatMap(machine => machine.requests))) : [],
  ])
  return { machines: seen, left: [...volumes, ...interfaces, ...requests] }
}
