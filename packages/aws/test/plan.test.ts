import { describe, expect, test } from '@jest/globals'
import type { ImageFacts } from '../src/ec2/image.ts'
import { newestFirst } from '../src/ec2/image.ts'
import type { InstanceTypeFacts } from '../src/ec2/catalogue.ts'
import { offersIn, type RegionOffers } from '../src/ec2/offers.ts'
import { tablePrice } from '../src/ec2/prices/table.ts'
import type { RegionFacts } from '../src/ec2/region.ts'
import type { Ec2Wish } from '../src/ec2/wish.ts'
import { strangersTo } from '../src/ec2/network.ts'
import { tagFaults } from '../src/ec2/tags.ts'
import { needs, wish } from './ec2-fixture.ts'

const image = (id: string, name: string, more: Partial<ImageFacts> = {}): ImageFacts => ({
  id,
  name,
  architecture: 'x86_64',
  rootDevice: '/dev/sda1',
  devices: [{ device: '/dev/sda1', sizeGib: 45 }],
  createdAt: '2026-11-03T00:00:00.000Z',
  openDriver: /OSS Nvidia/.test(name),
  deprecatedAt: null,
  ...more,
})

const type = (
  name: string,
  gpu: string | null,
  memoryMib: number,
  capability: number | null,
  more: Partial<InstanceTypeFacts> = {},
): [string, InstanceTypeFacts] => [
  name,
  {
    name,
    architectures: ['x86_64'],
    gpu: gpu === null ? null : { name: gpu, count: 1, memoryMib },
    vcpus: 8,
    markets: ['on-demand', 'spot'],
    computeCapability: capability,
    gpuMaker: gpu === null ? null : 'NVIDIA',
    ...more,
  },
]

const open = image('ami-1', 'Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.9 (Ubuntu 24.04) 20261103')
interface Found {
  readonly facts: RegionFacts
  readonly wish: Ec2Wish
}

const now = Date.parse('2026-11-27T12:00:00Z')

const findings = (
  instanceTypes: readonly string[],
  more: Partial<RegionFacts> = {},
  wished: Partial<Ec2Wish> = {},
): Found => ({
  wish: wish({ instanceTypes, ...wished }),
  facts: {
    region: 'us-west-2',
    types: new Map([
      type('g5.2xlarge', 'A10G', 24_576, 8.6),
      type('g6.xlarge', 'L4', 22_888, 8.9),
      type('g4dn.xlarge', 'T4', 16_384, 7.5),
      type('g5g.xlarge', 'T4g', 16_384, 7.5, { architectures: ['arm64'] }),
      type('p3.2xlarge', 'V100', 16_384, 7),
      type('t3.micro', null, 0, null),
    ]),
    zones: new Map(instanceTypes.map(name => [name, new Set(['us-west-2a', 'us-west-2b'])])),
    network: {
      subnets: ['b', 'a', 'd'].map(zone => ({
        id: `subnet-${zone}`,
        zone: `us-west-2${zone}`,
        vpc: 'vpc-1',
        givesPublicIp: true,
      })),
      publicIpSubnets: new Set(),
      warnings: [],
    },
    images: [open],
    onDemand: new Map(instanceTypes.map(name => [name, { price: tablePrice(name, 'us-west-2'), note: null }])),
    spot: () => ({ price: null, note: null }),
    storage: { usdPerGbMonth: 0.073, source: 'test', date: '2026-11-27' },
    quotas: [],
    reservation: null,
    now,
    ...more,
  },
})

const planOffers = ({ facts, wish }: Found): RegionOffers & { readonly reasons: readonly string[] } => {
  const market = wish.market === 'spot-then-on-demand' ? 'spot' : wish.market
  const found = offersIn(facts, wish, market, '123456789012')
  return { ...found, reasons: found.leftOut.map(({ says }) => says) }
}

const names = (found: Found): string[] => planOffers(found).offers.map(offer => `${offer.instanceType} ${offer.zone}`)

