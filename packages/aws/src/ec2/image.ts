import { paginateDescribeImages, type EC2Client, type Image } from '@aws-sdk/client-ec2'
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { calling, codeOf } from '../errors.ts'

export type ImageChoice =
  | { readonly by: 'default' }
  | { readonly by: 'id'; readonly id: string }
  | { readonly by: 'parameter'; readonly name: string }
  | { readonly by: 'name'; readonly pattern: string }

export interface ImageDevice {
  readonly device: string
  /** GiB of the snapshot, the least that the volume can have. */
  readonly sizeGib: number | null
}

export interface ImageFacts {
  readonly id: string
  readonly name: string
  readonly architecture: string
  readonly rootDevice: string
  /** Every EBS device of the image, the root among them. */
  readonly devices: readonly ImageDevice[]
  readonly createdAt: string
  /** Carries the open NVIDIA driver only. */
  readonly openDriver: boolean
  /** After this its owner does not recommend it any more. */
  readonly deprecatedAt: string | null
}

/** PyTorch Deep Learning AMIs with the open driver, for both architectures. */
const defaultNames = [
  'Deep Learning OSS Nvidia Driver AMI GPU PyTorch ?.* (Ubuntu ??.04) *',
  'Deep Learning ARM64 AMI OSS Nvidia Driver GPU PyTorch ?.* (Ubuntu ??.04) *',
]

function imageFacts(image: Image): ImageFacts {
  const name = image.Name ?? ''
  return {
    id: image.ImageId ?? '',
    name,
    architecture: image.Architecture ?? '',
    rootDevice: image.RootDeviceName ?? '',
    devices: (image.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) =>
      DeviceName === undefined || Ebs === undefined ? [] : [{ device: DeviceName, sizeGib: Ebs.VolumeSize ?? null }],
    ),
    createdAt: image.CreationDate ?? '',
    openDriver: /\bOSS Nvidia Driver\b/i.test(name),
    deprecatedAt: image.DeprecationTime ?? null,
  }
}

/** `…PyTorch 2.10 (Ubuntu 24.04)…` → [2, 10, 24] */
const versions = (image: ImageFacts): readonly number[] =>
  (/PyTorch (\d+)\.(\d+).*\(Ubuntu (\d+)/.exec(image.name) ?? []).slice(1).map(Number)

/**
 * Newest first. Old PyTorch lines are rebuilt as well, so the version counts before the day; without versions in the
 * names the day alone counts.
 */
export function newestFirst(images: readonly ImageFacts[]): readonly ImageFacts[] {
  return images.toSorted((a, b) => {
    const [left, right] = [versions(a), versions(b)]
    for (const [index, version] of right.entries()) {
      const difference = version - (left[index] ?? 0)
      if (difference !== 0) return difference
    }
    return b.createdAt.localeCompare(a.createdAt)
  })
}

async function describe(ec2: EC2Client, region: string, query: object): Promise<readonly Image[]> {
  const found: Image[] = []
  const call = { doing: 'Looking up the image', permission: 'ec2:DescribeImages', region }
  await calling(call, async () => {
    for await (const page of paginateDescribeImages({ client: ec2 }, query)) {
      found.push(...(page.Images ?? []))
    }
  })
  return found
}

/** What is wrong with an image that somebody named, goes on from its id; undefined when it can be launched. */
function unusable({ State: state, RootDeviceType: root, StateReason: why }: Image): string | undefined {
  if (state !== 'available')
    return `is ${state ?? 'in no state'}${why?.Message === undefined ? '' : ` (${why.Message})`}`
  return root === 'ebs' ? undefined : `has a root device of the kind ${root}, and types with GPUs need one of EBS`
}

const available = { Name: 'state', Values: ['available'] }
const ebs = { Name: 'root-device-type', Values: ['ebs'] }

/** The id that an SSM parameter holds. @throws UserFault when there is none, OutsideFault */
async function parameterImage(ssm: SSMClient, region: string, name: string): Promise<string> {
  const call = { doing: `Reading the SSM parameter ${name}`, permission: 'ssm:GetParameter', region }
  const reply = await calling(call, async () => {
    try {
      return await ssm.send(new GetParameterCommand({ Name: name }))
    } catch (error) {
      if (codeOf(error) === 'ParameterNotFound') return undefined
      throw error
    }
  })
  const id = reply?.Parameter?.Value
  if (id === undefined || !id.startsWith('ami-')) {
    throw new UserFault(`ami-ssm-parameter: ${name} holds no image id in ${region}`)
  }
  return id
}

/**
 * The images that a choice allows, best first: one for an id, the newest for each architecture otherwise.
 * @throws UserFault when there is none, OutsideFault
 */
export async function findImages(
  clients: { readonly ec2: EC2Client; readonly ssm: () => SSMClient; readonly region: string },
  choice: ImageChoice,
): Promise<readonly ImageFacts[]> {
  const { ec2, region } = clients
  if (choice.by === 'default') {
    const filters = [{ Name: 'name', Values: defaultNames }, available]
    const images = newestFirst((await describe(ec2, region, { Owners: ['amazon'], Filters: filters })).map(imageFacts))
    if (images.length > 0) return images
    throw new UserFault(`there is no PyTorch Deep Learning AMI in ${region}: give ami-id`)
  }
  if (choice.by === 'name') {
    const filters = [{ Name: 'name', Values: [choice.pattern] }, available, ebs]
    const images = (await describe(ec2, region, { Owners: ['amazon', 'self'], Filters: filters })).map(imageFacts)
    if (images.length > 0) return images.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))
    throw new UserFault(
      `ami-name-filter: no image of Amazon or of this account in ${region} has a name like '${choice.pattern}'`,
    )
  }
  const id = choice.by === 'id' ? choice.id : await parameterImage(clients.ssm(), region, choice.name)
  // A filter answers nothing for an image that is not there; the id itself would be an error without words.
  const query = { Filters: [{ Name: 'image-id', Values: [id] }], IncludeDeprecated: true }
  const [image] = await describe(ec2, region, query)
  const input = choice.by === 'id' ? 'ami-id' : 'ami-ssm-parameter'
  if (image !== undefined) {
    const fault = unusable(image)
    if (fault === undefined) return [imageFacts(image)]
    throw new UserFault(`${input}: ${id} in ${region} ${fault}`)
  }
  throw new UserFault(`${input}: ${id} is not in ${region}, or a policy of the account hides it`)
}
