import type { Clock } from '@gpu-actions/action-kit/ports'
import type { Intent, Offer } from '@gpu-actions/lease'
import { startOfflineCloud, type OfflineCloud, type Scenario } from '@gpu-actions/offline-cloud'
import { awsWorld, ec2Access, ec2Provider, type AwsWorld, type Ec2Provider, type Ec2Wish } from '../src/index.ts'
import { hastyClock } from './ssm-fixture.ts'

export const account = '123456789012'

/** A wish that works as it is. */
export const wish = (more: Partial<Ec2Wish> = {}): Ec2Wish => ({
  regions: ['us-west-2'],
  instanceTypes: ['g5.2xlarge'],
  needs: { gpuCount: undefined, gpuModel: undefined, minGpuMemoryGib: undefined, minComputeCapability: undefined },
  market: 'on-demand',
  reservationId: undefined,
  strategy: 'ordered',
  ttlMs: 45 * 60_000,
  budgetUsd: undefined,
  maxUsdPerHour: undefined,
  image: { by: 'default' },
  subnetIds: [],
  securityGroupId: undefined,
  instanceProfileName: 'gpu-bench-instance',
  volumeSizeGib: undefined,
  volumeType: undefined,
  userData: undefined,
  tags: {},
  waitFor: 'gpu',
  ...more,
})

export const needs = (more: Partial<Ec2Wish['needs']>): Ec2Wish['needs'] => ({ ...wish().needs, ...more })

/** An offline cloud, and EC2 in it as a provider. */
export interface Ec2Rig {
  readonly cloud: OfflineCloud
  readonly world: AwsWorld
  readonly provider: Ec2Provider
  /** How often an operation was called, such as `ec2:RunInstances`. */
  calls(operation: string): number
  advance(seconds: number): Promise<void>
  intent(offer: Offer, more?: Partial<Intent>): Intent
  stop(): Promise<void>
}

export async function startEc2Rig(scenario: Scenario = {}, clock: Clock = hastyClock): Promise<Ec2Rig> {
  const cloud = await startOfflineCloud({ python: null, scenario })
  const before = { ...process.env }
  for (const [name, value] of Object.entries(cloud.env)) if (name.startsWith('AWS_')) process.env[name] = value
  const world = awsWorld({ environment: cloud.env, sessionName: 'org/consumer-1', clock })
  const provider = ec2Provider(ec2Access(region => world.clientsFor(region), 'us-west-2'))
  let number = 0
  return {
    cloud,
    world,
    provider,
    calls: operation => cloud.state().calls[operation] ?? 0,
    advance: async advanceSeconds => {
      await fetch(`${cloud.url}/_offline/clock`, { method: 'POST', body: JSON.stringify({ advanceSeconds }) })
    },
    intent: (offer, more = {}) => ({
      leaseId: '7-1-0badcafe',
      owner: { repository: 'org/consumer', runId: '7', attempt: 1, job: 'bench' },
      number: ++number,
      token: `token-${number}-${offer.zone}`,
      offer,
      expiresAt: Date.parse('2036-11-27T12:00:00.000Z'),
      ...more,
    }),
    stop: async () => {
      process.env = before
      await cloud.stop()
    },
  }
}
