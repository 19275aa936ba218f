import { AwsError } from '../aws/errors.ts'
import { texts, type QueryNode } from '../aws/query.ts'
import { items, type Xml } from '../aws/xml.ts'
import { imageOwner, images, type ImageData } from '../world/images.ts'
import type { RegionData } from '../world/network.ts'
import type { Fields } from './filters.ts'
import { page } from './pages.ts'
import { select, type Answer } from './select.ts'

const imageFields: Fields<ImageData> = {
  'image-id': ({ id }) => [id],
  name: ({ name }) => [name],
  description: ({ about }) => [about],
  architecture: ({ architecture }) => [architecture],
  state: () => ['available'],
  'root-device-type': () => ['ebs'],
  'virtualization-type': () => ['hvm'],
  'image-type': () => ['machine'],
  'is-public': () => [true],
  'owner-id': ({ owner }) => [owner],
  'owner-alias': () => ['amazon'],
  'creation-date': ({ created }) => [created],
  hypervisor: () => ['xen'],
  'ena-support': () => [true],
  platform: () => [],
}

/** DescribeImages. The account itself owns none; `amazon` and the publisher's number own all. */
export function describeImages(node: QueryNode, region: RegionData): Answer {
  const here = images.filter(image => image.region === region.name)
  const owners = texts(node, 'Owner')
  const isOwned = owners.length === 0 || owners.includes('amazon') || owners.includes(imageOwner)
  const ids = texts(node, 'ImageId')
  for (const id of ids) {
    if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id))
      throw new AwsError('InvalidAMIID.Malformed', `Invalid id: "${id}"`)
    if (!here.some(image => image.id === id))
      throw new AwsError('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`)
  }
  const wanted = { ids, key: ({ id }: ImageData) => id, code: 'InvalidAMIID.NotFound', word: 'image id' }
  const fitting = select(node, here, imageFields, wanted).filter(() => isOwned)
  const { members, nextToken } = page(node, fitting, ({ id }) => id, { least: 1 })
  return { imagesSet: items(members.map(imageView)), nextToken }
}

const imageView = (image: ImageData): Xml => ({
  imageId: image.id,
  imageLocation: `amazon/${image.name}`,
  imageState: 'available',
  imageOwnerId: image.owner,
  creationDate: image.created,
  isPublic: true,
  architecture: image.architecture,
  imageType: 'machine',
  imageOwnerAlias: 'amazon',
  name: image.name,
  description: image.about,
  rootDeviceType: 'ebs',
  rootDeviceName: image.rootDevice,
  blockDeviceMapping: items([
    {
      deviceName: image.rootDevice,
      ebs: {
        snapshotId: image.snapshot,
        volumeSize: image.rootGb,
        deleteOnTermination: true,
        volumeType: 'gp3',
        iops: 3000,
        throughput: 125,
        encrypted: false,
      },
    },
    { deviceName: '/dev/sdb', virtualName: 'ephemeral0' },
  ]),
  virtualizationType: 'hvm',
  hypervisor: 'xen',
  enaSupport: true,
  sriovNetSupport: 'simple',
  platformDetails: 'Linux/UNIX',
  usageOperation: 'RunInstances',
  bootMode: image.architecture === 'arm64' ? 'uefi' : 'uefi-preferred',
  imdsSupport: 'v2.0',
})
