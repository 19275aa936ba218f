import {
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  GetConsoleOutputCommand,
  TerminateInstancesCommand,
  type EC2Client,
  type Instance,
} from '@aws-sdk/client-ec2'
import { afterAll, describe, expect, test } from '@jest/globals'
import { describeWithMachines, eventually, launch, refusal, slow, startRig, stopRigs, living } from './cloud-fixture.ts'

afterAll(stopRigs)

const describeOne = async (ec2: EC2Client, id: string): Promise<Instance | undefined> => {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  return Reservations?.[0]?.Instances?.[0]
}

const stateOf = async (ec2: EC2Client, id: string): Promise<string | undefined> =>
  (await describeOne(ec2, id))?.State?.Name

describe('the life of an instance', () => {
  test('goes from pending over running and shutting-down to terminated, on the clock of the cloud', async () => {
    const rig = await startRig()
    const id = await launch(rig)
    const seen = [await stateOf(rig.ec2, id)]
    await rig.advance(10)
    seen.push(await stateOf(rig.ec2, id))
    const { TerminatingInstances } = await rig.ec2.send(
      new TerminateInstancesCommand({ InstanceIds: [id], SkipOsShutdown: true, Force: true }),
    )
    expect(TerminatingInstances).toMatchObject([
      { InstanceId: id, PreviousState: { Name: 'running' }, CurrentState: { Name: 'shutting-down' } },
    ])
    seen.push(await stateOf(rig.ec2, id))
    await rig.advance(10)
    const gone = await describeOne(rig.ec2, id)
    expect([...seen, gone?.State?.Name]).toEqual(['pending', 'running', 'shutting-down', 'terminated'])
    expect(gone?.StateReason?.Code).toBe('Client.UserInitiatedShutdown')
    expect(gone?.StateTransitionReason).toMatch(/^User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$/)
    expect(gone?.SubnetId).toBeUndefined()
    expect(gone?.BlockDeviceMappings).toEqual([])
  })

  test('is not to be seen for a moment after the launch, by id, token or volume', async () => {
    const rig = await startRig({ scenario: { timings: { ...slow, consistencySeconds: 2 } } })
    const id = await launch(rig, { ClientToken: 'lease-1' })
    const byToken = () =>
      rig.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'client-token', Values: ['lease-1'] }] }))
    expect(await refusal(describeOne(rig.ec2, id))).toBe('InvalidInstanceID.NotFound')
    expect((await byToken()).Reservations).toEqual([])
    expect((await rig.ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([])
    expect(await refusal(rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })))).toBe(
      'InvalidInstanceID.NotFound',
    )
    await rig.advance(2)
    expect(await stateOf(rig.ec2, id)).toBe('pending')
    expect((await byToken()).Reservations?.[0]?.Instances?.[0]?.InstanceId).toBe(id)
  })

  test('ends an hour after the termination as far as reads go', async () => {
    const rig = await startRig()
    const id = await launch(rig)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(10 + 3599)
    expect(await stateOf(rig.ec2, id)).toBe('terminated')
    await rig.advance(1)
    expect(await refusal(describeOne(rig.ec2, id))).toBe('InvalidInstanceID.NotFound')
  })

  test('takes its volumes and its interface along a moment later, except a volume that was to stay', async () => {
    const rig = await startRig()
    const id = await launch(rig, {
      BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 8, DeleteOnTermination: false } }],
    })
    await rig.advance(10)
    const attached = new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] })
    const cards = new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] })
    expect((await rig.ec2.send(attached)).Volumes).toHaveLength(2)
    expect((await rig.ec2.send(cards)).NetworkInterfaces?.[0]?.Attachment?.InstanceId).toBe(id)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(10)
    expect((await rig.ec2.send(attached)).Volumes).toHaveLength(2)
    await rig.advance(5)
    expect((await rig.ec2.send(cards)).NetworkInterfaces).toEqual([])
    const left = (await rig.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? []
    expect(left.map(({ State, Size, Attachments }) => [State, Size, Attachments])).toEqual([['available', 8, []]])
    await rig.ec2.send(new DeleteVolumeCommand({ VolumeId: left[0]?.VolumeId ?? '' }))
    expect(rig.cloud.state().living).toEqual(living())
    expect(await refusal(rig.ec2.send(new DescribeVolumesCommand({ VolumeIds: [left[0]?.VolumeId ?? ''] })))).toBe(
      'InvalidVolume.NotFound',
    )
  })

  test('is not ended by a call that names one bad id, and ending it twice is no fault', async () => {
    const rig = await startRig()
    const id = await launch(rig)
    const end = (...InstanceIds: string[]) => rig.ec2.send(new TerminateInstancesCommand({ InstanceIds }))
    expect(await refusal(end(id, 'i-0123456789abcdef0'))).toBe('InvalidInstanceID.NotFound')
    expect(await refusal(end(id, 'nonsense'))).toBe('InvalidInstanceID.Malformed')
    expect(await stateOf(rig.ec2, id)).toBe('pending')
    await end(id)
    const again = await end(id)
    expect(again.TerminatingInstances?.[0]?.PreviousState?.Name).toBe('shutting-down')
    await rig.advance(10)
    expect((await end(id)).TerminatingInstances?.[0]?.CurrentState?.Name).toBe('terminated')
  })

  test('with protection holds back its own zone only', async () => {
    const rig = await startRig()
    const inZone = (AvailabilityZone: string, DisableApiTermination: boolean) =>
      launch(rig, { Placement: { AvailabilityZone }, DisableApiTermination })
    const shielded = await inZone('us-west-2a', true)
    const neighbour = await inZone('us-west-2a', false)
    const far = await inZone('us-west-2b', false)
    const all = new TerminateInstancesCommand({ InstanceIds: [shielded, neighbour, far] })
    expect(await refusal(rig.ec2.send(all))).toBe('OperationNotPermitted')
    expect([await stateOf(rig.ec2, shielded), await stateOf(rig.ec2, neighbour), await stateOf(rig.ec2, far)]).toEqual([
      'pending',
      'pending',
      'shutting-down',
    ])
  })

  test('shows its health: initializing, then ok; only running instances unless all are asked for', async () => {
    const rig = await startRig()
    const id = await launch(rig)
    const status = async (IncludeAllInstances: boolean) => {
      const reply = await rig.ec2.send(new DescribeInstanceStatusCommand({ IncludeAllInstances }))
      return reply.InstanceStatuses?.map(({ InstanceStatus }) => InstanceStatus?.Status)
    }
    expect(await status(false)).toEqual([])
    expect(await status(true)).toEqual(['not-applicable'])
    await rig.advance(10)
    expect(await status(false)).toEqual(['initializing'])
    await rig.advance(20)
    expect(await status(false)).toEqual(['ok'])
    const output = await rig.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))
    expect(Buffer.from(output.Output ?? '', 'base64').toString()).toBe('booted\n')
  })
})

