import { systemClock, type Clock, type Log } from '@gpu-actions/action-kit'
import { awsWorld, ssmHost } from '@gpu-actions/aws'
import type { Host } from '@gpu-actions/host'
import { startOfflineCloud, type CloudState, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { startJob } from '../../bundle-step.ts'
import { awsCalls } from './reactions.ts'

/** A clock whose time, sleep and all, runs so many times faster. */
export function fastClock(times: number): Clock {
  const began = Date.now()
  return {
    now: () => began + (Date.now() - began) * times,
    random: () => systemClock.random(),
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  }
}

const silent: Log = {
  debug: () => {},
  info: () => {},
  notice: () => {},
  warning: () => {},
  error: () => {},
  untrusted: () => {},
  group: (_, work) => work(),
}

/** How much faster than life the long job runs. Much faster, and replies would seem to take seconds. */
const speed = 8
const minutes = 20

export interface LongLease {
  /** Calls of the whole lease, and of its parts. */
  readonly calls: number
  readonly provision: number
  readonly follow: number
  readonly teardown: number
  /** The most frequent ones. */
  readonly mostly: string
  /** Of following alone, in the simulated minutes after the first two, in which looks are closer. */
  readonly perMinute: number
}

/** A lease whose job lasts 20 minutes: rented and ended by the bundles, followed by the same code with a faster clock. */
export async function countLongLease(): Promise<LongLease> {
  const cloud = await startOfflineCloud({
    scenario: { timings: { pendingSeconds: 8, registrationSeconds: 30, shutdownSeconds: 8, deliverySeconds: 0.01 } },
  })
  try {
    const job = await startJob(cloud.env)
    const inputs = { 'instance-profile-name': 'gpu-bench-instance', 'wait-for': 'ssm', 'aws-region': 'us-west-2' }
    const step = await job.main('provision', { inputs })
    const host = hostOf(cloud, step.outputs['instance-id'] ?? '', fastClock(speed))
    const count = (): number => awsCalls(cloud.state().calls)
    const provision = count()
    let young = 0
    const timer = setTimeout(() => (young = count()), (2 * 60_000) / speed)
    await follow(host, (minutes * 60) / speed)
    clearTimeout(timer)
    const followed = count()
    await job.main('teardown', { inputs: { 'aws-region': 'us-west-2' } })
    return {
      calls: count(),
      provision,
      follow: followed - provision,
      teardown: count() - followed,
      mostly: servicesOf(cloud.state().calls),
      perMinute: (followed - young) / (minutes - 2),
    }
  } finally {
    await cloud.stop()
  }
}

function hostOf(cloud: OfflineCloud, instanceId: string, clock: Clock): Host {
  Object.assign(process.env, cloud.env)
  const clients = awsWorld({ environment: cloud.env, sessionName: 'bench', clock }).clientsFor('us-west-2')
  return ssmHost({ clients, instanceId, clock, log: silent })
}

async function follow(host: Host, seconds: number): Promise<void> {
  const job = await host.start({
    name: 'bench',
    command: ['sleep', String(seconds)],
    timeoutMs: 24 * 3_600_000,
  })
  const end = await job.follow(() => {})
  if (end.how !== 'exited' || end.exitCode !== 0) throw new Error(`the long job ended as ${JSON.stringify(end)}`)
}

/**
 * Jobs of several lengths on one machine, at the speed of life.
 * @returns for each how long its end went unnoticed, in milliseconds
 */
export async function measureJobEnds(lengths: readonly number[]): Promise<readonly number[]> {
  const cloud = await startOfflineCloud()
  try {
    const job = await startJob(cloud.env)
    const inputs = { 'instance-profile-name': 'gpu-bench-instance', 'wait-for': 'ssm', 'aws-region': 'us-west-2' }
    const step = await job.main('provision', { inputs })
    const host = hostOf(cloud, step.outputs['instance-id'] ?? '', systemClock)
    return await Promise.all(
      lengths.map(async seconds => {
        // Its own last words tell when it ended; machine and bench share a clock here.
        let told = ''
        const running = await host.start({
          name: `bench-${seconds}`,
          command: ['sh', '-c', `sleep ${seconds}; date +%s%N`],
          timeoutMs: 3_600_000,
        })
        await running.follow(text => (told += text))
        return Date.now() - Number(told.trim()) / 1e6
      }),
    )
  } finally {
    await cloud.stop()
  }
}

export const servicesOf = (calls: CloudState['calls']): string =>
  Object.entries(calls)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
