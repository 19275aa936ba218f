import {
  CancelSpotInstanceRequestsCommand,
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeSpotPriceHistoryCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  paginateDescribeSpotPriceHistory,
  type RunInstancesCommandInput,
  type SpotInstanceRequest,
  type SpotMarketOptions,
} from '@aws-sdk/client-ec2'
import { afterAll, describe, expect, test } from '@jest/globals'
import { onDemandPrice } from '../src/index.ts'
import { eventually, launch, launchInput, refusal, slow, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

afterAll(stopRigs)

const spot = (SpotOptions: SpotMarketOptions = {}): Partial<RunInstancesCommandInput> => ({
  InstanceMarketOptions: { MarketType: 'spot', SpotOptions },
})

async function onlyRequest(rig: Rig): Promise<SpotInstanceRequest> {
  const { SpotInstanceRequests = [] } = await rig.ec2.send(new DescribeSpotInstanceRequestsCommand({}))
  expect(SpotInstanceRequests).toHaveLength(1)
  return SpotInstanceRequests[0] ?? {}
}

const stateAndCode = async (rig: Rig) => {
  const { State, Status } = await onlyRequest(rig)
  return [State, Status?.Code]
}

const instanceNow = async (rig: Rig, id: string) => {
  const { Reservations } = await rig.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  return Reservations?.[0]?.Instances?.[0]
}

const interruptBy = (rig: Rig, body: unknown) =>
  fetch(`${rig.cloud.url}/_offline/interrupt`, { method: 'POST', body: JSON.stringify(body) })

describe('a spot launch', () => {
  test('gives an instance and an active request that know each other', async () => {
    const rig = await startRig()
    const tags = [{ Key: 'gpu-actions:lease', Value: '12-1-a' }]
    const { Instances } = await rig.ec2.send(
      new RunInstancesCommand(
        launchInput({
          ...spot({ SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' }),
          Placement: { AvailabilityZone: 'us-west-2b' },
          TagSpecifications: [{ ResourceType: 'spot-instances-request', Tags: tags }],
        }),
      ),
    )
    const [instance] = Instances ?? []
    const request = await onlyRequest(rig)
    expect(request).toMatchObject({
      State: 'active',
      Status: { Code: 'fulfilled', UpdateTime: expect.any(Date) },
      Type: 'one-time',
      InstanceInterruptionBehavior: 'terminate',
      InstanceId: instance?.InstanceId,
      LaunchedAvailabilityZone: 'us-west-2b',
      LaunchedAvailabilityZoneId: 'usw2-az2',
      ProductDescription: 'Linux/UNIX',
      SpotPrice: onDemandPrice('us-west-2', 'g5.2xlarge').toFixed(6),
      LaunchSpecification: { InstanceType: 'g5.2xlarge', ImageId: instance?.ImageId },
      Tags: tags,
    })
    expect(instance?.InstanceLifecycle).toBe('spot')
    expect(instance?.SpotInstanceRequestId).toBe(request.SpotInstanceRequestId)
    expect(request.SpotInstanceRequestId).toMatch(/^sir-[0-9a-z]{8}$/)
    expect(rig.cloud.state().living).toMatchObject({ instances: 1, spotRequests: 1 })
    await launch(rig)
    const byLifecycle = new DescribeInstancesCommand({ Filters: [{ Name: 'instance-lifecycle', Values: ['spot'] }] })
    const { Reservations } = await rig.ec2.send(byLifecycle)
    expect(Reservations?.flatMap(({ Instances: all }) => all?.map(({ InstanceId }) => InstanceId))).toEqual([
      instance?.InstanceId,
    ])
  })

  test('makes one request for each instance, and a repeated token none', async () => {
    const rig = await startRig()
    const input = launchInput({ ...spot(), MinCount: 3, MaxCount: 3, ClientToken: 'lease-1' })
    await rig.ec2.send(new RunInstancesCommand(input))
    await rig.ec2.send(new RunInstancesCommand(input))
    expect(rig.cloud.state().living).toMatchObject({ instances: 3, spotRequests: 3 })
  })

  const refused: readonly [string, Partial<RunInstancesCommandInput>, string][] = [
    ['a persistent request that terminates', spot({ SpotInstanceType: 'persistent' }), 'InvalidParameterCombination'],
    ['a one-time request that stops', spot({ InstanceInterruptionBehavior: 'stop' }), 'InvalidParameterCombination'],
    ['a maximum price below 0.001', spot({ MaxPrice: '0.0009' }), 'InvalidParameterValue'],
    ['a maximum price that is no number', spot({ MaxPrice: 'cheap' }), 'InvalidParameterValue'],
    [
      'a market that does not exist',
      { InstanceMarketOptions: { MarketType: 'flea' as never } },
      'InvalidParameterValue',
    ],
    [
      'tags for a spot request that is not made',
      { TagSpecifications: [{ ResourceType: 'spot-instances-request', Tags: [{ Key: 'a', Value: 'b' }] }] },
      'InvalidParameterCombination',
    ],
  ]
  test.each(refused)('refuses %s, and leaves nothing', async (_, more, code) => {
    const rig = await startRig()
    expect(await refusal(rig.ec2.send(new RunInstancesCommand(launchInput(more))))).toBe(code)
    expect(rig.cloud.state().living).toMatchObject({ instances: 0, spotRequests: 0 })
  })

  test('below the price of every zone is refused, and its request stays open until it is cancelled', async () => {
    const zones = Object.fromEntries(['a', 'b', 'c'].map(z => [`us-west-2${z}`, { 'g5.2xlarge': { usdPerHour: 0.5 } }]))
    const rig = await startRig({ scenario: { timings: slow, spot: zones } })
    const poor = new RunInstancesCommand(launchInput(spot({ MaxPrice: '0.4' })))
    expect(await refusal(rig.ec2.send(poor))).toBe('SpotMaxPriceTooLow')
    expect(await stateAndCode(rig)).toEqual(['open', 'price-too-low'])
    expect(rig.cloud.state().living).toMatchObject({ instances: 0, spotRequests: 1 })
    const { SpotInstanceRequestId = '' } = await onlyRequest(rig)
    const cancelled = await rig.ec2.send(
      new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [SpotInstanceRequestId] }),
    )
    expect(cancelled.CancelledSpotInstanceRequests).toEqual([{ SpotInstanceRequestId, State: 'cancelled' }])
    expect(await stateAndCode(rig)).toEqual(['cancelled', 'canceled-before-fulfillment'])
    expect(rig.cloud.state().living.spotRequests).toBe(0)
  })

  test('goes to a zone that its price can pay', async () => {
    const at = (usdPerHour: number) => ({ 'g5.2xlarge': { usdPerHour } })
    const prices = { 'us-west-2a': at(0.9), 'us-west-2b': at(0.9), 'us-west-2c': at(0.3) }
    const rig = await startRig({ scenario: { timings: slow, spot: prices } })
    await launch(rig, spot({ MaxPrice: '0.4' }))
    expect(rig.cloud.state().instances[0]?.zone).toBe('us-west-2c')
  })

  test('has a capacity of its own, which changes with time', async () => {
    const dry = { 'g5.2xlarge': { capacity: 0 } }
    const later = [
      { atSeconds: 0, count: 0 },
      { atSeconds: 40, count: 1 },
    ]
    const market = { 'us-west-2a': { 'g5.2xlarge': { capacity: later } }, 'us-west-2b': dry, 'us-west-2c': dry }
    const rig = await startRig({ scenario: { timings: slow, spot: market } })
    const error = await rig.ec2.send(new RunInstancesCommand(launchInput(spot()))).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'InsufficientInstanceCapacity', $metadata: { httpStatusCode: 500 } })
    expect(rig.cloud.state().living.spotRequests).toBe(0)
    await launch(rig)
    await rig.advance(41)
    await launch(rig, spot())
    expect(await refusal(launch(rig, spot()))).toBe('InsufficientInstanceCapacity')
    expect(rig.cloud.state().instances.map(({ lifecycle }) => lifecycle)).toEqual([null, 'spot'])
  })
})

