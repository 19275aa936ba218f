import {
  paginateDescribeNetworkInterfaces,
  paginateDescribeSpotInstanceRequests,
  paginateDescribeVolumes,
  type EC2Client,
} from '@aws-sdk/client-ec2'
import type { Left, Machine, Place, Remains } from '@gpu-actions/lease'
import { calling, type Call } from '../errors.ts'
import { filter, inParts } from './find.ts'
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

/** What a look is for: the marks of these machines, and the ids that were recorded while they lived. */
interface Own {
  readonly leases: readonly string[]
  readonly repositories: readonly string[]
  readonly ids: readonly string[]
}

/** By both marks, and by id. The mark of a lease alone may be anybody's. */
const filtersFor = (idFilter: string, { leases, repositories, ids }: Own) => [
  ...(repositories.length === 0 ? [] : inParts(leases)).map(some => [
    filter(`tag:${tagNames.lease}`, ...some),
    filter(`tag:${tagNames.repository}`, ...repositories),
  ]),
  ...inParts(ids).map(some => [filter(idFilter, ...some)]),
]

type Found = readonly [id: string | undefined, state: string | undefined]

/** All that the pages of these looks show, each once. @throws OutsideFault */
async function seenIn(
  call: Pick<Call, 'doing' | 'permission'>,
  place: Place,
  looks: readonly AsyncIterable<readonly Found[]>[],
  describe: (id: string, place: Place, state: string) => Left,
): Promise<readonly Left[]> {
  return calling({ ...call, region: place.region }, async () => {
    const left = new Map<string, Left>()
    await Promise.all(
      looks.map(async pages => {
        for await (const page of pages) {
          for (const [id, state] of page) if (id !== undefined) left.set(id, describe(id, place, state ?? 'unknown'))
        }
      }),
    )
    return [...left.values()]
  })
}

async function* mapped<P>(
  pages: AsyncIterable<P>,
  pick: (page: P) => readonly Found[],
): AsyncIterable<readonly Found[]> {
  for await (const page of pages) yield pick(page)
}

const volumesLeft = (client: EC2Client, place: Place, own: Own) =>
  seenIn(
    { doing: 'Looking for volumes that are left', permission: 'ec2:DescribeVolumes' },
    place,
    filtersFor('volume-id', own).map(Filters =>
      mapped(paginateDescribeVolumes({ client, pageSize: 500 }, { Filters }), ({ Volumes = [] }) =>
        Volumes.map(({ VolumeId, State }) => [VolumeId, State]),
      ),
    ),
    describeVolume,
  )

const interfacesLeft = (client: EC2Client, place: Place, own: Own) =>
  seenIn(
    { doing: 'Looking for network interfaces that are left', permission: 'ec2:DescribeNetworkInterfaces' },
    place,
    filtersFor('network-interface-id', own).map(Filters =>
      mapped(paginateDescribeNetworkInterfaces({ client, pageSize: 500 }, { Filters }), ({ NetworkInterfaces = [] }) =>
        NetworkInterfaces.map(({ NetworkInterfaceId, Status }) => [NetworkInterfaceId, Status]),
      ),
    ),
    describeInterface,
  )

/** Requests that could still start a machine, or that hold one. */
const requestsLeft = (client: EC2Client, place: Place, own: Own) =>
  seenIn(
    { doing: 'Looking for spot requests that are left', permission: 'ec2:DescribeSpotInstanceRequests' },
    place,
    filtersFor('spot-instance-request-id', own).map(filters =>
      mapped(
        paginateDescribeSpotInstanceRequests(
          { client, pageSize: 500 },
          { Filters: [...filters, filter('state', 'open', 'active')] },
        ),
        ({ SpotInstanceRequests = [] }) =>
          SpotInstanceRequests.map(({ SpotInstanceRequestId, State }) => [SpotInstanceRequestId, State]),
      ),
    ),
    describeRequest,
  )

const unique = (values: readonly (string | null)[]): string[] => [
  ...new Set(values.filter((value): value is string => value !== null)),
]

/**
 * One look at machines of one place: one call for nearly 200 of them. Volumes and interfaces are asked for only when no
 * machine lives any more, because until then they are in use.
 * @throws OutsideFault
 */
export async function remainsIn(ec2: EC2Client, place: Place, machines: readonly Machine[]): Promise<Remains> {
  if (machines.length === 0) return { machines: [], left: [] }
  const ids = machines.map(machine => machine.id)
  const looks = await Promise.all(
    inParts(ids).map(some => describeMachines(ec2, place, [filter('instance-id', ...some)])),
  )
  const seen = looks.flat()
  const alive = seen.filter(machine => machine.state !== 'gone')
  if (alive.length > 0) return { machines: seen, left: alive.map(describeMachine) }
  const all = [...machines, ...seen]
  const own = (ids: (machine: Machine) => readonly string[]): Own => ({
    leases: unique(all.map(machine => machine.leaseId)),
    repositories: unique(all.map(machine => machine.repository)),
    ids: unique(all.flatMap(ids)),
  })
  // Nothing asked for a machine that was not bought on spot.
  const isSpot = all.some(machine => machine.market === 'spot' || machine.requests.length > 0)
  const [volumes, interfaces, requests] = await Promise.all([
    volumesLeft(
      ec2,
      place,
      own(machine => machine.volumes),
    ),
    interfacesLeft(
      ec2,
      place,
      own(machine => machine.interfaces),
    ),
    isSpot
      ? requestsLeft(
          ec2,
          place,
          own(machine => machine.requests),
        )
      : [],
  ])
  return { machines: seen, left: [...volumes, ...interfaces, ...requests] }
}