describeWithMachines('a guest that shuts itself down', () => {
  const off = Buffer.from('#!/bin/sh\npoweroff\n').toString('base64')
  const timings = { pendingSeconds: 0.1, shutdownSeconds: 0.1, releaseSeconds: 0.1, consistencySeconds: 0 }

  test('is terminated where that is its shutdown behaviour, with its volumes', async () => {
    const rig = await startRig({ scenario: { timings }, machines: 'real' })
    const id = await launch(rig, { UserData: off, InstanceInitiatedShutdownBehavior: 'terminate' })
    const gone = await eventually(async () => {
      const instance = await describeOne(rig.ec2, id)
      return instance?.State?.Name === 'terminated' ? instance : undefined
    })
    expect(gone.StateReason?.Code).toBe('Client.InstanceInitiatedShutdown')
    await eventually(async () => (rig.cloud.state().living.volumes === 0 ? true : undefined))
  })

  test('is only stopped by default, and its volume stays', async () => {
    const rig = await startRig({ scenario: { timings }, machines: 'real' })
    const id = await launch(rig, { UserData: off })
    await eventually(async () => ((await stateOf(rig.ec2, id)) === 'stopped' ? true : undefined))
    expect(rig.cloud.state().living).toEqual(living({ instances: 1, volumes: 1, interfaces: 1 }))
  })

  test('does so when a time limit that it armed falls due on the clock of the cloud', async () => {
    const rig = await startRig({ scenario: { timings }, machines: 'real' })
    const UserData = Buffer.from('#!/bin/sh\nshutdown -P +30\necho armed\n').toString('base64')
    const id = await launch(rig, { UserData, InstanceInitiatedShutdownBehavior: 'terminate' })
    await eventually(async () => {
      if ((await stateOf(rig.ec2, id)) !== 'running') return undefined
      const { Output = '' } = await rig.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))
      return Buffer.from(Output, 'base64').toString().includes('armed') ? true : undefined
    })
    await rig.advance(29 * 60)
    expect(await stateOf(rig.ec2, id)).toBe('running')
    await rig.advance(2 * 60)
    await eventually(async () => ((await stateOf(rig.ec2, id)) === 'terminated' ? true : undefined))
  })
})
