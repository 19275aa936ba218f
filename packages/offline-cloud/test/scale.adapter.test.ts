import {
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeVolumesCommand,
  TerminateInstancesCommand,
  type Instance,
} from '@aws-sdk/client-ec2'
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../src/index.ts'
import { readScenario } from '../src/index.ts'
import { living, refusal, slow, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

jest.setTimeout(240_000)

type Seeds = NonNullable<Scenario['instances']>
const start = (instances: Seeds): Promise<Rig> => startRig({ scenario: { timings: slow, instances, limits: 'none' } })

async function all(rig: Rig, name: string, value: string): Promise<readonly Instance[]> {
  const found: Instance[] = []
  let NextToken: string | undefined
  do {
    const Filters = [{ Name: name, Values: [value] }]
    const page = await rig.ec2.send(new DescribeInstancesCommand({ Filters, MaxResults: 1000, NextToken }))
    found.push(...(page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []))
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  return found
}

describe('instances of the scenario', () => {
  afterEach(stopRigs)

  test('are there from the start, each with its tags, its volume and its interface', async () => {
    const rig = await start([
      { count: 5, region: 'us-west-2', type: 'g5.xlarge', tags: { Name: 'other-{n}' }, launchedSecondsAgo: 7200 },
      { region: 'us-west-2', zone: 'us-west-2b', type: 'g5g.xlarge', clientToken: 'mine-{n}', state: 'stopped' },
      { count: 2, region: 'us-east-1', type: 'g5.xlarge', tags: { Name: 'other-{n}' } },
    ])
    const others = await all(rig, 'tag:Name', 'other-*')
    expect(others.map(({ Tags }) => Tags?.[0]?.Value)).toEqual([1, 2, 3, 4, 5].map(number => `other-${number}`))
    expect(new Set(others.map(({ Placement }) => Placement?.AvailabilityZone)).size).toBe(3)
    const [first] = others
    const age = Date.parse(rig.cloud.state().now) - (first?.LaunchTime?.getTime() ?? 0)
    expect(Math.round(age / 60_000)).toBe(120)
    expect(first?.State?.Name).toBe('running')
    expect(first?.NetworkInterfaces).toHaveLength(1)
    const volume = new DescribeVolumesCommand({ VolumeIds: [first?.BlockDeviceMappings?.[0]?.Ebs?.VolumeId ?? ''] })
    expect((await rig.ec2.send(volume)).Volumes?.[0]).toMatchObject({ State: 'in-use', Tags: first?.Tags })
    const [stopped] = await all(rig, 'client-token', 'mine-1')
    expect(stopped).toMatchObject({ State: { Name: 'stopped' }, Placement: { AvailabilityZone: 'us-west-2b' } })
    expect(rig.cloud.state().living).toEqual(living({ instances: 8, volumes: 8, interfaces: 8 }))
    expect((await rig.ssm.send(new DescribeInstanceInformationCommand({}))).InstanceInformationList).toEqual([])
  })

  test('of the spot market have their requests; ended ones are only seen for an hour', async () => {
    const rig = await start([
      { count: 2, region: 'us-west-2', type: 'g5.xlarge', market: 'spot' },
      { count: 3, region: 'us-west-2', type: 'g5.2xlarge', state: 'terminated' },
    ])
    const requests = (await rig.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests ?? []
    const spot = await all(rig, 'instance-lifecycle', 'spot')
    expect(new Set(requests.map(({ InstanceId }) => InstanceId))).toEqual(
      new Set(spot.map(({ InstanceId }) => InstanceId)),
    )
    expect(rig.cloud.state().living).toEqual(living({ instances: 2, volumes: 2, interfaces: 2, spotRequests: 2 }))
    expect(await all(rig, 'instance-state-name', 'terminated')).toHaveLength(3)
    await rig.advance(3601)
    expect(await all(rig, 'instance-state-name', 'terminated')).toHaveLength(0)
  })

  test('can be protected from termination', async () => {
    const rig = await start([{ region: 'us-west-2', type: 'g5.xlarge', protected: true }])
    const ids = rig.cloud.state().instances.map(({ id }) => id)
    expect(await refusal(rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids })))).toBe(
      'OperationNotPermitted',
    )
  })

  test.each([
    [{ region: 'mars-1', type: 'g5.xlarge' }, 'no such region'],
    [{ region: 'us-west-2', type: 'g99.xlarge' }, 'no such instance type'],
    [{ region: 'us-west-2', zone: 'us-east-1a', type: 'g5.xlarge' }, 'no such zone'],
    [{ region: 'us-west-2', type: 'g5.xlarge', count: 0 }, 'count'],
  ])('that cannot be are refused: %j', (entry, message) => {
    expect(() => readScenario({ instances: [entry] })).toThrow(message)
  })
})

describe('ten thousand instances', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await start([
      { count: 9700, region: 'us-west-2', type: 'g5.xlarge', tags: { Name: 'foreign-{n}' }, launchedSecondsAgo: 7200 },
      { count: 300, region: 'us-west-2', type: 'g5.2xlarge', tags: { lease: 'lease-{n}' }, launchedSecondsAgo: 7200 },
    ])
  })
  afterAll(stopRigs)

  // Seconds of CPU of client and cloud together, which other load on the computer changes little. The limits are wide:
  // what they catch is work that grows with the square.
  async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1e6
  }

  test('are read, filtered and ended in the time of a blink', async () => {
    const post = (query: string) =>
      fetch(rig.cloud.url, {
        method: 'POST',
        body: `Version=2016-11-15&Action=DescribeInstances&MaxResults=1000&${query}`,
        headers: {
          Authorization:
            'AWS4-HMAC-SHA256 Credential=AKIA0000000000000000/20261127/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=none',
        },
      }).then(reply => reply.text())
    let page = ''
    const first = await cpuSeconds(async () => (page = await post('Filter.1.Name=tag:Name&Filter.1.Value.1=foreign-*')))
    expect(page.match(/<instanceId>/g)?.length).toBeGreaterThanOrEqual(1000)
    expect(page).toContain('<nextToken>')
    expect(first).toBeLessThan(2)
    const ours = await all(rig, 'tag:lease', 'lease-*')
    expect(ours).toHaveLength(300)
    const ids = rig.cloud.state().instances.map(({ id }) => id)
    const volumes = new DescribeVolumesCommand({
      Filters: [{ Name: 'attachment.instance-id', Values: ids.slice(0, 200) }],
    })
    let attached: unknown[] = []
    expect(
      await cpuSeconds(async () => {
        attached = (await rig.ec2.send(volumes)).Volumes ?? []
      }),
    ).toBeLessThan(2)
    expect(attached).toHaveLength(200)
    const end = new TerminateInstancesCommand({ InstanceIds: ids.slice(0, 1000) })
    expect(await cpuSeconds(() => rig.ec2.send(end))).toBeLessThan(2)
    expect(await cpuSeconds(() => rig.advance(60))).toBeLessThan(2)
    expect(rig.cloud.state().living).toEqual(living({ instances: 9000, volumes: 9000, interfaces: 9000 }))
    const looking = async () => (await fetch(`${rig.cloud.url}/_offline/state`)).text()
    expect(await cpuSeconds(looking)).toBeLessThan(3)
  })
})
