import { items, tagSet, time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { account, instanceProfiles, profileArn } from '../world/account.ts'
import type { SecurityGroupData } from '../world/network.ts'
import { stateCodes, type Instance, type NetworkInterface, type StateName, type Volume } from './model.ts'

/** A state as EC2 writes it. */
export const stateView = (name: StateName): Xml => ({ code: stateCodes[name], name })

const groupSet = (groups: readonly SecurityGroupData[]): Xml =>
  items(groups.map(({ id, name }) => ({ groupId: id, groupName: name })))

const privateName = (region: string, address: string): string =>
  `ip-${address.replaceAll('.', '-')}.${region === 'us-east-1' ? 'ec2' : `${region}.compute`}.internal`

const publicName = (region: string, address: string): string =>
  `ec2-${address.replaceAll('.', '-')}.${region === 'us-east-1' ? 'compute-1' : `${region}.compute`}.amazonaws.com`

/**
 * An instance as DescribeInstances shows it. A pending one, so also the reply of the launch, shows neither volumes nor
 * public address yet; a terminated one has lost its network, its volumes and its addresses.
 */
export function instanceView(cloud: Cloud, instance: Instance): Xml {
  const { region, type, image } = instance
  const isAlive = instance.state !== 'terminated'
  const isPending = instance.state === 'pending'
  const hasPublicIp = isAlive && !isPending && instance.publicIp !== null && instance.state !== 'stopped'
  const profile = instanceProfiles.find(({ name }) => name === instance.profile)
  return {
    instanceId: instance.id,
    imageId: image.id,
    instanceState: stateView(instance.state),
    privateDnsName: isAlive ? privateName(region, instance.privateIp) : '',
    dnsName: hasPublicIp ? publicName(region, instance.publicIp ?? '') : '',
    reason: instance.transition,
    amiLaunchIndex: instance.launchIndex,
    productCodes: '',
    instanceType: type.name,
    launchTime: time(instance.launchTime),
    placement: {
      availabilityZone: instance.zone.name,
      availabilityZoneId: instance.zone.id,
      groupName: '',
      tenancy: 'default',
    },
    monitoring: { state: 'disabled' },
    ...(isAlive ? { subnetId: instance.subnet.id, vpcId: instance.vpc, privateIpAddress: instance.privateIp } : {}),
    ipAddress: hasPublicIp ? (instance.publicIp ?? undefined) : undefined,
    sourceDestCheck: isAlive ? true : undefined,
    groupSet: isAlive ? groupSet(instance.groups) : '',
    stateReason: instance.stateReason === null || instance.state === 'running' ? undefined : instance.stateReason,
    architecture: type.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: instance.rootDevice,
    blockDeviceMapping: items(isAlive && !isPending ? attachedVolumes(cloud, instance).map(mappingView) : []),
    virtualizationType: 'hvm',
    clientToken: instance.clientToken,
    instanceLifecycle: instance.lifecycle ?? undefined,
    spotInstanceRequestId: instance.spotRequest ?? undefined,
    capacityReservationId: instance.capacityReservation ?? undefined,
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    networkInterfaceSet: items(
      isAlive ? attachedInterfaces(cloud, instance).map(card => cardView(card, hasPublicIp)) : [],
    ),
    iamInstanceProfile:
      profile === undefined || !isAlive ? undefined : { arn: profileArn(profile.name), id: profile.id },
    ebsOptimized: instance.ebsOptimized,
    enaSupport: true,
    cpuOptions: { coreCount: type.vcpus / type.threadsPerCore, threadsPerCore: type.threadsPerCore },
    capacityReservationSpecification:
      instance.capacityReservation === null
        ? { capacityReservationPreference: 'open' }
        : { capacityReservationTarget: { capacityReservationId: instance.capacityReservation } },
    hibernationOptions: { configured: false },
    metadataOptions: {
      state: instance.state === 'pending' ? 'pending' : 'applied',
      httpTokens: instance.metadata.httpTokens,
      httpPutResponseHopLimit: instance.metadata.hopLimit,
      httpEndpoint: instance.metadata.httpEndpoint,
      httpProtocolIpv6: 'disabled',
      instanceMetadataTags: instance.metadata.tags,
    },
    enclaveOptions: { enabled: false },
    bootMode: 'uefi-preferred',
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
    usageOperationUpdateTime: time(instance.launchTime),
    maintenanceOptions: { autoRecovery: 'default' },
    currentInstanceBootMode: 'uefi',
  }
}

/** Instances of one launch as the reservation that they form. */
export function reservationView(cloud: Cloud, instances: readonly Instance[]): { readonly [name: string]: Xml } {
  return {
    reservationId: instances[0]?.reservation,
    ownerId: account,
    groupSet: '',
    instancesSet: items(instances.map(instance => instanceView(cloud, instance))),
  }
}

/** The volumes that are attached to an instance now. */
export const attachedVolumes = (cloud: Cloud, instance: Instance): readonly Volume[] =>
  instance.volumes.flatMap(id => cloud.ec2.volumes.get(id) ?? []).filter(volume => volume.instance === instance.id)

/** The interfaces that are attached to an instance now. */
export const attachedInterfaces = (cloud: Cloud, instance: Instance): readonly NetworkInterface[] =>
  instance.interfaces.flatMap(id => cloud.ec2.interfaces.get(id) ?? []).filter(card => card.instance === instance.id)

const mappingView = (volume: Volume): Xml => ({
  deviceName: volume.device,
  ebs: {
    volumeId: volume.id,
    status: 'attached',
    attachTime: time(volume.created),
    deleteOnTermination: volume.deleteOnTermination,
  },
})

const association = (card: NetworkInterface): Xml =>
  card.publicIp === null
    ? undefined
    : { publicIp: card.publicIp, publicDnsName: publicName(card.region, card.publicIp), ipOwnerId: 'amazon' }

const attachmentView = (card: NetworkInterface): { readonly [name: string]: Xml } => ({
  attachmentId: card.attachment,
  deviceIndex: 0,
  networkCardIndex: 0,
  status: 'attached',
  attachTime: time(card.created),
  deleteOnTermination: card.deleteOnTermination,
})

const cardBase = (card: NetworkInterface): { readonly [name: string]: Xml } => ({
  networkInterfaceId: card.id,
  subnetId: card.subnet.id,
  vpcId: card.vpc,
  description: card.about,
  ownerId: account,
  status: card.state,
  macAddress: card.mac,
  privateIpAddress: card.privateIp,
  privateDnsName: privateName(card.region, card.privateIp),
  sourceDestCheck: true,
  groupSet: groupSet(card.groups),
  association: card.instance === null ? undefined : association(card),
  privateIpAddressesSet: items([
    { privateIpAddress: card.privateIp, privateDnsName: privateName(card.region, card.privateIp), primary: true },
  ]),
  ipv6AddressesSet: '',
  interfaceType: 'interface',
})

const cardView = (card: NetworkInterface, hasPublicIp: boolean): Xml => ({
  ...cardBase(card),
  association: hasPublicIp ? association(card) : undefined,
  attachment: attachmentView(card),
})

/** An interface as DescribeNetworkInterfaces shows it. */
export const interfaceView = (card: NetworkInterface): Xml => ({
  ...cardBase(card),
  availabilityZone: card.zone.name,
  availabilityZoneId: card.zone.id,
  requesterManaged: false,
  tagSet: tagSet(card.tags),
  attachment:
    card.instance === null
      ? undefined
      : { ...attachmentView(card), instanceId: card.instance, instanceOwnerId: account },
})

/** A volume as DescribeVolumes shows it. */
export const volumeView = (volume: Volume): Xml => ({
  volumeId: volume.id,
  size: volume.sizeGb,
  snapshotId: volume.snapshot ?? '',
  availabilityZone: volume.zone.name,
  availabilityZoneId: volume.zone.id,
  status: volume.state,
  createTime: time(volume.created),
  attachmentSet: items(
    volume.instance === null
      ? []
      : [
          {
            volumeId: volume.id,
            instanceId: volume.instance,
            device: volume.device,
            status: 'attached',
            attachTime: time(volume.created),
            deleteOnTermination: volume.deleteOnTermination,
          },
        ],
  ),
  tagSet: tagSet(volume.tags),
  volumeType: volume.type,
  iops: volume.iops,
  throughput: volume.throughput,
  encrypted: volume.encrypted,
  multiAttachEnabled: false,
})
