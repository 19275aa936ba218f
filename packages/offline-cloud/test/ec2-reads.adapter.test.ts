import {
  CreateTagsCommand,
  DescribeAvailabilityZonesCommand,
  DescribeFleetsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeRegionsCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  paginateDescribeInstances,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type DescribeInstancesCommandInput,
  type Filter,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { launch, launchInput, refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(stopRigs)

const idsBy = async (...Filters: Filter[]): Promise<readonly (string | undefined)[]> => {
  const { Reservations = [] } = await rig.ec2.send(new DescribeInstancesCommand({ Filters }))
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId }) => InstanceId))
}

describe('DescribeInstances', () => {
  test('finds by token, tag, tag key and state, and takes all filters together', async () => {
    const tagged = (Value: string, ClientToken: string) =>
      launch(rig, {
        ClientToken,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'gpu-actions:lease', Value }] }],
      })
    const a = await tagged('lease-a', 'token-a')
    const b = await tagged('lease-b', 'token-b')
    expect(await idsBy({ Name: 'client-token', Values: ['token-a'] })).toEqual([a])
    expect(await idsBy({ Name: 'tag:gpu-actions:lease', Values: ['lease-a', 'lease-b'] })).toEqual([a, b])
    expect(await idsBy({ Name: 'tag:gpu-actions:lease', Values: ['lease-*'] })).toEqual([a, b])
    expect(await idsBy({ Name: 'tag-key', Values: ['gpu-actions:lease'] })).toEqual([a, b])
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [a] }))
    const living = { Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped'] }
    expect(await idsBy({ Name: 'tag-key', Values: ['gpu-actions:lease'] }, living)).toEqual([b])
    await rig.ec2.send(new CreateTagsCommand({ Resources: [b], Tags: [{ Key: 'gpu-actions:lease', Value: 'other' }] }))
    expect(await idsBy({ Name: 'tag:gpu-actions:lease', Values: ['lease-b'] })).toEqual([])
    expect(await refusal(idsBy({ Name: 'colour', Values: ['red'] }))).toBe('InvalidParameterValue')
  })

  test('sees only its own region', async () => {
    const east = rig.clients({ region: 'us-east-1' })
    const { Reservations } = await east.ec2.send(new DescribeInstancesCommand({}))
    expect(Reservations).toEqual([])
  })

  test('gives pages that the SDK follows to the end, each instance once', async () => {
    const own = await startRig()
    const { Instances = [] } = await own.ec2.send(new RunInstancesCommand(launchInput({ MinCount: 23, MaxCount: 23 })))
    const seen: (string | undefined)[] = []
    let pages = 0
    for await (const { Reservations = [] } of paginateDescribeInstances({ client: own.ec2, pageSize: 5 }, {})) {
      pages += 1
      seen.push(...Reservations.flatMap(reservation => (reservation.Instances ?? []).map(i => i.InstanceId)))
    }
    expect(pages).toBe(5)
    expect(seen).toEqual(Instances.map(({ InstanceId }) => InstanceId))
    const asked = (input: DescribeInstancesCommandInput) => refusal(own.ec2.send(new DescribeInstancesCommand(input)))
    expect(await asked({ MaxResults: 2 })).toBe('InvalidParameterValue')
    expect(await asked({ MaxResults: 5, InstanceIds: [seen[0] ?? ''] })).toBe('InvalidParameterCombination')
    expect(await asked({ MaxResults: 5, NextToken: 'made-up' })).toBe('InvalidNextToken')
  })
})