describe('a spot request', () => {
  test('is closed some time after its instance was terminated', async () => {
    const rig = await startRig()
    const id = await launch(rig, spot())
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(10 + 59)
    expect(await stateAndCode(rig)).toEqual(['active', 'fulfilled'])
    await rig.advance(1)
    expect(await stateAndCode(rig)).toEqual(['closed', 'instance-terminated-by-user'])
  })

  test('that is cancelled leaves its instance running', async () => {
    const rig = await startRig()
    const id = await launch(rig, spot())
    const { SpotInstanceRequestId = '' } = await onlyRequest(rig)
    const ids = { SpotInstanceRequestIds: [SpotInstanceRequestId] }
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand(ids))
    await rig.advance(10)
    expect((await instanceNow(rig, id))?.State?.Name).toBe('running')
    expect(await stateAndCode(rig)).toEqual(['cancelled', 'request-canceled-and-instance-running'])
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(100)
    expect(await stateAndCode(rig)).toEqual(['cancelled', 'instance-terminated-by-user'])
  })

  test('can be found by its tags, its state and its instance', async () => {
    const rig = await startRig()
    const [a, b] = [await launch(rig, spot()), await launch(rig, spot())]
    const all = await rig.ec2.send(new DescribeSpotInstanceRequestsCommand({}))
    const first = all.SpotInstanceRequests?.find(({ InstanceId }) => InstanceId === a)?.SpotInstanceRequestId ?? ''
    await rig.ec2.send(new CreateTagsCommand({ Resources: [first], Tags: [{ Key: 'lease', Value: '1' }] }))
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [first] }))
    const by = async (Name: string, ...Values: string[]) => {
      const command = new DescribeSpotInstanceRequestsCommand({ Filters: [{ Name, Values }] })
      return (await rig.ec2.send(command)).SpotInstanceRequests?.map(({ InstanceId }) => InstanceId)
    }
    expect(await by('tag:lease', '1')).toEqual([a])
    expect(await by('state', 'open', 'active')).toEqual([b])
    expect(await by('instance-id', b)).toEqual([b])
    expect(await by('status-code', 'request-canceled-*')).toEqual([a])
  })

  test('that nobody made is refused by its id', async () => {
    const rig = await startRig()
    const cancel = (id: string) =>
      refusal(rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [id] })))
    expect(await cancel('sir-abcd1234')).toBe('InvalidSpotInstanceRequestID.NotFound')
    expect(await cancel('request')).toBe('InvalidSpotInstanceRequestID.Malformed')
  })

  test('is not to be seen for a moment after the launch', async () => {
    const rig = await startRig({ scenario: { timings: { ...slow, consistencySeconds: 2 } } })
    await launch(rig, spot())
    const look = async () =>
      (await rig.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests?.length
    expect(await look()).toBe(0)
    await rig.advance(2)
    expect(await look()).toBe(1)
  })
})

