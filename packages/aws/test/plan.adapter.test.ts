import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import { images, onDemandPrice, regions } from '@gpu-actions/offline-cloud'
import { needs, startEc2Rig, wish, type Ec2Rig } from './ec2-fixture.ts'
import type { Ec2Plan, Ec2Wish } from '../src/index.ts'

jest.setTimeout(60_000)

let rig: Ec2Rig
const start = async (scenario: Parameters<typeof startEc2Rig>[0] = {}) => {
  await rig.stop()
  rig = await startEc2Rig(scenario)
}
beforeEach(async () => {
  rig = await startEc2Rig()
})
afterEach(async () => rig.stop())

const plan = (more: Partial<Ec2Wish> = {}): Promise<Ec2Plan> => rig.provider.plan(wish(more))
const words = ({ offers }: Ec2Plan): string[] =>
  offers.map(({ instanceType, zone, market }) => `${market} ${instanceType} ${zone}`)
const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'it did not fail',
    (error: unknown) => describeFailure(error).message,
  )
const subnet = (region: string, index: number): string =>
  regions.find(({ name }) => name === region)?.subnets[index]?.id ?? ''

describe('a plan', () => {
  test('tries types in order, each in every region and zone in order', async () => {
    expect(
      words(await plan({ regions: ['us-west-2', 'us-east-1'], instanceTypes: ['g6.xlarge', 'g5.2xlarge'] })),
    ).toEqual(
      ['g6.xlarge', 'g5.2xlarge'].flatMap(type =>
        ['us-west-2', 'us-east-1'].flatMap(region => ['a', 'b', 'c'].map(zone => `on-demand ${type} ${region}${zone}`)),
      ),
    )
  })

  test('tries all of spot before on-demand', async () => {
    const { offers } = await plan({ market: 'spot-then-on-demand', instanceTypes: ['g5.2xlarge', 'g6.xlarge'] })
    expect(offers.map(({ market }) => market)).toEqual([...Array(6).fill('spot'), ...Array(6).fill('on-demand')])
  })

  test('takes the cheapest first where that is asked for', async () => {
    const { offers } = await plan({ strategy: 'cheapest', instanceTypes: ['g5.2xlarge', 'g4dn.xlarge', 'g6.xlarge'] })
    const prices = offers.map(({ price }) => price?.usdPerHour ?? 0)
    expect(prices).toEqual(prices.toSorted((a, b) => a - b))
    expect(new Set(offers.map(({ instanceType }) => instanceType)).size).toBe(3)
  })

  test('lets the needs alone choose, the cheapest first', async () => {
    const found = await plan({
      instanceTypes: [],
      needs: needs({ minGpuMemoryGib: 40, gpuCount: 1 }),
      maxUsdPerHour: 5,
    })
    expect([...new Set(found.offers.map(({ instanceType }) => instanceType))]).toEqual([
      'g6e.xlarge',
      'g6e.2xlarge',
      'g6e.4xlarge',
    ])
  })

  test('warns of what the last offer costs when neither names nor a price hold it', async () => {
    const { warnings } = await plan({ instanceTypes: [], needs: needs({ gpuCount: 8 }) })
    expect(warnings).toEqual([expect.stringMatching(/^The needs alone choose, and the dearest offer costs \$115\.8/)])
  })

  test('has live prices with their source and day, what is billed beside the machine, and the quota of each offer', async () => {
    const found = await plan()
    const day = new Date().toISOString().slice(0, 10)
    const [offer] = found.offers
    expect(offer).toMatchObject({
      price: { usdPerHour: onDemandPrice('us-west-2', 'g5.2xlarge'), source: 'AWS Pricing API', date: day },
      quota: 'L-DB2E81BA',
      extras: [
        { what: 'storage', usdPerHour: expect.closeTo((0.0817 * 45) / 730, 6), source: 'AWS Pricing API' },
        { what: 'address', usdPerHour: 0.005 },
      ],
    })
    expect(found.prices).toEqual([
      {
        region: 'us-west-2',
        market: 'on-demand',
        instanceType: 'g5.2xlarge',
        zone: null,
        price: offer?.price,
        note: null,
      },
    ])
    expect(found.quotas).toEqual([
      expect.objectContaining({ code: 'L-DB2E81BA', limit: 1_000_000, used: 0, unknown: null }),
    ])
    if (offer === undefined) throw new Error('no offer')
    expect(found.vcpusOf(offer)).toBe(8)
    expect(found.imageFor(offer).id).toBe(images.find(({ region }) => region === 'us-west-2')?.id)
  })

  test('has the spot price of each zone', async () => {
    await start({ spot: { 'us-west-2b': { 'g5.2xlarge': { usdPerHour: 0.1234 } } } })
    const { offers } = await plan({ market: 'spot' })
    expect(offers.find(({ zone }) => zone === 'us-west-2b')?.price).toMatchObject({
      usdPerHour: 0.1234,
      source: 'EC2 spot price history',
    })
    expect(offers.every(({ price, quota }) => price !== null && quota === 'L-3819A6DF')).toBe(true)
  })

  test('falls back to the dated table when prices may not be read, and says so', async () => {
    rig.cloud.addFaults([{ kind: 'denied', operation: 'GetProducts', count: null }])
    const found = await plan()
    expect(found.offers[0]?.price).toMatchObject({ usdPerHour: 1.212, date: '2026-11-22' })
    expect(found.prices[0]?.note).toContain('pricing:GetProducts is not allowed')
  })

  test('goes on when quotas may not be read', async () => {
    rig.cloud.addFaults([{ kind: 'denied', operation: 'GetServiceQuota', count: null }])
    const found = await plan()
    expect(found.offers).toHaveLength(3)
    expect(found.quotas[0]).toMatchObject({
      limit: null,
      used: 0,
      unknown: expect.stringContaining('servicequotas:GetServiceQuota is not allowed'),
    })
  })

  test('does not wait for a slow price list', async () => {
    rig.cloud.addFaults([{ kind: 'latency', operation: 'GetProducts', acceptSeconds: 6, count: null }])
    const began = Date.now()
    const found = await plan()
    expect(Date.now() - began).toBeLessThan(5_500)
    expect(found.offers[0]?.price).toMatchObject({ usdPerHour: 1.212 })
    expect(found.prices[0]?.note).toBe('no answer within 3 seconds')
  })

  test('counts the vCPUs in use, and warns of a quota that is full', async () => {
    await start({ quotas: { 'us-west-2': { 'L-DB2E81BA': 8 } } })
    const [offer] = (await plan()).offers
    if (offer === undefined) throw new Error('no offer')
    await rig.provider.launch(offer, rig.intent(offer))
    await rig.advance(2)
    const found = await plan()
    expect(found.quotas[0]).toMatchObject({ limit: 8, used: 8 })
    expect(found.warnings).toEqual([expect.stringContaining('is full: 8 of 8 vCPUs are in use')])
    expect(found.offers).toHaveLength(3)
  })

  test('sorts subnets to their regions, and names one that is nowhere', async () => {
    const subnetIds = [subnet('us-east-1', 1), subnet('us-west-2', 2)]
    expect(words(await plan({ regions: ['us-west-2', 'us-east-1'], subnetIds }))).toEqual([
      'on-demand g5.2xlarge us-west-2c',
      'on-demand g5.2xlarge us-east-1b',
    ])
    const failure = await failureOf(
      plan({ regions: ['us-west-2', 'us-east-1'], subnetIds: [...subnetIds, 'subnet-0123456789abcdef0'] }),
    )
    expect(failure).toContain('subnet-id: subnet-0123456789abcdef0 is not in us-west-2 or us-east-1')
  })

  test('leaves out a region in which something is missing, while another one gives offers', async () => {
    const id = images.find(({ region }) => region === 'us-east-1')?.id ?? ''
    const found = await plan({ regions: ['us-west-2', 'us-east-1'], image: { by: 'id', id } })
    expect(new Set(found.offers.map(({ place }) => place.region))).toEqual(new Set(['us-east-1']))
    expect(found.leftOut).toEqual([`us-west-2: ami-id: ${id} is not in us-west-2, or a policy of the account hides it`])
  })

  test('tells all faults of all regions at once when none gives offers', async () => {
    const failure = await failureOf(
      plan({
        regions: ['us-west-2', 'us-east-1'],
        image: { by: 'id', id: 'ami-0123456789abcdef0' },
        securityGroupId: 'sg-0123456789abcdef0',
        instanceProfileName: undefined,
        tags: { 'gpu-actions:lease': 'mine' },
      }),
    )
    for (const part of [
      'tags: ',
      'instance-profile-name: ',
      'us-west-2: ami-id: ',
      'us-east-1: ami-id: ',
      'us-west-2: security-group-id: ',
      'us-east-1: security-group-id: ',
    ]) {
      expect(failure).toContain(part)
    }
    expect(rig.calls('ec2:RunInstances')).toBe(0)
  })

  test('leaves out a region that the account has not enabled', async () => {
    const found = await plan({ regions: ['eu-south-1', 'us-west-2'] })
    expect(found.offers.map(({ place }) => place.region)).toEqual(['us-west-2', 'us-west-2', 'us-west-2'])
    expect(found.leftOut).toEqual([
      'eu-south-1: AWS does not take the credentials in eu-south-1, though it knows them: the region may not be enabled in the account',
    ])
  })

  test('stops at once, with one sentence, when the credentials have expired', async () => {
    rig.cloud.addFaults([{ kind: 'expired-credentials', count: null }])
    const failure = await failureOf(plan({ regions: ['us-west-2', 'us-east-1'] }))
    expect(failure).toContain('have expired')
    expect(failure.match(/What to do/g)).toHaveLength(1)
  })

  test('names the permission that a look-up lacks', async () => {
    rig.cloud.addFaults([{ kind: 'denied', operation: 'DescribeImages', count: null }])
    expect(await failureOf(plan())).toContain('ec2:DescribeImages')
  })

  test('holds prices to the budget with all hourly costs', async () => {
    const found = await plan({ instanceTypes: ['g5.2xlarge', 'g5.48xlarge'], budgetUsd: 0.5 })
    expect(new Set(found.offers.map(({ instanceType }) => instanceType))).toEqual(new Set(['g5.2xlarge']))
    expect(found.leftOut).toEqual([
      expect.stringMatching(
        /^g5\.48xlarge: costs \$16\.5\d+ an hour with all that is billed beside it: a budget of \$0\.50 lasts 1m48s/,
      ),
    ])
  })
})

