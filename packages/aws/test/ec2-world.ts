import { RunInstancesCommand, TerminateInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { SendCommandCommand } from '@aws-sdk/client-ssm'
import type { Clock } from '@gpu-actions/action-kit/ports'
import type { LaunchFault } from '@gpu-actions/lease'
import { images, type Fault } from '@gpu-actions/offline-cloud'
import type { Living, ProviderWorld } from '../../lease/test/conformance/provider-world.ts'
import type { MarketWish } from '../src/index.ts'
import { account, startEc2Rig, wish, type Ec2Rig } from './ec2-fixture.ts'

const image = (region: string): string =>
  images.find(one => one.region === region && one.architecture === 'x86_64')?.id ?? ''

/** How a launch is refused with a class. */
const refusals: Readonly<Partial<Record<LaunchFault, Fault>>> = {
  capacity: { kind: 'capacity', operation: 'RunInstances' },
  throttled: { kind: 'throttled', operation: 'RunInstances' },
  denied: { kind: 'denied', operation: 'RunInstances' },
  credentials: { kind: 'expired-credentials', operation: 'RunInstances' },
}

function living({ cloud }: Ec2Rig): readonly Living[] {
  const { instances, volumes, interfaces, spotRequests } = cloud.state()
  const of = <T extends { readonly id: string }>(kind: Living['kind'], things: readonly T[]): Living[] =>
    things.map(({ id }) => ({ kind, id }))
  return [
    ...of(
      'machine',
      instances.filter(({ state }) => state !== 'terminated'),
    ),
    ...of('volume', volumes),
    ...of('interface', interfaces),
    ...of(
      'request',
      spotRequests.filter(({ state }) => state === 'open' || state === 'active'),
    ),
  ]
}

type Tags = Readonly<Record<string, string>>

/** The offline cloud as the world behind EC2, in two regions. */
export async function openEc2World(market: MarketWish): Promise<ProviderWorld> {
  const rig = await startEc2Rig({ timings: { spotClosingSeconds: 5 } })
  const { cloud, provider, world } = rig
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  const sleep: Clock['sleep'] = async ms => {
    aheadMs += ms
    await rig.advance(ms / 1000)
  }
  const until = async (holds: () => boolean): Promise<void> => {
    for (let looks = 0; !holds(); looks++) {
      if (looks > 600) throw new Error('it did not come')
      await sleep(500)
    }
  }
  const run = async (tags: Tags, more: Partial<RunInstancesCommandInput> = {}): Promise<string> => {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    const reply = await world
      .clientsFor('us-west-2')
      .ec2()
      .send(
        new RunInstancesCommand({
          ImageId: image('us-west-2'),
          InstanceType: 'g4dn.xlarge',
          MinCount: 1,
          MaxCount: 1,
          ...(Tags.length === 0
            ? {}
            : { TagSpecifications: (['instance', 'volume'] as const).map(ResourceType => ({ ResourceType, Tags })) }),
          ...more,
        }),
      )
    return reply.Instances?.[0]?.InstanceId ?? ''
  }
  const marks = (repository: string, leaseId: string, more: Tags = {}): Tags => ({
    'gpu-actions:lease': leaseId,
    'gpu-actions:repository': repository,
    ...more,
  })
  const plan = await provider.plan(wish({ market, regions: ['us-west-2', 'us-east-1'] }))
  const far = plan.offers.find(({ place }) => place.region === 'us-east-1')
  const [near] = plan.offers
  if (near === undefined || far === undefined) throw new Error('no offers')

  return {
    provider,
    clock: { now, sleep, random: () => 0.5 },
    now,
    offers: [near, far],
    places: [
      { account, region: 'us-west-2' },
      { account, region: 'us-east-1' },
    ],
    living: async () => living(rig),
    refusals: Object.keys(refusals) as LaunchFault[],
    refuseNext: async fault => cloud.addFaults([refusals[fault] ?? { kind: 'capacity' }]),
    loseNextReply: async () => cloud.addFaults([{ kind: 'lost-reply', operation: 'RunInstances' }]),
    lateMs: 0,
    // The service answers that something is wrong with it: nobody can tell whether the call arrived.
    loseNextCall: async () => cloud.addFaults([{ kind: 'server-error', operation: 'RunInstances' }]),
    addForeign: async (repository, leaseId) => {
      const ids = await Promise.all([
        run({}),
        run({ Name: `gpu-actions ${leaseId}`, ManagedBy: 'github-actions' }),
        run(marks(`${repository}-fork`, leaseId, { 'gpu-actions:run': '77' })),
        run({ 'gpu-actions:repository': repository, 'gpu-actions:run': '77' }),
        run({ 'GPU-Actions:lease': leaseId, 'GPU-Actions:repository': repository }),
      ])
      await sleep(2_000)
      return ids
    },
    breakPlace: async ({ region }) => cloud.addFaults([{ kind: 'denied', region, count: null }]),
    mend: async () => void (await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })),
    shutDownGuest: async id => {
      const machine = () => cloud.state().instances.find(one => one.id === id)
      await until(() => machine()?.ssm === 'online')
      const ssm = world.clientsFor(machine()?.region ?? '').ssmOnce()
      await ssm.send(
        new SendCommandCommand({
          InstanceIds: [id],
          DocumentName: 'AWS-RunShellScript',
          Parameters: { commands: ['shutdown -h now'] },
        }),
      )
    },
    interrupt: async instanceId => {
      await until(() => cloud.state().instances.find(({ id }) => id === instanceId)?.state === 'running')
      const body = JSON.stringify({ instanceId, noticeSeconds: 5 })
      await fetch(`${cloud.url}/_offline/interrupt`, { method: 'POST', body })
    },
    leaveStray: async (repository, leaseId, expiresAt) => {
      const kept = { DeviceName: '/dev/sda1', Ebs: { DeleteOnTermination: false } }
      const id = await run(
        marks(repository, leaseId, { 'gpu-actions:expires-at': new Date(expiresAt).toISOString() }),
        { BlockDeviceMappings: [kept] },
      )
      const machine = () => cloud.state().instances.find(one => one.id === id)
      await until(() => machine()?.state === 'running')
      const volume = machine()?.volumes[0] ?? ''
      await world
        .clientsFor('us-west-2')
        .ec2()
        .send(new TerminateInstancesCommand({ InstanceIds: [id] }))
      await until(() => cloud.state().volumes.some(one => one.id === volume && one.instanceId === null))
      return { kind: 'volume', id: volume }
    },
    close: () => rig.stop(),
  }
}
