import { startOfflineCloud } from '@gpu-actions/offline-cloud'
import { startJob } from '../../bundle-step.ts'

export interface Queued {
  /** From the moment that the offer came free to the launch, in milliseconds. */
  readonly waitedMs: number
  readonly launchCalls: number
}

const zones = (region: string): readonly string[] => ['a', 'b', 'c'].map(letter => `${region}${letter}`)

/** Six offers: five never have anything, the last one comes free after `seconds`. */
export async function measureQueue(seconds: number): Promise<Queued> {
  const type = 'g5.2xlarge'
  const all = [...zones('us-west-2'), ...zones('us-east-1')]
  const schedule = [
    { atSeconds: 0, count: 0 },
    { atSeconds: seconds, count: 1 },
  ]
  const begun = Date.now()
  const cloud = await startOfflineCloud({
    scenario: {
      capacity: Object.fromEntries(all.map((zone, index) => [zone, { [type]: index < 5 ? 0 : schedule }])),
    },
  })
  try {
    const job = await startJob(cloud.env)
    const step = await job.main('provision', {
      inputs: {
        'instance-type': type,
        'aws-region': 'us-west-2, us-east-1',
        'instance-profile-name': 'gpu-bench-instance',
        'wait-for': 'running',
        'max-wait': '5m',
      },
    })
    const [machine] = cloud.state().instances
    if (step.exitCode !== 0 || machine === undefined) throw new Error(`nothing was launched: ${step.stdout}`)
    // The call log keeps the cloud's own time; launchTime is in whole seconds.
    const launched = cloud.state().callLog.findLast(call => call.operation === 'RunInstances' && call.outcome === 'ok')
    return {
      waitedMs: Date.parse(launched?.at ?? '') - (begun + seconds * 1000),
      launchCalls: cloud.state().calls['ec2:RunInstances'] ?? 0,
    }
  } finally {
    await cloud.stop()
  }
}
