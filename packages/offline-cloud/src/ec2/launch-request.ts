import { AwsError, invalidValue } from '../aws/errors.ts'
import { flag, list, plain, text, texts, type QueryNode } from '../aws/query.ts'
import { instanceProfiles, profileArn } from '../world/account.ts'
import { imageOf, type ImageData } from '../world/images.ts'
import { typeNamed, type InstanceTypeData } from '../world/instance-types.ts'
import type { RegionData, SecurityGroupData, SubnetData } from '../world/network.ts'
import { readVolumePlans } from './block-devices.ts'
import { readMarket, type MarketChoice } from './market-options.ts'
import type { MetadataOptions, VolumePlan } from './model.ts'
import { readTagSpecifications, type LaunchTags } from './tags.ts'

/** A checked RunInstances request. */
export interface LaunchRequest {
  readonly image: ImageData
  readonly type: InstanceTypeData
  readonly least: number
  readonly most: number
  readonly clientToken: string | undefined
  readonly choice: MarketChoice
  /** The zone the caller asked for, by subnet or by name; null leaves the choice to EC2. */
  readonly zone: string | null
  readonly subnet: SubnetData | null
  readonly groups: readonly SecurityGroupData[]
  readonly publicIp: boolean | undefined
  readonly interfaceStays: boolean
  readonly profile: string | null
  readonly userData: Uint8Array | null
  readonly volumes: readonly VolumePlan[]
  readonly tags: LaunchTags
  readonly onShutdown: 'stop' | 'terminate'
  readonly isProtected: boolean
  readonly ebsOptimized: boolean
  readonly metadata: MetadataOptions
  /** All parameters that a repeated call with the same token must repeat. */
  readonly fingerprint: string
}

const covered = new Set([
  ...['Action', 'Version', 'DryRun', 'ClientToken', 'ImageId', 'InstanceType', 'MinCount', 'MaxCount', 'SubnetId'],
  ...['SecurityGroupId', 'SecurityGroup', 'UserData', 'TagSpecification', 'BlockDeviceMapping', 'IamInstanceProfile'],
  ...['InstanceInitiatedShutdownBehavior', 'MetadataOptions', 'NetworkInterface', 'Placement', 'KeyName'],
  ...['EbsOptimized', 'Monitoring', 'DisableApiTermination', 'InstanceMarketOptions'],
  'CapacityReservationSpecification',
])

/** Reads and checks a launch. Throws what EC2 would answer; a parameter that is not covered is refused by name. */
export function readLaunchRequest(node: QueryNode, region: RegionData): LaunchRequest {
  for (const name of node.children.keys()) {
    if (!covered.has(name))
      throw new AwsError('UnsupportedOperation', `The offline cloud does not cover ${name} of RunInstances.`)
  }
  const choice = readMarket(node)
  const card = readCard(node)
  const { zone, subnet } = readPlace(node, card, region)
  const { image, type } = readImageAndType(node, region)
  const clientToken = text(node, 'ClientToken')
  if (clientToken !== undefined && !/^[\x20-\x7e]{0,64}$/.test(clientToken))
    throw invalidValue('The client token must be at most 64 ASCII characters long.')
  const keyName = text(node, 'KeyName')
  if (keyName !== undefined) throw new AwsError('InvalidKeyPair.NotFound', `The key pair '${keyName}' does not exist`)
  return {
    image,
    type,
    ...readCounts(node),
    clientToken,
    choice,
    zone,
    subnet,
    groups: readGroups(node, card, region),
    publicIp: card === null ? undefined : flag(card, 'AssociatePublicIpAddress'),
    interfaceStays: card !== null && flag(card, 'DeleteOnTermination') === false,
    profile: readProfile(node),
    userData: readUserData(text(node, 'UserData')),
    volumes: readVolumePlans(node, image),
    tags: readTagSpecifications(node, choice.market === 'spot'),
    onShutdown: readShutdownBehaviour(node),
    isProtected: flag(node, 'DisableApiTermination') ?? false,
    ebsOptimized: flag(node, 'EbsOptimized') ?? false,
    metadata: readMetadataOptions(node),
    fingerprint: fingerprint(node),
  }
}

function fingerprint(node: QueryNode): string {
  const aside = new Set(['Action', 'Version', 'DryRun', 'ClientToken'])
  const children = new Map([...node.children].filter(([name]) => !aside.has(name)))
  return JSON.stringify(plain({ value: undefined, children }))
}

function readCounts(node: QueryNode): { readonly least: number; readonly most: number } {
  const read = (name: string): number => {
    const given = text(node, name)
    if (given === undefined) throw new AwsError('MissingParameter', `The request must contain the parameter ${name}`)
    const count = Number(given)
    if (!Number.isInteger(count) || count < 1) throw invalidValue(`Value (${given}) for parameter ${name} is invalid.`)
    return count
  }
  const least = read('MinCount')
  const most = read('MaxCount')
  if (least > most) throw invalidValue('MinCount must not be greater than MaxCount.')
  return { least, most }
}

function readImageAndType(
  node: QueryNode,
  region: RegionData,
): { readonly image: ImageData; readonly type: InstanceTypeData } {
  const imageId = text(node, 'ImageId')
  if (imageId === undefined) throw new AwsError('MissingParameter', 'The request must contain the parameter ImageId')
  if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(imageId))
    throw new AwsError('InvalidAMIID.Malformed', `Invalid id: "${imageId}"`)
  const image = imageOf(region.name, imageId)
  if (image === undefined) throw new AwsError('InvalidAMIID.NotFound', `The image id '[${imageId}]' does not exist`)
  const typeName = text(node, 'InstanceType') ?? 'm1.small'
  const type = typeNamed(typeName)
  if (type === undefined) throw invalidValue(`Invalid value '${typeName}' for InstanceType.`)
  if (type.architecture !== image.architecture)
    throw invalidValue(
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture ` +
        `'${image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching ` +
        'architectures, and try again.',
    )
  return { image, type }
}

