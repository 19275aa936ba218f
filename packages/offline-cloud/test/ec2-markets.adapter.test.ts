import {
  CancelSpotInstanceRequestsCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { CloudState } from '../src/index.ts'
import { launchInput, refusal, slow, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

afterAll(stopRigs)

/** What a user, EC2 or time does. `pick` chooses among what there is. */
type Step =
  | {
      readonly kind: 'launch'
      readonly market: 'spot' | 'on-demand' | 'reserved'
      readonly count: number
      readonly maxPrice?: string
    }
  | { readonly kind: 'terminate' | 'cancel' | 'interrupt'; readonly pick: number }
  | { readonly kind: 'advance'; readonly seconds: number }

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('launch' as const),
      market: fc.constantFrom('spot' as const, 'on-demand' as const, 'reserved' as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ kind: 'launch' as const, market: 'spot' as const, count: 1, maxPrice: '0.4' }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('terminate' as const, 'cancel' as const, 'interrupt' as const),
      pick: fc.nat({ max: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), seconds: fc.constantFrom(1, 9, 31, 61, 130) }),
  },
)

const reservation = 'cr-00000000000000001'
const onDemandVcpus = 24
const spotVcpus = 32
const vcpus = 8
const reserved = 2
const room = [
  { atSeconds: 0, count: 1 },
  { atSeconds: 100, count: 3 },
]
const mostRoom = 3
const prices = [
  { atSeconds: 0, usdPerHour: 0.5 },
  { atSeconds: 90, usdPerHour: 0.3 },
  { atSeconds: 300, usdPerHour: 0.6 },
]
const zones = ['us-west-2a', 'us-west-2b', 'us-west-2c']
const everywhere = <T>(what: T) => Object.fromEntries(zones.map(zone => [zone, { 'g5.2xlarge': what }]))

const scenario = {
  timings: { ...slow, spotNoticeSeconds: 20 },
  limits: 'none' as const,
  capacity: everywhere(room),
  spot: everywhere({ usdPerHour: prices, capacity: room }),
  quotas: { 'us-west-2': { 'L-DB2E81BA': onDemandVcpus, 'L-3819A6DF': spotVcpus } },
  reservations: [{ id: reservation, region: 'us-west-2', zone: 'us-west-2a', type: 'g5.2xlarge', count: reserved }],
}

const known = new Set([
  'none',
  'InsufficientInstanceCapacity',
  'VcpuLimitExceeded',
  'MaxSpotInstanceCountExceeded',
  'ReservationCapacityExceeded',
  'SpotMaxPriceTooLow',
])

async function launch(rig: Rig, { market, count, maxPrice }: Extract<Step, { kind: 'launch' }>): Promise<void> {
  const input = launchInput({
    MinCount: 1,
    MaxCount: count,
    ...(market === 'spot'
      ? {
          InstanceMarketOptions: {
            MarketType: 'spot' as const,
            ...(maxPrice === undefined ? {} : { SpotOptions: { MaxPrice: maxPrice } }),
          },
        }
      : {}),
    ...(market === 'reserved'
      ? { CapacityReservationSpecification: { CapacityReservationTarget: { CapacityReservationId: reservation } } }
      : {}),
  })
  expect(known).toContain(await refusal(rig.ec2.send(new RunInstancesCommand(input))))
}

const chosen = <T>(all: readonly T[], pick: number): T | undefined =>
  all.length === 0 ? undefined : all[pick % all.length]

async function take(rig: Rig, step: Step): Promise<void> {
  if (step.kind === 'launch') return launch(rig, step)
  if (step.kind === 'advance') return rig.advance(step.seconds)
  const state = rig.cloud.state()
  const instance = chosen(state.instances, step.pick)
  if (step.kind === 'cancel') {
    const request = chosen(state.spotRequests, step.pick)
    if (request === undefined) return
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [request.id] }))
  } else if (instance !== undefined && step.kind === 'terminate')
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance.id] }))
  else if (instance !== undefined)
    await fetch(`${rig.cloud.url}/_offline/interrupt`, {
      method: 'POST',
      body: JSON.stringify({ instanceId: instance.id, noticeSeconds: 20 }),
    })
}

