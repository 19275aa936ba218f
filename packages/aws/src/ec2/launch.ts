import { RunInstancesCommand, type EC2Client, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import type { Intent, LaunchOutcome, Offer } from '@gpu-actions/lease'
import { adviceFor, codeOf, faultOf, outsideFault, requestIdOf, type Call } from '../errors.ts'
import type { ImageFacts } from './image.ts'
import { quotaLink } from './quotas.ts'
import { launchTags } from './tags.ts'
import { makeUserData } from './user-data.ts'
import type { Ec2Wish } from './wish.ts'

/** What is the same for all offers of a launch, and what an architecture or a subnet decides. */
export interface LaunchSpec extends Pick<
  Ec2Wish,
  'securityGroupId' | 'instanceProfileName' | 'volumeSizeGib' | 'volumeType' | 'userData' | 'tags'
> {
  /** The image for each instance type of the plan. */
  readonly images: ReadonlyMap<string, ImageFacts>
  /** Subnets whose only way out needs a public address that they do not give by themselves. */
  readonly publicIpSubnets: ReadonlySet<string>
}

function imageOf(spec: LaunchSpec, offer: Offer): ImageFacts {
  const image = spec.images.get(offer.instanceType)
  if (image === undefined) throw new Error(`no image was chosen for ${offer.instanceType}`)
  return image
}

/** How it is paid. A spot request is for one machine, ends with it, and names no price: the cap is that of on-demand. */
function market({ market: kind, reservation }: Offer): Partial<RunInstancesCommandInput> {
  const spot = { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' } as const
  return {
    ...(kind === 'spot' ? { InstanceMarketOptions: { MarketType: 'spot', SpotOptions: spot } } : {}),
    ...(kind === 'capacity-block' ? { InstanceMarketOptions: { MarketType: 'capacity-block' } } : {}),
    ...(reservation === null
      ? {}
      : { CapacityReservationSpecification: { CapacityReservationTarget: { CapacityReservationId: reservation } } }),
  }
}

/** What a launch makes, and so what bears its tags from the first moment. */
const tagged = (offer: Offer) =>
  [
    'instance',
    'volume',
    'network-interface',
    ...(offer.market === 'spot' ? (['spot-instances-request'] as const) : []),
  ] as const

function network(spec: LaunchSpec, offer: Offer): Partial<RunInstancesCommandInput> {
  const groups = spec.securityGroupId === undefined ? undefined : [spec.securityGroupId]
  if (offer.subnet === null) return groups === undefined ? {} : { SecurityGroupIds: groups }
  if (!spec.publicIpSubnets.has(offer.subnet)) {
    return { SubnetId: offer.subnet, ...(groups === undefined ? {} : { SecurityGroupIds: groups }) }
  }
  return {
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        SubnetId: offer.subnet,
        AssociatePublicIpAddress: true,
        DeleteOnTermination: true,
        ...(groups === undefined ? {} : { Groups: groups }),
      },
    ],
  }
}

/** Every volume of the image ends with the machine, whatever the image says; the root has the wished size and type. */
function volumes(spec: LaunchSpec, image: ImageFacts): NonNullable<RunInstancesCommandInput['BlockDeviceMappings']> {
  return image.devices.map(({ device }) => ({
    DeviceName: device,
    Ebs: {
      DeleteOnTermination: true,
      ...(device === image.rootDevice
        ? {
            VolumeType: (spec.volumeType ?? 'gp3') as 'gp3',
            ...(spec.volumeSizeGib === undefined ? {} : { VolumeSize: spec.volumeSizeGib }),
          }
        : {}),
    },
  }))
}