describe('a spot market that moves', () => {
  const elsewhere = { 'g5.2xlarge': { usdPerHour: 0.9 } }
  const moving = (...prices: number[]) => ({
    timings: { ...slow, spotNoticeSeconds: 30 },
    spot: {
      'us-west-2a': {
        'g5.2xlarge': { usdPerHour: prices.map((usdPerHour, index) => ({ atSeconds: index * 60, usdPerHour })) },
      },
      'us-west-2b': elsewhere,
      'us-west-2c': elsewhere,
    },
  })

  test('fulfils an open request once its price will do, with an instance that has neither tags nor token', async () => {
    const rig = await startRig({ scenario: moving(0.5, 0.3) })
    const input = launchInput({
      ...spot({ MaxPrice: '0.4' }),
      ClientToken: 'lease-1',
      TagSpecifications: (['instance', 'spot-instances-request'] as const).map(ResourceType => ({
        ResourceType,
        Tags: [{ Key: 'lease', Value: '1' }],
      })),
    })
    expect(await refusal(rig.ec2.send(new RunInstancesCommand(input)))).toBe('SpotMaxPriceTooLow')
    await rig.advance(59)
    expect(rig.cloud.state().living.instances).toBe(0)
    await rig.advance(2)
    const [instance] = rig.cloud.state().instances
    expect(instance).toMatchObject({ zone: 'us-west-2a', lifecycle: 'spot', clientToken: '', tags: {} })
    expect(await onlyRequest(rig)).toMatchObject({
      State: 'active',
      Status: { Code: 'fulfilled' },
      InstanceId: instance?.id,
      LaunchedAvailabilityZone: 'us-west-2a',
      Tags: [{ Key: 'lease', Value: '1' }],
    })
  })

  test('does not fulfil a request that was cancelled', async () => {
    const rig = await startRig({ scenario: moving(0.5, 0.3) })
    await refusal(launch(rig, spot({ MaxPrice: '0.4' })))
    const { SpotInstanceRequestId = '' } = await onlyRequest(rig)
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [SpotInstanceRequestId] }))
    await rig.advance(120)
    expect(rig.cloud.state().instances).toEqual([])
  })

  test('takes an instance away whose maximum it passes, and leaves one without a maximum', async () => {
    const rig = await startRig({ scenario: moving(0.3, 0.6) })
    const here = { Placement: { AvailabilityZone: 'us-west-2a' } }
    const poor = await launch(rig, { ...spot({ MaxPrice: '0.4' }), ...here })
    const rich = await launch(rig, { ...spot(), ...here })
    await rig.advance(61 + 30)
    await rig.advance(10)
    expect((await instanceNow(rig, poor))?.StateReason?.Code).toBe('Server.SpotInstanceTermination')
    expect((await instanceNow(rig, rich))?.State?.Name).toBe('running')
    const request = rig.cloud.state().spotRequests.find(({ instanceId }) => instanceId === poor)
    expect([request?.state, request?.statusCode]).toEqual(['closed', 'instance-terminated-by-price'])
  })

  test('shows its changes in the price history when they have come', async () => {
    const rig = await startRig({ scenario: moving(0.5, 0.3) })
    const now = async () => {
      const { SpotPriceHistory } = await rig.ec2.send(
        new DescribeSpotPriceHistoryCommand({
          AvailabilityZone: 'us-west-2a',
          InstanceTypes: ['g5.2xlarge'],
          ProductDescriptions: ['Linux/UNIX'],
        }),
      )
      return SpotPriceHistory?.slice(0, 2).map(({ SpotPrice }) => SpotPrice)
    }
    expect(await now()).toEqual(['0.500000', '0.520000'])
    await rig.advance(61)
    expect(await now()).toEqual(['0.300000', '0.500000'])
  })

  test('gives a persistent request its next instance after the first was ended, until it is cancelled', async () => {
    const rig = await startRig()
    const options = { SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' } as const
    const id = await launch(rig, spot(options))
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(10 + 60)
    const living = rig.cloud.state().instances.filter(({ state }) => state !== 'terminated')
    expect(living).toHaveLength(1)
    expect((await onlyRequest(rig)).InstanceId).toBe(living[0]?.id)
    const SpotInstanceRequestIds = rig.cloud.state().spotRequests.map(request => request.id)
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds }))
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [living[0]?.id ?? ''] }))
    await rig.advance(200)
    expect(rig.cloud.state().living).toMatchObject({ instances: 0, spotRequests: 0 })
  })
})

