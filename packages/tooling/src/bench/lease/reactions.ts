import { startOfflineCloud, type CloudState } from '@gpu-actions/offline-cloud'
import { startJob, type Job } from '../../bundle-step.ts'
import { watchMachine } from './watch.ts'

/** What one lease took, from the first spawn to the last exit. All in milliseconds. */
export interface Reaction {
  /** From the spawn of provision to the launch call. */
  readonly launch: number
  readonly running: number
  readonly online: number
  /** From the moment that everything is gone to the end of teardown. */
  readonly gone: number
  /** What is ours in the whole chain: everything but the cloud's own delays. */
  readonly overhead: number
  readonly calls: Readonly<Record<string, number>>
}

const between = (low: number, high: number): number => low + Math.random() * (high - low)

const inputs = { 'instance-profile-name': 'gpu-bench-instance', 'wait-for': 'ssm', 'aws-region': 'us-west-2' }

/** Rents a machine of a cloud with delays of its own and ends it, and compares what happened with what was noticed. */
export async function measureLease(): Promise<Reaction> {
  const cloud = await startOfflineCloud({
    scenario: {
      timings: {
        pendingSeconds: between(2, 9),
        registrationSeconds: between(3, 12),
        shutdownSeconds: between(2, 9),
        releaseSeconds: between(0.2, 2),
      },
    },
  })
  const stop = new AbortController()
  try {
    const job = await startJob(cloud.env)
    const watching = watchMachine(cloud, stop.signal)
    const provision = await timed(job, 'provision', inputs, /is running in|can be reached through/)
    const teardown = await timed(job, 'teardown', { 'aws-region': 'us-west-2' }, /Ordered to end/)
    stop.abort()
    const changes = await watching
    const { launchedAt, runningAt, onlineAt, endingAt, releasedAt } = changes
    const [runningTold, onlineTold] = provision.told
    if (
      launchedAt === null ||
      runningAt === null ||
      onlineAt === null ||
      endingAt === null ||
      releasedAt === null ||
      runningTold === undefined ||
      onlineTold === undefined
    ) {
      throw new Error(`a lease that did not come or go as it should: ${JSON.stringify(changes)}`)
    }
    const launch = launchedAt - provision.spawnedAt
    const atReady = provision.endedAt - onlineAt
    const atEnd = endingAt - teardown.spawnedAt + (teardown.endedAt - releasedAt)
    return {
      launch,
      running: runningTold - runningAt,
      online: onlineTold - onlineAt,
      gone: teardown.endedAt - releasedAt,
      overhead: launch + atReady + atEnd,
      calls: cloud.state().calls,
    }
  } finally {
    stop.abort()
    await cloud.stop()
  }
}

async function timed(job: Job, action: string, given: Readonly<Record<string, string>>, marks: RegExp) {
  const told: number[] = []
  const spawnedAt = Date.now()
  const ended = await job.main(action, {
    inputs: given,
    onLine: line => {
      if (marks.test(line)) told.push(Date.now())
    },
  })
  const endedAt = Date.now()
  if (ended.exitCode !== 0) throw new Error(`${action} failed: ${ended.stdout}${ended.stderr}`)
  return { spawnedAt, endedAt, told }
}

/** Calls to AWS, whatever their service. */
export const awsCalls = (calls: CloudState['calls']): number =>
  Object.entries(calls)
    .filter(([name]) => !name.startsWith('github:') && !name.startsWith('cluster:'))
    .reduce((sum, [, count]) => sum + count, 0)