describe('the plan', () => {
  test('tries the types in order, and the subnets in order for each', () => {
    expect(names(findings(['g6.xlarge', 'g5.2xlarge']))).toEqual([
      'g6.xlarge us-west-2b',
      'g6.xlarge us-west-2a',
      'g5.2xlarge us-west-2b',
      'g5.2xlarge us-west-2a',
    ])
  })

  test('says which zones do not offer a type', () => {
    expect(planOffers(findings(['g5.2xlarge'])).reasons).toEqual([
      'g5.2xlarge: us-west-2d (subnet-d) does not offer it',
    ])
  })

  test.each([
    [needs({ minGpuMemoryGib: 24 }), ['g5.2xlarge', 'g6.xlarge']],
    [needs({ minGpuMemoryGib: 16 }), ['g5.2xlarge', 'g6.xlarge', 'g4dn.xlarge']],
    [needs({ minComputeCapability: 8.9 }), ['g6.xlarge']],
    [needs({ gpuModel: 't4' }), ['g4dn.xlarge']],
    [needs({ gpuCount: 2 }), []],
  ])('takes only types that satisfy %p', (needs, expected) => {
    const plan = planOffers(findings(['g5.2xlarge', 'g6.xlarge', 'g4dn.xlarge'], {}, { needs }))
    expect([...new Set(plan.offers.map(offer => offer.instanceType))]).toEqual(expected)
    expect(plan.reasons.filter(reason => !reason.includes('does not offer')).length).toBe(3 - expected.length)
  })

  test('leaves out what costs more than the limit, and what nobody knows the price of', () => {
    const plan = planOffers(
      findings(['g5.2xlarge', 'g4dn.xlarge', 'g6.xlarge', 't3.micro'], {}, { waitFor: 'ssm', maxUsdPerHour: 0.8 }),
    )
    expect([...new Set(plan.offers.map(offer => offer.instanceType))]).toEqual(['g4dn.xlarge'])
    expect(plan.reasons.filter(reason => !reason.includes('does not offer'))).toEqual([
      expect.stringMatching(
        /^g5.2xlarge: costs \$1\.212 an hour, more than \$0\.80, the max-price-per-hour \(table .*, 2026-11-22\)$/,
      ),
      expect.stringMatching(/^g6.xlarge: costs \$0\.8048 an hour/),
      't3.micro: its price is unknown, so nobody can say whether it is within $0.80 an hour, the max-price-per-hour',
    ])
  })

  test('refuses families of the closed driver by name with an image of the open one', () => {
    expect(planOffers(findings(['p3.2xlarge'])).reasons[0]).toContain('p3.2xlarge: needs the closed NVIDIA driver')
    expect(names(findings(['p3.2xlarge'], { images: [image('ami-2', 'my own image')] }))).toHaveLength(2)
  })

  test('takes the image of the architecture, and says when there is none', () => {
    const arm = image('ami-3', 'Deep Learning ARM64 AMI OSS Nvidia Driver GPU PyTorch 2.9 (Ubuntu 24.04) 20261103', {
      architecture: 'arm64',
    })
    const plan = planOffers(findings(['g5g.xlarge', 'g5.2xlarge'], { images: [open, arm] }))
    expect([...plan.images].map(([name, { id }]) => [name, id])).toEqual([
      ['g5g.xlarge', 'ami-3'],
      ['g5.2xlarge', 'ami-1'],
    ])
    expect(planOffers(findings(['g5g.xlarge'])).reasons[0]).toContain('g5g.xlarge: is arm64')
  })

  test('takes a machine without a GPU only when nobody waits for one', () => {
    expect(names(findings(['t3.micro']))).toEqual([])
    expect(names(findings(['t3.micro'], {}, { waitFor: 'running' }))).toHaveLength(2)
  })

  test('takes a GPU of another maker only when nobody asks CUDA for it', () => {
    const types = new Map([type('g4ad.xlarge', 'Radeon Pro V520', 8192, null, { gpuMaker: 'AMD' })])
    expect(planOffers(findings(['g4ad.xlarge'], { types })).reasons[0]).toContain('has a GPU of AMD')
    expect(names(findings(['g4ad.xlarge'], { types }, { waitFor: 'ssm' }))).toHaveLength(2)
  })

  test('leaves out a type that the market does not sell', () => {
    const types = new Map([type('p6-b200.48xlarge', 'B200', 183_296, 10, { markets: ['capacity-block'] })])
    expect(planOffers(findings(['p6-b200.48xlarge'], { types })).reasons).toEqual([
      'p6-b200.48xlarge: is not sold as on-demand',
    ])
  })

  test('leaves out a type that needs more than the whole quota, with code, limit and link', () => {
    const quota = {
      region: 'us-west-2',
      market: 'on-demand',
      code: 'L-DB2E81BA',
      name: 'Running On-Demand G and VT instances',
      used: 0,
      unknown: null,
      link: 'https://example.com',
    } as const
    const [reason] = planOffers(findings(['g5.2xlarge'], { quotas: [{ ...quota, limit: 4 }] })).reasons
    expect(reason).toBe(
      'g5.2xlarge: needs 8 vCPUs, and the quota L-DB2E81BA (Running On-Demand G and VT instances) of us-west-2 is 4: ask for more at https://example.com',
    )
    expect(names(findings(['g5.2xlarge'], { quotas: [{ ...quota, limit: 8, used: 8 }] }))).toHaveLength(2)
    expect(names(findings(['g5.2xlarge'], { quotas: [{ ...quota, limit: null }] }))).toHaveLength(2)
  })

  test('names a type that the region does not have', () => {
    expect(planOffers(findings(['g9.huge'])).reasons).toEqual(['g9.huge: us-west-2 has no such instance type'])
  })
})

