import path from 'node:path'
import { cognito, images, instanceProfiles, regions, roles } from '@gpu-actions/offline-cloud'
import { root } from '../repository.ts'

type Values = Readonly<Record<string, string>>

/** What a consumer of the offline cloud's account has set up for a workflow. */
export interface Demo {
  readonly inputs: Values
  /** Masked like anybody's. */
  readonly secrets: Values
  /** Variables of the repository. */
  readonly vars: Values
}

const examples = path.join(root, 'workflows-examples')

export const defaultExample = path.join(examples, 'gpu-benchmark.yml')

/** The first of the offline cloud's things of a kind that will do. */
function pick<T>(things: readonly T[], what: string, suits: (thing: T) => boolean = () => true): T {
  const found = things.find(suits)
  if (found === undefined) throw new Error(`the offline cloud has no ${what}`)
  return found
}

const region = pick(regions, 'region')
const profile = pick(instanceProfiles, 'instance profile').name

/** Any workflow of that consumer: the role to take, and an id that is no secret. */
export const anyDemo: Demo = {
  inputs: {},
  secrets: { AWS_ROLE_TO_ASSUME_ARN: pick(roles, 'role').arn },
  vars: { BENCH_INSTANCE_PROFILE_NAME: profile },
}

/** Small enough for a laptop without a GPU: less than a minute in all. The evidence shows these sizes. */
const small = { image_size: '64', batch_size: '8', steps_per_epoch: '15', allow_cpu: 'true' }

/** The cluster flow keeps the nine secrets of its contract, ids among them; what it measures on a CPU are variables. */
const clusterDemo = (clusterApi: string): Demo => ({
  inputs: { api_base: clusterApi, batch_size: small.batch_size },
  secrets: {
    ...anyDemo.secrets,
    RADIX_COGNITO_USER_POOL_ID: cognito.poolId,
    RADIX_COGNITO_CLIENT_ID: cognito.clients.ci.id,
    RADIX_TEST_USERNAME: cognito.users.ci.email,
    RADIX_TEST_PASSWORD: cognito.users.ci.password,
    BENCH_AMI_ID: pick(images, 'image', image => image.region === region.name && image.architecture === 'x86_64').id,
    BENCH_SUBNET_ID: pick(region.subnets, 'subnet').id,
    BENCH_SECURITY_GROUP_ID: pick(region.securityGroups, 'security group').id,
    BENCH_INSTANCE_PROFILE_NAME: profile,
  },
  vars: {
    BENCH_ALLOW_CPU: small.allow_cpu,
    BENCH_IMAGE_SIZE: small.image_size,
    BENCH_STEPS_PER_EPOCH: small.steps_per_epoch,
  },
})

/**
 * What there is for a workflow file. The examples run as they are; any other file has its own inputs.
 * @param clusterApi the address of the offline cloud's cluster API
 */
export function demoOf(file: string, clusterApi: string): Demo {
  if (path.dirname(path.resolve(file)) !== examples) return anyDemo
  switch (path.basename(file)) {
    case 'gpu-benchmark.yml':
      return { ...anyDemo, inputs: { instance_type: 'g5.2xlarge', ...small } }
    // Shows what it finds, as by hand on GitHub: nothing, in a cloud that is new.
    case 'sweep-orphans.yml':
      return anyDemo
    case 'weekly-regression.yml':
      return { ...anyDemo, inputs: small }
    case 'cluster-benchmark.yml':
      return clusterDemo(clusterApi)
    default:
      return anyDemo
  }
}
