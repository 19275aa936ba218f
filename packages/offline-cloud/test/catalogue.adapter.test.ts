import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstancesCommand,
  DescribeRegionsCommand,
  RunInstancesCommand,
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
  type DescribeRegionsCommandInput,
} from '@aws-sdk/client-ec2'
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { afterAll, describe, expect, test } from '@jest/globals'
import { images, instanceTypes, regions, regionsNotOptedIn } from '../src/index.ts'
import { launchInput, refusal, startRig, stopRigs } from './cloud-fixture.ts'

afterAll(stopRigs)

describe('the catalogue of types', () => {
  test('is found by a pattern, page by page', async () => {
    const rig = await startRig()
    const seen: string[] = []
    let pages = 0
    const input = { Filters: [{ Name: 'instance-type', Values: ['g6*', 'p5*'] }] }
    for await (const { InstanceTypes = [] } of paginateDescribeInstanceTypes({ client: rig.ec2, pageSize: 5 }, input)) {
      pages += 1
      expect(InstanceTypes.length).toBeLessThanOrEqual(5)
      seen.push(...InstanceTypes.map(({ InstanceType = '' }) => InstanceType))
    }
    const expected = instanceTypes.map(({ name }) => name).filter(name => /^(g6|p5)/.test(name))
    expect(seen.toSorted()).toEqual(expected.toSorted())
    expect(pages).toBeGreaterThan(1)
  })

  test('has the GPUs of large machines', async () => {
    const rig = await startRig()
    const found = new Map<string, unknown>()
    for await (const { InstanceTypes = [] } of paginateDescribeInstanceTypes({ client: rig.ec2 }, {}))
      for (const { InstanceType = '', GpuInfo, VCpuInfo, SupportedUsageClasses } of InstanceTypes)
        found.set(InstanceType, [
          GpuInfo?.Gpus?.[0]?.Name,
          GpuInfo?.Gpus?.[0]?.Count,
          VCpuInfo?.DefaultVCpus,
          SupportedUsageClasses?.includes('capacity-block'),
        ])
    expect(found.get('g6.12xlarge')).toEqual(['L4', 4, 48, false])
    expect(found.get('g6e.48xlarge')).toEqual(['L40S', 8, 192, false])
    expect(found.get('p5.4xlarge')).toEqual(['H100', 1, 16, true])
    expect(found.get('p5en.48xlarge')).toEqual(['H200', 8, 192, true])
    expect(found.get('p6-b200.48xlarge')).toEqual(['B200', 8, 192, true])
  })

  test('is offered by zone, and where a zone is left out it does not launch there', async () => {
    const rig = await startRig()
    const offered = new Map<string, string[]>()
    const input = {
      LocationType: 'availability-zone' as const,
      Filters: [{ Name: 'instance-type', Values: ['p?*.48xlarge'] }],
    }
    for await (const { InstanceTypeOfferings = [] } of paginateDescribeInstanceTypeOfferings(
      { client: rig.ec2, pageSize: 5 },
      input,
    ))
      for (const { InstanceType = '', Location = '' } of InstanceTypeOfferings)
        offered.set(InstanceType, [...(offered.get(InstanceType) ?? []), Location])
    expect(Object.fromEntries(offered)).toEqual({
      'p5.48xlarge': ['us-west-2a', 'us-west-2c'],
      'p5e.48xlarge': ['us-west-2a'],
      'p5en.48xlarge': ['us-west-2b', 'us-west-2c'],
      'p6-b200.48xlarge': ['us-west-2b'],
    })
    const inWrongZone = launchInput({ InstanceType: 'p6-b200.48xlarge', Placement: { AvailabilityZone: 'us-west-2a' } })
    expect(await refusal(rig.ec2.send(new RunInstancesCommand(inWrongZone)))).toBe('Unsupported')
  })
})

describe('the regions', () => {
  const named = async (input: DescribeRegionsCommandInput) => {
    const rig = await startRig()
    const { Regions = [] } = await rig.ec2.send(new DescribeRegionsCommand(input))
    return Regions.map(({ RegionName, OptInStatus }) => [RegionName, OptInStatus])
  }
  const free = regions.map(({ name }) => [name, 'opt-in-not-required'])
  const closed = regionsNotOptedIn.map(name => [name, 'not-opted-in'])

  test('are those that the account can use, and with AllRegions the others too', async () => {
    expect(await named({})).toEqual(free)
    expect(await named({ AllRegions: true })).toEqual([...free, ...closed])
    expect(await named({ AllRegions: true, Filters: [{ Name: 'opt-in-status', Values: ['not-opted-in'] }] })).toEqual(
      closed,
    )
    expect(await named({ Filters: [{ Name: 'region-name', Values: ['us-*'] }] })).toEqual(free.slice(0, 2))
  })

  test('have a whole world each', async () => {
    const rig = await startRig()
    const { ec2 } = rig.clients({ region: 'eu-central-1' })
    const ImageId = images.find(({ region }) => region === 'eu-central-1')?.id ?? ''
    const { Instances } = await ec2.send(new RunInstancesCommand(launchInput({ ImageId })))
    expect(Instances?.[0]?.Placement?.AvailabilityZone).toBe('eu-central-1a')
    const offered = await ec2.send(new DescribeInstanceTypeOfferingsCommand({}))
    const names = offered.InstanceTypeOfferings?.map(({ InstanceType }) => InstanceType)
    expect(names).toContain('p4d.24xlarge')
    expect(names).not.toContain('p5.48xlarge')
  })

  test('that the account has not opted in to know none of its keys', async () => {
    const rig = await startRig()
    const { ec2, ssm, sts } = rig.clients({ region: regionsNotOptedIn[0] ?? '' })
    const error = await ec2.send(new DescribeInstancesCommand({})).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'AuthFailure', $metadata: { httpStatusCode: 401 } })
    expect(await refusal(ssm.send(new DescribeInstanceInformationCommand({})))).toBe('UnrecognizedClientException')
    expect(await refusal(sts.send(new GetCallerIdentityCommand({})))).toBe('InvalidClientTokenId')
  })
})
