import { RunInstancesCommand } from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import type { Machine, Offer } from '@gpu-actions/lease'
import { putSecret, markedParameters, regionsOf, statusChecks } from '../src/index.ts'
import { account, startEc2Rig, wish, type Ec2Rig } from './ec2-fixture.ts'

jest.setTimeout(60_000)

let rig: Ec2Rig
const block = 'cr-00000000000000001'
const plain = 'cr-00000000000000002'
beforeEach(async () => {
  rig = await startEc2Rig({
    reservations: [
      {
        id: block,
        region: 'us-west-2',
        zone: 'us-west-2a',
        type: 'p5.48xlarge',
        count: 1,
        kind: 'capacity-block',
        startsInSeconds: 60,
        endsInSeconds: 7200,
      },
      { id: plain, region: 'us-west-2', zone: 'us-west-2b', type: 'g5.2xlarge', count: 1 },
    ],
  })
})
afterEach(async () => rig.stop())

const place = { account, region: 'us-west-2' }
const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'it did not fail',
    (error: unknown) => describeFailure(error).message,
  )

async function firstOffer(more: Parameters<typeof wish>[0]): Promise<Offer> {
  const { offers, leftOut } = await rig.provider.plan(wish(more))
  if (offers[0] === undefined) throw new Error(leftOut.join('\n'))
  return offers[0]
}

async function launched(offer: Offer): Promise<Machine> {
  const intent = rig.intent(offer)
  const outcome = await rig.provider.launch(offer, intent)
  if (outcome.kind !== 'launched') throw new Error(JSON.stringify(outcome))
  await rig.advance(3)
  const search = { by: 'lease', repository: 'org/consumer', leaseId: intent.leaseId, tokens: [] } as const
  const machine = (await rig.provider.find(search, [place])).find(({ id }) => id === outcome.machines[0])
  if (machine === undefined) throw new Error('not shown')
  return machine
}

describe('a launch on spot', () => {
  test('asks once, ends with the machine, and names no price', async () => {
    const offer = await firstOffer({ market: 'spot' })
    expect(rig.provider.parameters(offer, rig.intent(offer))).toMatchObject({
      InstanceMarketOptions: {
        MarketType: 'spot',
        SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
      },
    })
    const machine = await launched(offer)
    expect(machine).toMatchObject({ market: 'spot', requests: [expect.stringMatching(/^sir-/)] })
    const [request] = rig.cloud.state().spotRequests
    expect(request?.tags).toMatchObject({
      'gpu-actions:lease': '7-1-0badcafe',
      'gpu-actions:repository': 'org/consumer',
    })
  })

  test('ends with its request, machine first', async () => {
    const machine = await launched(await firstOffer({ market: 'spot' }))
    const before = rig.cloud.state().callLog.length
    expect(await rig.provider.terminate([machine])).toEqual([])
    expect(
      rig.cloud
        .state()
        .callLog.slice(before)
        .map(({ operation }) => operation),
    ).toEqual(['TerminateInstances', 'CancelSpotInstanceRequests'])
    await rig.advance(5)
    expect((await rig.provider.remains([machine])).left).toEqual([])
  })

  test('shows a request that is still open when its machine has ended', async () => {
    const machine = await launched(await firstOffer({ market: 'spot' }))
    rig.cloud.addFaults([{ kind: 'denied', operation: 'CancelSpotInstanceRequests' }])
    expect(await failureOf(rig.provider.terminate([machine]))).toContain('ec2:CancelSpotInstanceRequests')
    await rig.advance(5)
    const { left, machines } = await rig.provider.remains([machine])
    expect(left).toMatchObject([{ kind: 'request', id: machine.requests[0] }])
    expect(await rig.provider.terminate(machines)).toEqual([])
    expect((await rig.provider.remains([machine])).left).toEqual([])
  })

  test('carries on the machine what it costs', async () => {
    const offer = await firstOffer({ market: 'spot' })
    const machine = await launched(offer)
    expect(machine.price?.usdPerHour).toBe(offer.price?.usdPerHour)
    expect(machine.extras?.map(({ what, usdPerHour }) => [what, usdPerHour])).toEqual(
      offer.extras?.map(({ what, usdPerHour }) => [what, usdPerHour]),
    )
  })
})

describe('a reservation', () => {
  test('is launched into, in its zone, and counts against no quota of its own', async () => {
    const { offers } = await rig.provider.plan(wish({ reservationId: plain }))
    expect(offers).toMatchObject([{ zone: 'us-west-2b', reservation: plain, market: 'on-demand', quota: null }])
    const [offer] = offers
    if (offer === undefined) throw new Error('no offer')
    await launched(offer)
    expect(rig.cloud.state().instances[0]).toMatchObject({ capacityReservationId: plain })
    expect(await failureOf(rig.provider.plan(wish({ reservationId: plain })))).toContain('has no free machine left')
  })

  test('that is not there is a fault of the input', async () => {
    const failure = await failureOf(rig.provider.plan(wish({ reservationId: 'cr-0000000000000000f' })))
    expect(failure).toContain('capacity-reservation-id: cr-0000000000000000f is not in us-west-2')
  })
})