const isAlive = ({ state }: { readonly state: string }): boolean => state !== 'terminated'

/** What holds of the cloud at any moment. */
function check(state: CloudState): void {
  const living = state.instances.filter(isAlive)
  const plain = living.filter(({ lifecycle }) => lifecycle === null)
  expect(plain.length * vcpus).toBeLessThanOrEqual(onDemandVcpus)
  expect(living.filter(({ capacityReservationId }) => capacityReservationId !== null).length).toBeLessThanOrEqual(
    reserved,
  )
  for (const zone of zones) {
    const here = living.filter(instance => instance.zone === zone && instance.capacityReservationId === null)
    for (const lifecycle of [null, 'spot'])
      expect(here.filter(instance => instance.lifecycle === lifecycle).length).toBeLessThanOrEqual(mostRoom)
  }
  const waiting = state.spotRequests.filter(({ state: name }) => name === 'open' || name === 'active')
  const orphaned = living.filter(
    ({ lifecycle, spotRequestId }) => lifecycle === 'spot' && !waiting.some(({ id }) => id === spotRequestId),
  )
  expect(waiting.length * vcpus).toBeLessThanOrEqual(spotVcpus)
  expect(state.living.spotRequests).toBe(waiting.length)
  expect(state.spotRequests.filter(({ state: name, instanceId }) => name === 'active' && instanceId === null)).toEqual(
    [],
  )
  expect(state.spotRequests.filter(({ state: name, instanceId }) => name === 'open' && instanceId !== null)).toEqual([])
  for (const { lifecycle, spotRequestId } of state.instances)
    expect(lifecycle === 'spot').toBe(state.spotRequests.some(({ id }) => id === spotRequestId))
  for (const { spotRequestId } of orphaned) {
    const request = state.spotRequests.find(({ id }) => id === spotRequestId)
    expect(['cancelled', 'closed']).toContain(request?.state)
    expect(living.map(({ id }) => id)).toContain(request?.instanceId)
  }
}

describe('the markets', () => {
  test('keep quotas, capacities and the bond of instance and request, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 25 }), async sequence => {
        const rig = await startRig({ scenario })
        const ended = new Set<string>()
        for (const step of sequence) {
          await take(rig, step)
          const state = rig.cloud.state()
          check(state)
          // What is closed or cancelled stays so, and what is terminated does not come back.
          for (const { id, state: name } of state.spotRequests) {
            const isOver = name === 'closed' || name === 'cancelled'
            expect(ended.has(id) && !isOver).toBe(false)
            if (isOver) ended.add(id)
          }
        }
        await endAll(rig)
        expect(rig.cloud.state().living).toMatchObject({ instances: 0, spotRequests: 0 })
        await stopRigs()
      }),
      // Shrinking would take minutes; the seed is printed.
      { numRuns: 12, endOnFailure: true },
    )
  }, 120_000)
})

// Terminate, then cancel: what a teardown does.
async function endAll(rig: Rig): Promise<void> {
  const { SpotInstanceRequests = [] } = await rig.ec2.send(new DescribeSpotInstanceRequestsCommand({}))
  const SpotInstanceRequestIds = SpotInstanceRequests.map(({ SpotInstanceRequestId = '' }) => SpotInstanceRequestId)
  if (SpotInstanceRequestIds.length > 0)
    await rig.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds }))
  const { Reservations = [] } = await rig.ec2.send(new DescribeInstancesCommand({}))
  const InstanceIds = Reservations.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId = '' }) => InstanceId))
  if (InstanceIds.length > 0) await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds }))
  await rig.advance(10)
}
