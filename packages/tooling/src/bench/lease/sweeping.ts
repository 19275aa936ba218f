import { readFileSync } from 'node:fs'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { startJob } from '../../bundle-step.ts'

export interface Swept {
  /** Describe calls until the last look before an end. */
  readonly looks: number
  readonly terminateCalls: number
  readonly seconds: number
  /** Of the expired ones. */
  readonly ended: number
  /** Neither what is alive nor what is foreign was touched. */
  readonly untouched: boolean
  readonly peakMb: number
}

const repository = 'org/consumer'
const expired = 200
const alive = 100
/** Foreign machines with marks that look like ours. */
const lookAlikes = 600

/** A region of `count` instances, most of which are somebody else's. */
async function crowd(count: number): Promise<OfflineCloud> {
  const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString()
  const ours = (lease: string, expiresAt: string) => ({
    'gpu-actions:lease': lease,
    'gpu-actions:repository': repository,
    'gpu-actions:run': '{n}',
    'gpu-actions:job': 'bench',
    'gpu-actions:expires-at': expiresAt,
    'gpu-actions:price': '1.212',
    ManagedBy: 'github-actions',
  })
  const machines = { region: 'us-west-2', type: 'g5.2xlarge', launchedSecondsAgo: 7_200 }
  const lease = ours('1{n}-1-0a1b2c3d', at(-60))
  const { 'gpu-actions:repository': _, ...withoutRepository } = lease
  return startOfflineCloud({
    scenario: {
      instances: [
        { ...machines, count: expired, tags: lease },
        { ...machines, count: alive, tags: ours('2{n}-1-0a1b2c3d', at(45)) },
        { ...machines, count: lookAlikes / 3, tags: { ...lease, 'gpu-actions:repository': `${repository}-fork` } },
        { ...machines, count: lookAlikes / 3, tags: { ...lease, 'gpu-actions:repository': repository.toUpperCase() } },
        { ...machines, count: lookAlikes / 3, tags: withoutRepository },
        { ...machines, count: count - expired - alive - lookAlikes, tags: { Name: 'web {n}', team: 'somebody' } },
      ],
    },
  })
}

/** Sweeps with the real bundle, against the account's own request limits. */
export async function measureSweep(count: number): Promise<Swept> {
  const cloud = await crowd(count)
  try {
    const job = await startJob(cloud.env)
    const begun = Date.now()
    let peakMb = 0
    const step = await job.main('sweep-orphans', {
      inputs: { 'aws-region': 'us-west-2', 'dry-run': 'false', timeout: '10m' },
      onSpawn: (_, pid) => {
        const timer = setInterval(() => (peakMb = Math.max(peakMb, residentMb(pid))), 20)
        timer.unref()
      },
    })
    const seconds = (Date.now() - begun) / 1000
    if (step.exitCode !== 0) throw new Error(`the sweep failed: ${step.stdout.slice(-4_000)}`)
    const { instances, callLog } = cloud.state()
    const isOrphan = ({ tags }: (typeof instances)[number]): boolean =>
      tags['gpu-actions:repository'] === repository && /^1\d+-1-0a1b2c3d$/.test(tags['gpu-actions:lease'] ?? '')
    const [orphans, others] = [instances.filter(isOrphan), instances.filter(one => !isOrphan(one))]
    const firstEnd = callLog.findIndex(({ operation }) => operation === 'TerminateInstances')
    return {
      looks: callLog.slice(0, firstEnd).filter(({ operation }) => operation.startsWith('Describe')).length,
      terminateCalls: callLog.filter(({ operation }) => operation === 'TerminateInstances').length,
      seconds,
      ended: orphans.filter(({ state }) => state === 'terminated').length,
      untouched: others.every(({ state }) => state === 'running') && orphans.length === expired,
      peakMb,
    }
  } finally {
    await cloud.stop()
  }
}

/** What a process holds in memory now; 0 where there is no /proc. */
function residentMb(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