describe('a capacity block', () => {
  const blockWish = { instanceTypes: ['p5.48xlarge'], market: 'capacity-block', reservationId: block } as const

  test('that has not started tells how long to wait', async () => {
    const failure = await failureOf(rig.provider.plan(wish(blockWish)))
    expect(failure).toMatch(/has not started yet \(.*\): start the job in (1m|\d+s)/)
  })

  test('is paid already: no price, no quota, and no budget holds it', async () => {
    await rig.advance(90)
    const offer = await firstOffer({ ...blockWish, budgetUsd: 1, maxUsdPerHour: 1 })
    expect(offer).toMatchObject({
      price: null,
      quota: null,
      reservation: block,
      market: 'capacity-block',
      zone: 'us-west-2a',
    })
    expect((await launched(offer)).market).toBe('capacity-block')
  })

  test('must outlast the machine by half an hour', async () => {
    await rig.advance(90)
    const failure = await failureOf(rig.provider.plan(wish({ ...blockWish, ttlMs: 2 * 3_600_000 })))
    expect(failure).toMatch(/30 minutes before that: set ttl to at most 1h2[78]m/)
    await rig.advance(3600 + 1800)
    expect(await failureOf(rig.provider.plan(wish(blockWish)))).toContain('it is too late for a launch')
  })

  test('of another market is told', async () => {
    await rig.advance(90)
    expect(await failureOf(rig.provider.plan(wish({ ...blockWish, market: 'on-demand' })))).toContain(
      'is a capacity block: set market to capacity-block',
    )
  })
})

describe('ending', () => {
  test('explains termination protection, and ends the others', async () => {
    const offer = await firstOffer({})
    await launched(offer)
    // Somebody has switched it on.
    const guarded = { ...rig.provider.parameters(offer, rig.intent(offer)), DisableApiTermination: true }
    const reply = await rig.world.clientsFor('us-west-2').ec2().send(new RunInstancesCommand(guarded))
    const held = reply.Instances?.[0]?.InstanceId ?? ''
    await launched(offer)
    const search = { by: 'repository', repository: 'org/consumer' } as const
    const machines = await rig.provider.find(search, [place])
    expect(machines).toHaveLength(3)
    const refusals = await rig.provider.terminate(machines)
    expect(refusals).toMatchObject([{ id: held, fault: 'protected' }])
    expect(refusals[0]?.message).toContain(`modify-instance-attribute --region us-west-2 --instance-id ${held}`)
    await rig.advance(5)
    expect(
      rig.cloud
        .state()
        .instances.filter(({ state }) => state !== 'terminated')
        .map(({ id }) => id),
    ).toEqual([held])
  })
})

describe('what a sweep and a diagnosis ask', () => {
  test('regions that the account can use', async () => {
    expect(await regionsOf(rig.world.clientsFor('us-west-2'))).toEqual(['eu-central-1', 'us-east-1', 'us-west-2'])
  })

  test('parameters with the exact marks', async () => {
    const clients = rig.world.clientsFor('us-west-2')
    const tags = { 'gpu-actions:lease': '7-1-0badcafe', 'gpu-actions:expires-at': '2026-11-27T12:00:00.000Z' }
    const put = (name: string, more: Readonly<Record<string, string>>) =>
      putSecret(clients, { name: `/gpu-actions/${name}`, value: 'x', tags: { ...tags, ...more } })
    await put('ours/token', { 'gpu-actions:repository': 'org/consumer' })
    await put('theirs/token', { 'gpu-actions:repository': 'org/consumer2' })
    await put('nobodys/token', {})
    await rig.advance(2)
    expect(await markedParameters(clients, 'org/consumer')).toEqual([
      {
        name: '/gpu-actions/ours/token',
        region: 'us-west-2',
        leaseId: '7-1-0badcafe',
        expiresAt: Date.parse('2026-11-27T12:00:00.000Z'),
        changedAt: expect.any(Number),
      },
    ])
  })

  test('what EC2 checks', async () => {
    const machine = await launched(await firstOffer({}))
    expect(await statusChecks(rig.world.clientsFor('us-west-2'), machine.id)).toMatch(
      /^Status checks: system \w+, instance \w+/,
    )
    expect(await statusChecks(rig.world.clientsFor('us-west-2'), 'i-0123456789abcdef0')).toBeNull()
  })
})