// One network interface is covered, the first; more is said to be too much.
function readCard(node: QueryNode): QueryNode | null {
  const cards = list(node, 'NetworkInterface')
  const [card] = cards
  if (card === undefined) return null
  if (cards.length > 1 || (text(card, 'DeviceIndex') ?? '0') !== '0' || text(card, 'NetworkInterfaceId') !== undefined)
    throw new AwsError('UnsupportedOperation', 'The offline cloud covers one new network interface a launch.')
  if (text(node, 'SubnetId') !== undefined || texts(node, 'SecurityGroupId').length > 0)
    throw new AwsError(
      'InvalidParameterCombination',
      'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
    )
  return card
}

function readPlace(
  node: QueryNode,
  card: QueryNode | null,
  region: RegionData,
): { readonly zone: string | null; readonly subnet: SubnetData | null } {
  const zoneId = text(node, 'Placement.AvailabilityZoneId')
  const asked = text(node, 'Placement.AvailabilityZone') ?? region.zones.find(({ id }) => id === zoneId)?.name ?? zoneId
  if (asked !== undefined && !region.zones.some(({ name }) => name === asked))
    throw invalidValue(`Invalid availability zone: [${asked}]`)
  const subnetId = text(node, 'SubnetId') ?? (card === null ? undefined : text(card, 'SubnetId'))
  if (subnetId === undefined) return { zone: asked ?? null, subnet: null }
  const subnet = region.subnets.find(({ id }) => id === subnetId)
  if (subnet === undefined) throw new AwsError('InvalidSubnetID.NotFound', `The subnet ID '${subnetId}' does not exist`)
  if (asked !== undefined && asked !== subnet.zone)
    throw invalidValue(`The availability zone '${asked}' does not match that of the subnet, '${subnet.zone}'`)
  return { zone: subnet.zone, subnet }
}

function readGroups(node: QueryNode, card: QueryNode | null, region: RegionData): readonly SecurityGroupData[] {
  const ids = [...texts(node, 'SecurityGroupId'), ...(card === null ? [] : texts(card, 'SecurityGroupId'))]
  const names = texts(node, 'SecurityGroup')
  const found = [
    ...ids.map(id => ({ wanted: id, group: region.securityGroups.find(group => group.id === id) })),
    ...names.map(name => ({ wanted: name, group: region.securityGroups.find(group => group.name === name) })),
  ]
  const groups = found.map(({ wanted, group }) => {
    if (group === undefined)
      throw new AwsError('InvalidGroup.NotFound', `The security group '${wanted}' does not exist`)
    return group
  })
  return groups.length > 0 ? groups : region.securityGroups.slice(0, 1)
}

function readProfile(node: QueryNode): string | null {
  const name = text(node, 'IamInstanceProfile.Name')
  const arn = text(node, 'IamInstanceProfile.Arn')
  if (name === undefined && arn === undefined) return null
  const known = instanceProfiles.find(profile => profile.name === name || profileArn(profile.name) === arn)
  if (known !== undefined) return known.name
  throw name === undefined
    ? invalidValue(`Value (${arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN`)
    : invalidValue(
        `Value (${name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
      )
}

const userDataLimit = 16_384

function readUserData(encoded: string | undefined): Uint8Array | null {
  if (encoded === undefined || encoded === '') return null
  const compact = encoded.replace(/\s/g, '')
  if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact))
    throw invalidValue('Invalid BASE64 encoding of user data.')
  const bytes = Buffer.from(compact, 'base64')
  if (bytes.length > userDataLimit) throw invalidValue(`User data is limited to ${userDataLimit} bytes`)
  return bytes
}

function readShutdownBehaviour(node: QueryNode): 'stop' | 'terminate' {
  const given = text(node, 'InstanceInitiatedShutdownBehavior') ?? 'stop'
  if (given === 'stop' || given === 'terminate') return given
  throw invalidValue(`Value (${given}) for parameter InstanceInitiatedShutdownBehavior is invalid.`)
}

function readMetadataOptions(node: QueryNode): MetadataOptions {
  const choose = <const C extends string>(name: string, choices: readonly C[], fallback: C): C => {
    const given = text(node, `MetadataOptions.${name}`)
    if (given === undefined) return fallback
    const choice = choices.find(candidate => candidate === given)
    if (choice === undefined) throw invalidValue(`Value (${given}) for parameter ${name} is invalid.`)
    return choice
  }
  const hopLimit = Number(text(node, 'MetadataOptions.HttpPutResponseHopLimit') ?? '2')
  if (!Number.isInteger(hopLimit) || hopLimit < 1 || hopLimit > 64)
    throw invalidValue(`Value (${hopLimit}) for parameter HttpPutResponseHopLimit is invalid.`)
  return {
    httpTokens: choose('HttpTokens', ['optional', 'required'], 'optional'),
    httpEndpoint: choose('HttpEndpoint', ['enabled', 'disabled'], 'enabled'),
    hopLimit,
    tags: choose('InstanceMetadataTags', ['enabled', 'disabled'], 'disabled'),
  }
}