describe('an interruption', () => {
  test('gives its notice first, then takes the instance, and its request says why', async () => {
    const rig = await startRig()
    const id = await launch(rig, spot())
    await rig.advance(10)
    const reply = await interruptBy(rig, { instanceId: id, noticeSeconds: 120 })
    const notice = (await reply.json()) as { noticeAt: string; endsAt: string }
    expect(Date.parse(notice.endsAt) - Date.parse(notice.noticeAt)).toBe(120_000)
    expect(await stateAndCode(rig)).toEqual(['closed', 'marked-for-termination'])
    await rig.advance(119)
    expect((await instanceNow(rig, id))?.State?.Name).toBe('running')
    await rig.advance(1)
    expect(await instanceNow(rig, id)).toMatchObject({
      State: { Name: 'shutting-down' },
      StateReason: { Code: 'Server.SpotInstanceTermination' },
    })
    await rig.advance(10)
    expect((await instanceNow(rig, id))?.State?.Name).toBe('terminated')
    expect(await stateAndCode(rig)).toEqual(['closed', 'instance-terminated-no-capacity'])
  })

  test('comes by a fault, some time after the instance runs', async () => {
    const rig = await startRig({
      scenario: { timings: { ...slow, spotNoticeSeconds: 5 }, faults: [{ kind: 'spot-interruption', seconds: 30 }] },
    })
    const onDemand = await launch(rig)
    const taken = await launch(rig, spot())
    const kept = await launch(rig, spot())
    await rig.advance(10 + 30 + 4)
    expect((await instanceNow(rig, taken))?.State?.Name).toBe('running')
    await rig.advance(1)
    const states = [onDemand, taken, kept].map(async id => (await instanceNow(rig, id))?.State?.Name)
    expect(await Promise.all(states)).toEqual(['running', 'shutting-down', 'running'])
  })

  test('for the price says so', async () => {
    const rig = await startRig()
    const id = await launch(rig, spot())
    await rig.advance(10)
    await interruptBy(rig, { instanceId: id, noticeSeconds: 0, reason: 'by-price' })
    await eventually(async () => {
      await rig.advance(10)
      return (await instanceNow(rig, id))?.State?.Name === 'terminated' ? true : undefined
    })
    expect(await stateAndCode(rig)).toEqual(['closed', 'instance-terminated-by-price'])
  })

  test('of a persistent request stops its instance', async () => {
    const rig = await startRig()
    const options = { SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' } as const
    const id = await launch(rig, spot(options))
    await rig.advance(10)
    await interruptBy(rig, { instanceId: id, noticeSeconds: 60 })
    await rig.advance(60)
    await rig.advance(10)
    expect(await instanceNow(rig, id)).toMatchObject({
      State: { Name: 'stopped' },
      StateReason: { Code: 'Server.SpotInstanceShutdown' },
    })
    expect(await stateAndCode(rig)).toEqual(['disabled', 'instance-stopped-no-capacity'])
  })

  test('can strike running spot instances only, and once', async () => {
    const rig = await startRig()
    const onDemand = await launch(rig)
    const pending = await launch(rig, spot())
    const status = async (body: unknown) => (await interruptBy(rig, body)).status
    expect(await status({ instanceId: pending })).toBe(409)
    await rig.advance(10)
    expect(await status({ instanceId: onDemand })).toBe(409)
    expect(await status({ instanceId: 'i-0123456789abcdef0' })).toBe(404)
    expect(await status({ noticeSeconds: 1 })).toBe(400)
    expect(await status({ instanceId: pending })).toBe(200)
    expect(await status({ instanceId: pending })).toBe(409)
  })
})

describe('the spot price history', () => {
  const linux = { ProductDescriptions: ['Linux/UNIX'], InstanceTypes: ['g5.2xlarge' as const] }

  test('has a price for every type and zone, below that of on-demand', async () => {
    const rig = await startRig()
    const latest = new Map<string, number>()
    const pages = paginateDescribeSpotPriceHistory(
      { client: rig.ec2, pageSize: 100 },
      { StartTime: new Date(), ProductDescriptions: ['Linux/UNIX'] },
    )
    for await (const { SpotPriceHistory = [] } of pages)
      for (const { AvailabilityZone, InstanceType = '', SpotPrice } of SpotPriceHistory) {
        latest.set(`${AvailabilityZone}/${InstanceType}`, Number(SpotPrice))
        expect(Number(SpotPrice)).toBeLessThan(onDemandPrice('us-west-2', InstanceType))
      }
    expect(latest.size).toBeGreaterThan(60)
    expect(latest.has('us-west-2b/p6-b200.48xlarge')).toBe(true)
    expect(latest.has('us-west-2a/p6-b200.48xlarge')).toBe(false)
  })

  test('is newest first, and what held at the start belongs to it', async () => {
    const rig = await startRig({
      scenario: { timings: slow, spot: { 'us-west-2a': { 'g5.2xlarge': { usdPerHour: 0.5 } } } },
    })
    const ask = async (StartTime?: Date, EndTime?: Date) => {
      const command = new DescribeSpotPriceHistoryCommand({
        ...linux,
        AvailabilityZone: 'us-west-2a',
        ...(StartTime === undefined ? {} : { StartTime }),
        ...(EndTime === undefined ? {} : { EndTime }),
      })
      return (await rig.ec2.send(command)).SpotPriceHistory?.map(({ SpotPrice }) => SpotPrice)
    }
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000)
    expect(await ask()).toEqual(['0.500000', '0.520000', '0.470000', '0.535000'])
    expect(await ask(new Date())).toEqual(['0.500000'])
    expect(await ask(hoursAgo(24), hoursAgo(10))).toEqual(['0.520000', '0.470000'])
  })

  test('holds Windows beside Linux for those who do not ask for one', async () => {
    const rig = await startRig()
    const { SpotPriceHistory = [] } = await rig.ec2.send(
      new DescribeSpotPriceHistoryCommand({ InstanceTypes: ['g5.2xlarge'], StartTime: new Date() }),
    )
    expect(new Set(SpotPriceHistory.map(({ ProductDescription }) => ProductDescription))).toEqual(
      new Set(['Linux/UNIX', 'Windows']),
    )
  })
})
