import { AwsError } from '../aws/errors.ts'
import { text, texts, type QueryNode } from '../aws/query.ts'
import { items, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { account } from '../world/account.ts'
import type { RegionData } from '../world/network.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import type { NetworkInterface, Volume } from './model.ts'
import { page } from './pages.ts'
import { interfaceView, volumeView } from './views.ts'

interface Owned {
  readonly id: string
  readonly region: string
  readonly visibleAt: number
}

// Resources of a region that reads see; a wanted id that is not among them is refused.
function visible<T extends Owned>(
  cloud: Cloud,
  region: RegionData,
  all: ReadonlyMap<string, T>,
  ids: readonly string[],
  missing: (id: string) => AwsError,
): readonly T[] {
  const now = cloud.clock.now()
  const isSeen = (resource: T): boolean => resource.region === region.name && resource.visibleAt <= now
  if (ids.length === 0) return [...all.values()].filter(isSeen)
  return ids.map(id => {
    const found = all.get(id)
    if (found === undefined || !isSeen(found)) throw missing(id)
    return found
  })
}

const noVolume = (id: string): AwsError => new AwsError('InvalidVolume.NotFound', `The volume '${id}' does not exist.`)

const noInterface = (id: string): AwsError =>
  new AwsError('InvalidNetworkInterfaceID.NotFound', `The networkInterface ID '${id}' does not exist`)

const volumeFields: Fields<Volume> = {
  'volume-id': ({ id }) => [id],
  'attachment.instance-id': ({ instance }) => [instance],
  'attachment.device': ({ device, instance }) => (instance === null ? [] : [device]),
  'attachment.delete-on-termination': ({ deleteOnTermination, instance }) =>
    instance === null ? [] : [deleteOnTermination],
  'attachment.status': ({ instance }) => (instance === null ? [] : ['attached']),
  'availability-zone': ({ zone }) => [zone.name],
  encrypted: ({ encrypted }) => [encrypted],
  size: ({ sizeGb }) => [sizeGb],
  'snapshot-id': ({ snapshot }) => [snapshot ?? null],
  status: ({ state }) => [state],
  'volume-type': ({ type }) => [type],
}

/** DescribeVolumes. */
export function describeVolumes(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const filters = readFilters(node)
  checkFilters(filters, volumeFields)
  const volumes = visible(cloud, region, cloud.ec2.volumes, texts(node, 'VolumeId'), noVolume)
  const fitting = volumes.filter(volume => passes(volume, filters, volumeFields, volume.tags))
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  return { volumeSet: items(members.map(volumeView)), nextToken }
}

const interfaceFields: Fields<NetworkInterface> = {
  'network-interface-id': ({ id }) => [id],
  'attachment.instance-id': ({ instance }) => [instance],
  'attachment.status': ({ instance }) => (instance === null ? [] : ['attached']),
  'attachment.delete-on-termination': ({ deleteOnTermination, instance }) =>
    instance === null ? [] : [deleteOnTermination],
  'availability-zone': ({ zone }) => [zone.name],
  'subnet-id': ({ subnet }) => [subnet.id],
  'vpc-id': ({ vpc }) => [vpc],
  'group-id': ({ groups }) => groups.map(({ id }) => id),
  'group-name': ({ groups }) => groups.map(({ name }) => name),
  'private-ip-address': ({ privateIp }) => [privateIp],
  'association.public-ip': ({ publicIp, instance }) => (instance === null ? [] : [publicIp]),
  'mac-address': ({ mac }) => [mac],
  'owner-id': () => [account],
  description: ({ about }) => [about],
  status: ({ state }) => [state],
}

/** DescribeNetworkInterfaces. */
export function describeNetworkInterfaces(
  cloud: Cloud,
  node: QueryNode,
  region: RegionData,
): { readonly [name: string]: Xml } {
  const filters = readFilters(node)
  checkFilters(filters, interfaceFields)
  const cards = visible(cloud, region, cloud.ec2.interfaces, texts(node, 'NetworkInterfaceId'), noInterface)
  const fitting = cards.filter(card => passes(card, filters, interfaceFields, card.tags))
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  return { networkInterfaceSet: items(members.map(interfaceView)), nextToken }
}

/** DeleteVolume: refused while the volume is attached. */
export function deleteVolume(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const [volume] = visible(cloud, region, cloud.ec2.volumes, [text(node, 'VolumeId') ?? ''], noVolume)
  if (volume?.instance !== undefined && volume.instance !== null)
    throw new AwsError('VolumeInUse', `Volume ${volume.id} is currently attached to ${volume.instance}`)
  if (volume !== undefined) cloud.ec2.volumes.delete(volume.id)
  return { return: true }
}

/** DeleteNetworkInterface: refused while the interface is attached. */
export function deleteNetworkInterface(
  cloud: Cloud,
  node: QueryNode,
  region: RegionData,
): { readonly [name: string]: Xml } {
  const id = text(node, 'NetworkInterfaceId') ?? ''
  const [card] = visible(cloud, region, cloud.ec2.interfaces, [id], noInterface)
  if (card?.instance !== undefined && card.instance !== null)
    throw new AwsError('InvalidParameterValue', `Network interface '${card.id}' is currently in use.`)
  if (card !== undefined) cloud.ec2.interfaces.delete(card.id)
  return { return: true }
}