describe('the default image', () => {
  test('is the newest PyTorch, then the newest Ubuntu, then the newest build', () => {
    const all = [
      image('old-line', 'PyTorch 2.9 (Ubuntu 24.04) 20261110', { createdAt: '2026-11-10' }),
      image('new-line', 'PyTorch 2.10 (Ubuntu 22.04) 20261101', { createdAt: '2026-11-01' }),
      image('best', 'PyTorch 2.10 (Ubuntu 24.04) 20261102', { createdAt: '2026-11-02' }),
      image('older', 'PyTorch 2.10 (Ubuntu 24.04) 20261030', { createdAt: '2026-10-30' }),
    ]
    expect(newestFirst(all).map(({ id }) => id)).toEqual(['best', 'older', 'new-line', 'old-line'])
  })
})

describe('prices', () => {
  test('carry their source and day, and are unknown elsewhere', () => {
    expect(tablePrice('p4d.24xlarge', 'us-east-1')).toMatchObject({ usdPerHour: 21.957642, date: '2026-08-17' })
    expect(tablePrice('g5.2xlarge', 'eu-west-1')).toBeNull()
    expect(tablePrice('g9.huge', 'us-east-1')).toBeNull()
  })
})

describe('tags', () => {
  test('of the lease cannot be overwritten', () => {
    expect(tagFaults({ 'gpu-actions:lease': 'x', 'aws:y': 'z', ManagedBy: 'me', team: 'ml' })).toHaveLength(3)
  })

  test('that are more than EC2 takes beside ours are a fault', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']))
    expect(tagFaults({ ...many(40), Name: 'mine' })).toEqual([])
    expect(tagFaults(many(41))).toEqual(['tags: 41 are too many: beside the marks of the lease EC2 takes 40'])
  })
})

describe('a security group', () => {
  test('of another VPC than a subnet is a warning with that subnet', () => {
    const subnet = (id: string, vpc: string) => ({ id, vpc, zone: 'us-west-2a', givesPublicIp: true })
    const group = { GroupId: 'sg-1', VpcId: 'vpc-1' }
    expect(strangersTo(group, [subnet('subnet-1', 'vpc-1')])).toEqual([])
    expect(strangersTo(group, [subnet('subnet-1', 'vpc-1'), subnet('subnet-2', 'vpc-2')])).toEqual([
      expect.stringMatching(/sg-1 is in vpc-1.*\(subnet-2 in vpc-2\)/),
    ])
  })
})
