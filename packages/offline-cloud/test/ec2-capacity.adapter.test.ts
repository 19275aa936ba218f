import {
  CancelSpotInstanceRequestsCommand,
  DescribeCapacityReservationsCommand,
  DescribeInstancesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type RunInstancesCommandInput,
} from '@aws-sdk/client-ec2'
import { GetServiceQuotaCommand, ListServiceQuotasCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas'
import { afterAll, describe, expect, test } from '@jest/globals'
import { quotas, type Fault } from '../src/index.ts'
import { launch, launchInput, refusal, slow, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

afterAll(stopRigs)

const spot = { InstanceMarketOptions: { MarketType: 'spot' } } as const
const attempt = (rig: Rig, more: Partial<RunInstancesCommandInput> = {}) => refusal(launch(rig, more))

const quotasOf = (rig: Rig, region = 'us-west-2') =>
  new ServiceQuotasClient({
    endpoint: rig.cloud.url,
    region,
    maxAttempts: 1,
    credentials: {
      accessKeyId: rig.cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: rig.cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  })

describe('capacity', () => {
  test('that comes with time is there at its moment', async () => {
    const later = [
      { atSeconds: 0, count: 0 },
      { atSeconds: 40, count: 2 },
    ]
    const rig = await startRig({ scenario: { timings: slow, capacity: { 'us-west-2a': { 'g5.2xlarge': later } } } })
    const here = { Placement: { AvailabilityZone: 'us-west-2a' } }
    expect(await attempt(rig, here)).toBe('InsufficientInstanceCapacity')
    await rig.advance(30)
    expect(await attempt(rig, here)).toBe('InsufficientInstanceCapacity')
    await rig.advance(10)
    expect([await attempt(rig, here), await attempt(rig, here), await attempt(rig, here)]).toEqual([
      'none',
      'none',
      'InsufficientInstanceCapacity',
    ])
  })
})

describe('the quota of vCPUs', () => {
  // A g5.2xlarge has 8.
  const tight = {
    timings: slow,
    limits: 'none' as const,
    quotas: { 'us-west-2': { 'L-DB2E81BA': 16, 'L-3819A6DF': 8, 'L-417A185B': 0 } },
  }

  test('stops on-demand launches of its families in its region, whatever the zone', async () => {
    const rig = await startRig({ scenario: tight })
    const [first] = [await launch(rig), await launch(rig)]
    const error = await rig.ec2.send(new RunInstancesCommand(launchInput())).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'VcpuLimitExceeded', $metadata: { httpStatusCode: 400 } })
    expect(String(error)).toContain('your current vCPU limit of 16')
    expect(await attempt(rig, { InstanceType: 'g4dn.xlarge', Placement: { AvailabilityZone: 'us-west-2c' } })).toBe(
      'VcpuLimitExceeded',
    )
    expect(await attempt(rig, { InstanceType: 'p3.2xlarge' })).toBe('VcpuLimitExceeded')
    expect(await attempt(rig, { InstanceType: 't3.micro' })).toBe('none')
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [first] }))
    expect(await attempt(rig)).toBe('VcpuLimitExceeded')
    await rig.advance(10)
    expect(await attempt(rig)).toBe('none')
  })

  test('lets a launch have as many as it leaves room for, but never less than MinCount', async () => {
    const rig = await startRig({ scenario: tight })
    const { Instances } = await rig.ec2.send(new RunInstancesCommand(launchInput({ MinCount: 1, MaxCount: 5 })))
    expect(Instances).toHaveLength(2)
  })

  test('of spot is another one, and counts an ended machine until its request is cancelled or closed', async () => {
    const rig = await startRig({ scenario: tight })
    await launch(rig)
    const id = await launch(rig, spot)
    expect(await attempt(rig, spot)).toBe('MaxSpotInstanceCountExceeded')
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.advance(20)
    expect(await attempt(rig, spot)).toBe('MaxSpotInstanceCountExceeded')
    const SpotInstanceRequestIds = rig.cloud.state().spotRequests.map(request => request.id)
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds }))
    const second = await launch(rig, spot)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [second] }))
    await rig.advance(10 + 60)
    expect(await attempt(rig, spot)).toBe('none')
  })

  test('goes on counting a machine whose request was cancelled while it runs', async () => {
    const rig = await startRig({ scenario: tight })
    await launch(rig, spot)
    const SpotInstanceRequestIds = rig.cloud.state().spotRequests.map(request => request.id)
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds }))
    expect(await attempt(rig, spot)).toBe('MaxSpotInstanceCountExceeded')
  })

  test('can be read from Service Quotas, by code and as a list', async () => {
    const rig = await startRig({ scenario: tight })
    const client = quotasOf(rig)
    const { Quota } = await client.send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-DB2E81BA' }))
    expect(Quota).toMatchObject({ QuotaName: 'Running On-Demand G and VT instances', Value: 16, Unit: 'None' })
    const first = await client.send(new ListServiceQuotasCommand({ ServiceCode: 'ec2', MaxResults: 4 }))
    const rest = await client.send(
      new ListServiceQuotasCommand({ ServiceCode: 'ec2', MaxResults: 4, NextToken: first.NextToken ?? '' }),
    )
    expect(rest.NextToken).toBeUndefined()
    expect([...(first.Quotas ?? []), ...(rest.Quotas ?? [])].map(({ QuotaCode }) => QuotaCode)).toEqual(
      quotas.map(({ code }) => code),
    )
    const elsewhere = await quotasOf(rig, 'us-east-1').send(
      new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-DB2E81BA' }),
    )
    expect(elsewhere.Quota?.Value).toBeGreaterThan(10_000)
    const unknown = (ServiceCode: string, QuotaCode: string) =>
      refusal(client.send(new GetServiceQuotaCommand({ ServiceCode, QuotaCode })))
    expect(await unknown('ec2', 'L-00000000')).toBe('NoSuchResourceException')
    expect(await unknown('s3', 'L-DB2E81BA')).toBe('NoSuchResourceException')
  })

  test('cannot be read where a fault forbids it, in the words of Service Quotas', async () => {
    const rig = await startRig()
    const kinds = ['denied', 'throttled', 'server-error', 'expired-credentials'] as const
    rig.cloud.addFaults(kinds.map((kind): Fault => ({ kind, operation: 'servicequotas:GetServiceQuota' })))
    const client = quotasOf(rig)
    const ask = () => refusal(client.send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-DB2E81BA' })))
    expect([await ask(), await ask(), await ask(), await ask(), await ask()]).toEqual([
      'AccessDeniedException',
      'TooManyRequestsException',
      'ServiceException',
      'ExpiredTokenException',
      'none',
    ])
  })
})