describe('what stands in the world', () => {
  test('has the instance types with their GPUs', async () => {
    const { InstanceTypes = [] } = await rig.ec2.send(
      new DescribeInstanceTypesCommand({ InstanceTypes: ['g5.2xlarge', 'p4d.24xlarge', 't3.micro'] }),
    )
    expect(
      InstanceTypes.map(type => [
        type.InstanceType,
        type.VCpuInfo?.DefaultVCpus,
        type.MemoryInfo?.SizeInMiB,
        type.GpuInfo?.Gpus?.[0]?.Name,
        type.GpuInfo?.Gpus?.[0]?.Count,
        type.GpuInfo?.TotalGpuMemoryInMiB,
      ]),
    ).toEqual([
      ['g5.2xlarge', 8, 32_768, 'A10G', 1, 22_888],
      ['p4d.24xlarge', 96, 1_179_648, 'A100', 8, 327_680],
      ['t3.micro', 2, 1024, undefined, undefined, undefined],
    ])
    const unknown = rig.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['g5.gigantic' as never] }))
    expect(await refusal(unknown)).toBe('InvalidInstanceType')
  })

  test('offers types by zone', async () => {
    const { InstanceTypeOfferings = [] } = await rig.ec2.send(
      new DescribeInstanceTypeOfferingsCommand({
        LocationType: 'availability-zone',
        Filters: [{ Name: 'instance-type', Values: ['p4d.*', 'g5.2xlarge'] }],
      }),
    )
    expect(InstanceTypeOfferings.map(({ InstanceType, Location }) => `${InstanceType} ${Location}`)).toEqual([
      'g5.2xlarge us-west-2a',
      'g5.2xlarge us-west-2b',
      'g5.2xlarge us-west-2c',
      'p4d.24xlarge us-west-2a',
    ])
  })

  test('has images that are found by name pattern and owner', async () => {
    const found = async (name: string, owner: string, architecture = 'x86_64') => {
      const { Images = [] } = await rig.ec2.send(
        new DescribeImagesCommand({
          Owners: [owner],
          Filters: [
            { Name: 'name', Values: [name] },
            { Name: 'architecture', Values: [architecture] },
            { Name: 'state', Values: ['available'] },
            { Name: 'root-device-type', Values: ['ebs'] },
            { Name: 'virtualization-type', Values: ['hvm'] },
          ],
        }),
      )
      return Images.map(image => image.Name?.slice(-8))
    }
    const pattern = 'Deep Learning OSS Nvidia Driver AMI GPU PyTorch *(Ubuntu 24.04)*'
    expect(await found(pattern, 'amazon')).toEqual(['20261103', '20261006'])
    expect(await found(pattern, 'self')).toEqual([])
    expect(await found('*PyTorch*', 'amazon', 'arm64')).toEqual(['20261103'])
    const unknown = rig.ec2.send(new DescribeImagesCommand({ ImageIds: ['ami-0123456789abcdef0'] }))
    expect(await refusal(unknown)).toBe('InvalidAMIID.NotFound')
  })

  test('has a default VPC with a public subnet a zone, and a private one that leads nowhere', async () => {
    const { Vpcs } = await rig.ec2.send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }),
    )
    const { Subnets = [] } = await rig.ec2.send(
      new DescribeSubnetsCommand({ Filters: [{ Name: 'vpc-id', Values: [Vpcs?.[0]?.VpcId ?? ''] }] }),
    )
    expect(Subnets.map(({ AvailabilityZone, DefaultForAz }) => [AvailabilityZone, DefaultForAz])).toEqual([
      ['us-west-2a', true],
      ['us-west-2b', true],
      ['us-west-2c', true],
      ['us-west-2a', false],
    ])
    const gatewaysOf = async (...Filters: Filter[]) => {
      const { RouteTables = [] } = await rig.ec2.send(new DescribeRouteTablesCommand({ Filters }))
      return RouteTables.map(({ Routes = [] }) => Routes.map(({ GatewayId }) => GatewayId?.split('-')[0]))
    }
    const ofSubnet = (id: string | undefined) => gatewaysOf({ Name: 'association.subnet-id', Values: [id ?? ''] })
    expect(await ofSubnet(Subnets[3]?.SubnetId)).toEqual([['local']])
    // A default subnet follows the main table without an association of its own.
    expect(await ofSubnet(Subnets[0]?.SubnetId)).toEqual([])
    expect(await gatewaysOf({ Name: 'association.main', Values: ['true'] })).toEqual([['local', 'igw']])
  })

  test('has a security group without inbound rules and an open one', async () => {
    const { SecurityGroups = [] } = await rig.ec2.send(new DescribeSecurityGroupsCommand({}))
    expect(SecurityGroups.map(({ GroupName, IpPermissions }) => [GroupName, IpPermissions?.length])).toEqual([
      ['default', 0],
      ['open-ssh', 1],
    ])
    expect(SecurityGroups[1]?.IpPermissions?.[0]).toMatchObject({
      FromPort: 22,
      IpRanges: [{ CidrIp: '0.0.0.0/0' }],
    })
  })

  test('has regions and zones', async () => {
    const { Regions } = await rig.ec2.send(new DescribeRegionsCommand({}))
    const { AvailabilityZones } = await rig.ec2.send(new DescribeAvailabilityZonesCommand({}))
    expect(Regions?.map(({ RegionName }) => RegionName)).toEqual(['us-west-2', 'us-east-1', 'eu-central-1'])
    expect(AvailabilityZones?.map(({ ZoneName, State }) => [ZoneName, State])).toEqual([
      ['us-west-2a', 'available'],
      ['us-west-2b', 'available'],
      ['us-west-2c', 'available'],
    ])
  })

  test('does not have what is not covered, and says so by name', async () => {
    const error = await rig.ec2.send(new DescribeFleetsCommand({})).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'InvalidAction', $metadata: { httpStatusCode: 400 } })
    expect(String(error)).toContain('DescribeFleets')
  })
})