describe('an impossible wish', () => {
  test('that no type satisfies names the nearest ones and what they lack', async () => {
    const found = await plan({ instanceTypes: [], needs: needs({ gpuCount: 3, minGpuMemoryGib: 70 }) })
    expect(found.offers).toEqual([])
    expect(found.nearest.join('\n')).toMatch(
      /No instance type of us-west-2 satisfies the needs\. The nearest: .*has \d+ GPUs?, not 3/,
    )
  })

  test('that the named types do not satisfy names those that do', async () => {
    const found = await plan({ needs: needs({ minGpuMemoryGib: 40, gpuCount: 1 }) })
    expect(found.leftOut).toEqual([expect.stringContaining('g5.2xlarge: has 22.4 GiB')])
    expect(found.nearest[0]).toMatch(/^What satisfies the needs in us-west-2: g6e\.xlarge \(1 × L40S/)
  })

  test('with a price that is too low names the cheapest that fits otherwise', async () => {
    const found = await plan({ maxUsdPerHour: 0.6 })
    expect(found.nearest[0]).toBe(
      `The cheapest that fits otherwise is g5.2xlarge (on-demand) in us-west-2 at $${onDemandPrice('us-west-2', 'g5.2xlarge')} an hour: set max-price-per-hour to at least ${onDemandPrice('us-west-2', 'g5.2xlarge')}.`,
    )
    expect(found.nearest[1]).toContain('g4dn.xlarge ($0.526)')
  })

  test('with a quota of 0 names the code, the link, and where there is room', async () => {
    await start({
      quotas: { 'us-west-2': { 'L-DB2E81BA': 0, 'L-3819A6DF': 64 }, 'us-east-1': { 'L-DB2E81BA': 0, 'L-3819A6DF': 0 } },
    })
    const found = await plan()
    expect(found.offers).toEqual([])
    expect(found.leftOut[0]).toContain('L-DB2E81BA')
    expect(found.leftOut[0]).toContain(
      'https://us-west-2.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/L-DB2E81BA',
    )
    expect(found.nearest[0]).toContain('market spot in us-west-2 (64 vCPUs)')
    expect(found.nearest[0]).not.toContain('us-east-1')
  })

  test('for zones that do not offer the type names those that do', async () => {
    const found = await plan({ instanceTypes: ['p4d.24xlarge'], subnetIds: [subnet('us-west-2', 2)] })
    expect(found.nearest).toContain('us-west-2a offers p4d.24xlarge: give a subnet there in subnet-id.')
  })
})