describe('a capacity reservation', () => {
  const place = { region: 'us-west-2', zone: 'us-west-2a' }
  const reserved = 'cr-00000000000000001'
  const block = 'cr-00000000000000002'
  const scenario = {
    timings: slow,
    limits: 'none' as const,
    capacity: { 'us-west-2a': { 'p5.48xlarge': 0, 'g5.2xlarge': 0 } },
    quotas: { 'us-west-2': { 'L-417A185B': 0 } },
    reservations: [
      { ...place, id: reserved, type: 'g5.2xlarge', count: 1 },
      {
        ...place,
        id: block,
        type: 'p5.48xlarge',
        count: 1,
        kind: 'capacity-block' as const,
        startsInSeconds: 100,
        endsInSeconds: 100 + 3600,
      },
    ],
  }
  const into = (id: string, more: Partial<RunInstancesCommandInput> = {}): Partial<RunInstancesCommandInput> => ({
    CapacityReservationSpecification: { CapacityReservationTarget: { CapacityReservationId: id } },
    ...more,
  })
  const asBlock = { InstanceType: 'p5.48xlarge', InstanceMarketOptions: { MarketType: 'capacity-block' } } as const

  test('holds machines where there is no capacity else, and no more than it has', async () => {
    const rig = await startRig({ scenario })
    expect(await attempt(rig, { Placement: { AvailabilityZone: 'us-west-2a' } })).toBe('InsufficientInstanceCapacity')
    const { Instances } = await rig.ec2.send(new RunInstancesCommand(launchInput(into(reserved))))
    expect(Instances?.[0]).toMatchObject({
      CapacityReservationId: reserved,
      Placement: { AvailabilityZone: 'us-west-2a' },
      CapacityReservationSpecification: { CapacityReservationTarget: { CapacityReservationId: reserved } },
    })
    expect(Instances?.[0]?.InstanceLifecycle).toBeUndefined()
    expect(await attempt(rig, into(reserved))).toBe('ReservationCapacityExceeded')
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [Instances?.[0]?.InstanceId ?? ''] }))
    await rig.advance(10)
    expect(await attempt(rig, into(reserved))).toBe('none')
  })

  test('takes only what fits it', async () => {
    const rig = await startRig({ scenario })
    const cases = [
      into(reserved, { InstanceType: 'g5.xlarge' }),
      into(reserved, { Placement: { AvailabilityZone: 'us-west-2b' } }),
      into(block, { InstanceType: 'p5.48xlarge' }),
      into(reserved, { InstanceMarketOptions: { MarketType: 'capacity-block' } }),
      into(reserved, spot),
      asBlock,
      into('cr-0123456789abcdef0'),
      into('mine'),
    ]
    const codes: string[] = []
    for (const one of cases) codes.push(await attempt(rig, one))
    expect(codes).toEqual([
      'InvalidParameterValue',
      'InvalidParameterValue',
      // The quota of P is zero, and only a block has no part in it.
      'VcpuLimitExceeded',
      'InvalidParameterCombination',
      'InvalidParameterCombination',
      'InvalidParameterCombination',
      'InvalidCapacityReservationId.NotFound',
      'InvalidCapacityReservationId.Malformed',
    ])
    expect(rig.cloud.state().instances).toEqual([])
  })

  test('that is a block opens at its start, counts against no quota, and is cleared half an hour before its end', async () => {
    const rig = await startRig({ scenario })
    expect(await attempt(rig, into(block, asBlock))).toBe('InvalidCapacityReservationState.PendingActivation')
    await rig.advance(101)
    const id = await launch(rig, into(block, asBlock))
    const look = async () => {
      const { Reservations } = await rig.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
      return Reservations?.[0]?.Instances?.[0]
    }
    expect(await look()).toMatchObject({ InstanceLifecycle: 'capacity-block', CapacityReservationId: block })
    await rig.advance(1790)
    expect((await look())?.State?.Name).toBe('running')
    await rig.advance(10)
    expect((await look())?.State?.Name).toBe('shutting-down')
    expect(await attempt(rig, into(block, asBlock))).toBe('InvalidCapacityReservationState.Unavailable')
  })

  test('can be described, with its state and what is left of it', async () => {
    const rig = await startRig({ scenario })
    const describeAll = async () => {
      const { CapacityReservations } = await rig.ec2.send(new DescribeCapacityReservationsCommand({}))
      return CapacityReservations
    }
    await launch(rig, into(reserved))
    expect(await describeAll()).toMatchObject([
      {
        CapacityReservationId: reserved,
        State: 'active',
        ReservationType: 'default',
        TotalInstanceCount: 1,
        AvailableInstanceCount: 0,
        EndDateType: 'unlimited',
        InstanceMatchCriteria: 'targeted',
      },
      { CapacityReservationId: block, State: 'scheduled', ReservationType: 'capacity-block', EndDateType: 'limited' },
    ])
    await rig.advance(101)
    expect((await describeAll())?.[1]).toMatchObject({ State: 'active', AvailableInstanceCount: 1 })
    await rig.advance(3600)
    expect((await describeAll())?.[1]).toMatchObject({ State: 'expired' })
    const filtered = await rig.ec2.send(
      new DescribeCapacityReservationsCommand({ Filters: [{ Name: 'state', Values: ['active'] }] }),
    )
    expect(filtered.CapacityReservations?.map(({ CapacityReservationId }) => CapacityReservationId)).toEqual([reserved])
  })
})
