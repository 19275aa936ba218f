import {
  DescribeInstancesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type RunInstancesCommandInput,
} from '@aws-sdk/client-ec2'
import { afterAll, describe, expect, test } from '@jest/globals'
import { images, regions } from '../src/index.ts'
import { imageId, launch, launchInput, refusal, slow, startRig, stopRigs, living } from './cloud-fixture.ts'

const west = regions[0]
const subnetIn = (zone: string): string => west?.subnets.find(subnet => subnet.zone === zone)?.id ?? ''
const privateSubnet = west?.subnets.find(({ way }) => way === 'none')?.id ?? ''
const instancesOf = (rig: { cloud: { state(): { instances: readonly unknown[] } } }) =>
  rig.cloud.state().instances.length

afterAll(stopRigs)

describe('RunInstances', () => {
  test('answers with a pending instance, and what was asked for can be read back', async () => {
    const rig = await startRig()
    const tags = [{ Key: 'gpu-actions:lease', Value: '12-1-a & "b" <c>' }]
    const { Instances = [] } = await rig.ec2.send(
      new RunInstancesCommand(
        launchInput({
          SubnetId: subnetIn('us-west-2b'),
          SecurityGroupIds: [west?.securityGroups[1]?.id ?? ''],
          MetadataOptions: { HttpTokens: 'required', HttpEndpoint: 'enabled' },
          InstanceInitiatedShutdownBehavior: 'terminate',
          BlockDeviceMappings: [
            { DeviceName: '/dev/sda1', Ebs: { VolumeSize: 100, VolumeType: 'gp3', DeleteOnTermination: true } },
            { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 8, DeleteOnTermination: false } },
          ],
          TagSpecifications: (['instance', 'volume', 'network-interface'] as const).map(ResourceType => ({
            ResourceType,
            Tags: tags,
          })),
          UserData: Buffer.from('#!/bin/sh\ntrue\n').toString('base64'),
        }),
      ),
    )
    expect(Instances).toHaveLength(1)
    const [instance] = Instances
    expect(instance?.InstanceId).toMatch(/^i-[0-9a-f]{17}$/)
    expect(instance).toMatchObject({
      State: { Code: 0, Name: 'pending' },
      InstanceType: 'g5.2xlarge',
      ImageId: imageId,
      Placement: { AvailabilityZone: 'us-west-2b' },
      SecurityGroups: [{ GroupName: 'open-ssh' }],
      MetadataOptions: { HttpTokens: 'required', HttpEndpoint: 'enabled' },
      Tags: tags,
    })
    // As on EC2, the reply of the launch knows neither volumes nor a public address.
    expect(instance?.BlockDeviceMappings).toEqual([])
    expect(instance?.PublicIpAddress).toBeUndefined()
    await rig.advance(10)
    const { Reservations = [] } = await rig.ec2.send(
      new DescribeInstancesCommand({ InstanceIds: [instance?.InstanceId ?? ''] }),
    )
    const seen = Reservations[0]?.Instances?.[0]
    expect(seen?.State?.Name).toBe('running')
    expect(seen?.PublicIpAddress).toMatch(/^203\.0\.113\./)
    expect(seen?.BlockDeviceMappings?.map(({ DeviceName, Ebs }) => [DeviceName, Ebs?.DeleteOnTermination])).toEqual([
      ['/dev/sda1', true],
      ['/dev/sdf', false],
    ])
    const state = rig.cloud.state()
    expect(state.instances[0]?.userData).toBe('#!/bin/sh\ntrue\n')
    for (const resource of [...state.volumes, ...state.interfaces])
      expect(resource.tags).toEqual({ 'gpu-actions:lease': '12-1-a & "b" <c>' })
  })

  test('gives the first answer again for the same token, and launches nothing', async () => {
    const rig = await startRig()
    const input = launchInput({ ClientToken: 'lease-1', MinCount: 2, MaxCount: 2 })
    const first = await rig.ec2.send(new RunInstancesCommand(input))
    await rig.advance(10)
    const second = await rig.ec2.send(new RunInstancesCommand(input))
    expect(second.ReservationId).toBe(first.ReservationId)
    expect(second.Instances?.map(({ InstanceId }) => InstanceId)).toEqual(
      first.Instances?.map(({ InstanceId }) => InstanceId),
    )
    expect(instancesOf(rig)).toBe(2)
  })

  test('launches once for two calls with one token at the same time', async () => {
    const rig = await startRig()
    const input = launchInput({ ClientToken: 'race' })
    const ids = await Promise.all([launch(rig, input), launch(rig, input), launch(rig, input)])
    expect(new Set(ids).size).toBe(1)
  })

  test('refuses a token that comes back with other parameters', async () => {
    const rig = await startRig()
    await launch(rig, { ClientToken: 'lease-1' })
    const other = launchInput({ ClientToken: 'lease-1', InstanceType: 'g5.xlarge' })
    expect(await refusal(rig.ec2.send(new RunInstancesCommand(other)))).toBe('IdempotentParameterMismatch')
    expect(instancesOf(rig)).toBe(1)
  })

  test('launches anew for the same token in another zone, because zonal tokens belong to their zone', async () => {
    const rig = await startRig()
    const a = await launch(rig, { ClientToken: 'lease-1', SubnetId: subnetIn('us-west-2a') })
    const b = await launch(rig, { ClientToken: 'lease-1', SubnetId: subnetIn('us-west-2b') })
    const regional = await launch(rig, { ClientToken: 'lease-1' })
    expect(new Set([a, b, regional]).size).toBe(3)
  })

  test('refuses the token of an instance that has been terminated', async () => {
    const rig = await startRig()
    const id = await launch(rig, { ClientToken: 'lease-1' })
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(20)
    const again = rig.ec2.send(new RunInstancesCommand(launchInput({ ClientToken: 'lease-1' })))
    expect(await refusal(again)).toBe('IdempotentInstanceTerminated')
  })

  test('answers a dry run with DryRunOperation, HTTP 412, and launches nothing', async () => {
    const rig = await startRig()
    const error = await rig.ec2.send(new RunInstancesCommand(launchInput({ DryRun: true }))).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'DryRunOperation', $metadata: { httpStatusCode: 412 } })
    expect(instancesOf(rig)).toBe(0)
  })

  const eastern = images.find(({ region }) => region === 'us-east-1')?.id ?? ''
  const arm = images.find(({ region, architecture }) => region === 'us-west-2' && architecture === 'arm64')?.id ?? ''
  const refused: readonly [string, Partial<RunInstancesCommandInput>, string][] = [
    ['an unknown image', { ImageId: 'ami-0123456789abcdef0' }, 'InvalidAMIID.NotFound'],
    ['an image of another region', { ImageId: eastern }, 'InvalidAMIID.NotFound'],
    ['a malformed image id', { ImageId: 'ami-latest' }, 'InvalidAMIID.Malformed'],
    ['an image of the other architecture', { ImageId: arm }, 'InvalidParameterValue'],
    ['an unknown type', { InstanceType: 'g5.gigantic' as never }, 'InvalidParameterValue'],
    ['a type that the zone lacks', { InstanceType: 'p4d.24xlarge', SubnetId: subnetIn('us-west-2c') }, 'Unsupported'],
    ['an unknown subnet', { SubnetId: 'subnet-0123456789abcdef0' }, 'InvalidSubnetID.NotFound'],
    ['an unknown security group', { SecurityGroupIds: ['sg-0123456789abcdef0'] }, 'InvalidGroup.NotFound'],
    ['an unknown instance profile', { IamInstanceProfile: { Name: 'nobody' } }, 'InvalidParameterValue'],
    ['a zone of another region', { Placement: { AvailabilityZone: 'us-east-1a' } }, 'InvalidParameterValue'],
    ['user data above 16 KB', { UserData: Buffer.alloc(16_385, 'a').toString('base64') }, 'InvalidParameterValue'],
    ['user data that is not base64', { UserData: 'hello' }, 'InvalidParameterValue'],
    ['a token above 64 characters', { ClientToken: 'x'.repeat(65) }, 'InvalidParameterValue'],
    ['a key pair that does not exist', { KeyName: 'mine' }, 'InvalidKeyPair.NotFound'],
    [
      'a root volume smaller than the snapshot',
      { BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { VolumeSize: 8 } }] },
      'InvalidBlockDeviceMapping',
    ],
    [
      'tags for a kind of resource that a launch does not make',
      { TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'a', Value: 'b' }] }] },
      'InvalidParameterValue',
    ],
    ['what the cloud does not cover', { LaunchTemplate: { LaunchTemplateName: 'mine' } }, 'UnsupportedOperation'],
  ]
  test.each(refused)('refuses %s', async (_, more, code) => {
    const rig = await startRig()
    expect(await refusal(rig.ec2.send(new RunInstancesCommand(launchInput(more))))).toBe(code)
    expect(rig.cloud.state().living).toEqual(living())
  })

  test('takes user data of exactly 16 KB', async () => {
    const rig = await startRig()
    const id = await launch(rig, { UserData: Buffer.alloc(16_384, 'a').toString('base64') })
    expect(id).toMatch(/^i-/)
  })

  test('gives no public address in the private subnet', async () => {
    const rig = await startRig()
    const id = await launch(rig, { SubnetId: privateSubnet })
    await rig.advance(10)
    const { Reservations } = await rig.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
    expect(Reservations?.[0]?.Instances?.[0]?.PublicIpAddress).toBeUndefined()
  })

  test('goes round a zone without room, and says so when no zone has any', async () => {
    const full = { 'g5.2xlarge': 0 }
    const capacity = { 'us-west-2a': full, 'us-west-2b': { 'g5.2xlarge': 1 }, 'us-west-2c': full }
    const rig = await startRig({ scenario: { timings: slow, capacity } })
    await launch(rig)
    expect(rig.cloud.state().instances[0]?.zone).toBe('us-west-2b')
    const error = await rig.ec2.send(new RunInstancesCommand(launchInput())).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'InsufficientInstanceCapacity', $metadata: { httpStatusCode: 500 } })
  })

  test('launches as many as there is room for, but never less than MinCount', async () => {
    const capacity = Object.fromEntries(['a', 'b', 'c'].map(zone => [`us-west-2${zone}`, { 'g5.2xlarge': 2 }]))
    const rig = await startRig({ scenario: { timings: slow, capacity } })
    const some = await rig.ec2.send(new RunInstancesCommand(launchInput({ MinCount: 1, MaxCount: 5 })))
    expect(some.Instances).toHaveLength(2)
    const tooMany = rig.ec2.send(new RunInstancesCommand(launchInput({ MinCount: 3, MaxCount: 5 })))
    expect(await refusal(tooMany)).toBe('InsufficientInstanceCapacity')
  })
})
