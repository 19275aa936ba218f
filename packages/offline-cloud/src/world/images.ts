/** A machine image. `rootGb` is the size of its snapshot, the least a root volume can have. */
export interface ImageData {
  readonly id: string
  readonly region: string
  readonly name: string
  readonly about: string
  readonly architecture: 'x86_64' | 'arm64'
  readonly owner: string
  readonly created: string
  readonly rootDevice: string
  readonly rootGb: number
  readonly snapshot: string
}

/** The account that publishes the Deep Learning AMIs; its owner alias is `amazon`. */
export const imageOwner = '898082745236'

const tails: Readonly<Record<string, string>> = {
  'us-west-2': '77000002',
  'us-east-1': '77000001',
  'eu-central-1': '77000003',
}

const kinds = [
  {
    digit: 1,
    name: 'Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.9 (Ubuntu 24.04) 20261103',
    about: 'Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en, P6-B200',
    architecture: 'x86_64',
    created: '2026-11-03T18:21:07.000Z',
    rootGb: 45,
  },
  {
    digit: 2,
    name: 'Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.9 (Ubuntu 24.04) 20261006',
    about: 'Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en, P6-B200',
    architecture: 'x86_64',
    created: '2026-10-06T17:02:51.000Z',
    rootGb: 45,
  },
  {
    digit: 3,
    name: 'Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261103',
    about: 'Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en, P6-B200',
    architecture: 'x86_64',
    created: '2026-11-03T16:40:12.000Z',
    rootGb: 75,
  },
  {
    digit: 4,
    name: 'Deep Learning ARM64 AMI OSS Nvidia Driver GPU PyTorch 2.9 (Ubuntu 24.04) 20261103',
    about: 'Supported EC2 instances: G5g, P6e-GB200, P6e-GB300',
    architecture: 'arm64',
    created: '2026-11-03T19:05:33.000Z',
    rootGb: 45,
  },
] as const

/** The public images of each region, newest PyTorch image first. */
export const images: readonly ImageData[] = Object.entries(tails).flatMap(([region, tail]) =>
  kinds.map(({ digit, ...kind }) => ({
    ...kind,
    id: `ami-0${digit}c0ffee0${tail}`,
    region,
    owner: imageOwner,
    rootDevice: '/dev/sda1',
    snapshot: `snap-0${digit}c0ffee0${tail}`,
  })),
)

export const imageOf = (region: string, id: string): ImageData | undefined =>
  images.find(image => image.region === region && image.id === id)

/**
 * The public SSM parameters that hold image ids, by digit of the image. The numbered PyTorch line stands still at an
 * older image, as such lines do on AWS once they are superseded.
 */
const parameters: Readonly<Record<string, number>> = {
  '/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id': 3,
  '/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.9-ubuntu-24.04/latest/ami-id': 2,
}

/** The image id that a public parameter holds in a region. */
export function publicParameter(region: string, name: string): string | undefined {
  const digit = parameters[name]
  const tail = tails[region]
  return digit === undefined || tail === undefined ? undefined : `ami-0${digit}c0ffee0${tail}`
}