/** The exact parameters of a launch: the same for every repetition of it. */
export function launchParameters(spec: LaunchSpec, offer: Offer, intent: Intent): RunInstancesCommandInput {
  const image = imageOf(spec, offer)
  const tags = launchTags(intent, offer, spec.tags)
  return {
    ClientToken: intent.token,
    MinCount: 1,
    MaxCount: 1,
    ImageId: image.id,
    InstanceType: offer.instanceType as 'g5.2xlarge',
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: { HttpTokens: 'required', HttpEndpoint: 'enabled' },
    BlockDeviceMappings: volumes(spec, image),
    ...network(spec, offer),
    ...(spec.instanceProfileName === undefined ? {} : { IamInstanceProfile: { Name: spec.instanceProfileName } }),
    UserData: Buffer.from(makeUserData(intent.expiresAt, spec.userData)).toString('base64'),
    ...market(offer),
    TagSpecifications: tagged(offer).map(ResourceType => ({ ResourceType, Tags: [...tags] })),
  }
}

const launchCall = (offer: Offer): Call => ({
  doing: `Launching ${offer.instanceType}`,
  permission: 'ec2:RunInstances',
  region: offer.place.region,
})

/** An instance profile that was made a moment ago is not known everywhere yet; only the message tells this case. */
function advice(error: unknown, call: Call, offer: Offer): string {
  if (faultOf(error) === 'quota' && offer.quota !== null && codeOf(error) !== 'VolumeLimitExceeded') {
    const stale = offer.market === 'spot' ? ' Spot machines that ended a moment ago still count for some minutes.' : ''
    return `Raise the quota ${offer.quota} in ${call.region}: ${quotaLink(call.region, offer.quota)}. Other zones do not help; another market or region may.${stale}`
  }
  if (codeOf(error) === 'InvalidParameterValue' && /iamInstanceProfile/i.test(messageOf(error))) {
    return 'Check instance-profile-name; a profile that was just made can take two minutes to be known.'
  }
  return adviceFor(error, call)
}

/** Sends exactly one launch call and classes its outcome. */
export async function launch(
  ec2Once: EC2Client,
  spec: LaunchSpec,
  offer: Offer,
  intent: Intent,
): Promise<LaunchOutcome> {
  const call = launchCall(offer)
  try {
    const reply = await ec2Once.send(new RunInstancesCommand(launchParameters(spec, offer, intent)))
    const machines = (reply.Instances ?? []).flatMap(({ InstanceId }) => (InstanceId === undefined ? [] : [InstanceId]))
    return machines.length > 0
      ? { kind: 'launched', machines }
      : { kind: 'unknown', message: 'a reply without a machine' }
  } catch (error) {
    if (error instanceof UserFault) throw error
    if (error instanceof OutsideFault) return withoutCredentials(error)
    const fault = faultOf(error)
    const [code, message] = [codeOf(error), messageOf(error)]
    if (fault === 'server') return { kind: 'unknown', message: `${code}: ${message}` }
    return {
      kind: 'refused',
      fault: fault === 'not-found' || fault === 'dry-run' ? 'invalid' : fault,
      code,
      message: fault === 'denied' ? outsideFault(error, call).message : message,
      advice: advice(error, call, offer),
      requestId: requestIdOf(error),
    }
  }
}

/** The role could not be had (again): no launch call was sent, or it was refused for that. */
const withoutCredentials = (error: OutsideFault): LaunchOutcome => ({
  kind: 'refused',
  fault: 'credentials',
  code: codeOf(error.cause ?? error),
  message: error.message,
  advice: error.advice,
  requestId: requestIdOf(error.cause),
})

/**
 * A dry run of the launch: checks permissions and parameters, launches nothing, so it may be repeated.
 * @throws OutsideFault when the real call would have been refused
 */
export async function dryRun(ec2: EC2Client, spec: LaunchSpec, offer: Offer, intent: Intent): Promise<void> {
  try {
    await ec2.send(new RunInstancesCommand({ ...launchParameters(spec, offer, intent), DryRun: true }))
  } catch (error) {
    if (faultOf(error) !== 'dry-run') throw outsideFault(error, launchCall(offer))
  }
}
