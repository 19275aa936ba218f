import { RunInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { systemClock, type Clock } from '@gpu-actions/action-kit/ports'
import { images, startOfflineCloud, type OfflineCloud, type OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { awsClients, type AwsClients } from '../src/clients.ts'
import type { SsmTarget } from '../src/ssm/index.ts'

/** Sleeps a fifth of what it is told to; its time is the real one. */
export const hastyClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 5, signal) }

/** A clock whose whole time runs faster. */
export const fastClock = (times: number): Clock => {
  const began = Date.now()
  return {
    ...systemClock,
    now: () => began + (Date.now() - began) * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  }
}

const imageId = (): string =>
  images.find(image => image.region === 'us-west-2' && image.architecture === 'x86_64')?.id ?? ''

export interface Rig {
  readonly cloud: OfflineCloud
  readonly clients: AwsClients
  readonly instanceId: string
  target(clock: Clock): SsmTarget
  /** How often an operation was called, such as `ssm:SendCommand`. */
  calls(operation: string): number
}

/**
 * An offline cloud with one machine, which need not have registered yet.
 * @param more of the launch, such as another market
 */
export async function startRig(
  options: OfflineCloudOptions = {},
  more: Partial<RunInstancesCommandInput> = {},
): Promise<Rig> {
  const cloud = await startOfflineCloud(options)
  process.env['AWS_ENDPOINT_URL'] = cloud.env['AWS_ENDPOINT_URL']
  const clients = awsClients({
    region: 'us-west-2',
    credentials: {
      accessKeyId: cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  })
  const { Instances } = await clients.ec2Once().send(
    new RunInstancesCommand({
      ImageId: imageId(),
      InstanceType: 'g5.2xlarge',
      MinCount: 1,
      MaxCount: 1,
      IamInstanceProfile: { Name: 'gpu-bench-instance' },
      InstanceInitiatedShutdownBehavior: 'terminate',
      ...more,
    }),
  )
  const instanceId = Instances?.[0]?.InstanceId ?? ''
  return {
    cloud,
    clients,
    instanceId,
    target: clock => ({ clients, instanceId, clock, log: { warning: () => {}, debug: () => {} } }),
    calls: operation => cloud.state().calls[operation] ?? 0,
  }
}
