import type { Fault } from '@gpu-actions/offline-cloud'
import type { Scenario } from '@gpu-actions/offline-cloud'
import type { Death, Moment, WorkflowPlan } from './plan.ts'
import type { Random } from './random.ts'

/** How the cloud behaves in a drill. */
export interface CloudPlan {
  readonly timings: NonNullable<Scenario['timings']>
  readonly faults: readonly Fault[]
  /** The machines never boot, though EC2 says running: the guest's time limit is never armed. */
  readonly guestBroken: boolean
}

interface Card {
  readonly death: Death
  readonly moment: Moment
}

/** Seconds of the cloud's time by which a boot can be late for ever. */
export const neverSeconds = 10_000_000

/** Small numbers with now and then a large one: most clouds are quick, and each drill waits for its own. */
export function planCloud(random: Random, card: Card, workflow: WorkflowPlan): CloudPlan {
  const timings = {
    pendingSeconds: random.between(0.1, 1),
    registrationSeconds: random.between(0.1, 1),
    shutdownSeconds: random.chance(0.1) ? random.between(4, 8) : random.between(0.1, 1.2),
    releaseSeconds: random.between(0.1, 0.8),
    consistencySeconds: random.chance(0.2) ? random.between(1.5, 5) : random.between(0, 0.6),
    deliverySeconds: 0.05,
  }
  const neverUsable = endsBeforeUsable(card, workflow)
  const guestBroken = neverUsable && random.chance(0.15)
  const faults = [
    ...ownFaults(card),
    ...(guestBroken ? [{ kind: 'slow-boot', count: null, seconds: neverSeconds } as const] : []),
    ...chanceFaults(random, card, neverUsable && !guestBroken),
  ]
  return { timings, faults, guestBroken }
}

/** A machine that nobody can use makes provision wait for minutes, unless something ends the waiting. */
const endsBeforeUsable = ({ death, moment }: Card, { waitFor, layout }: WorkflowPlan): boolean =>
  waitFor === 'running' ||
  (layout !== 'two-leases' &&
    layout !== 'matrix' &&
    ['kill', 'cancel', 'runner-lost'].includes(death) &&
    ['in-flight', 'launched', 'starting'].includes(moment))

function ownFaults({ death }: Card): readonly Fault[] {
  if (death === 'lost-reply') return [{ kind: 'lost-reply', operation: 'RunInstances' }]
  if (death === 'results-down') return [{ kind: 'results-down', count: null }]
  return []
}

function chanceFaults(random: Random, { death }: Card, neverUsable: boolean): readonly Fault[] {
  // A launch whose reply is to be lost must be the first one that succeeds.
  const possible: readonly (() => Fault)[] = [
    () => ({ kind: 'capacity', operation: 'RunInstances', count: random.integer(1, 2) }),
    () => ({
      kind: 'server-error',
      operation: random.pick(['DescribeInstances', 'TerminateInstances', 'DescribeVolumes', 'DescribeSubnets']),
      count: random.integer(1, 3),
    }),
    () => ({ kind: 'slow-boot', seconds: random.between(1, 5) }),
    ...(neverUsable ? [() => ({ kind: 'never-registers', count: null }) as const] : []),
    ...(death === 'lost-reply'
      ? []
      : [
          () =>
            ({
              kind: 'boot-terminated',
              stateReason: random.pick(['Server.InternalError', 'Server.InsufficientInstanceCapacity']),
            }) as const,
          () => ({ kind: 'server-error', operation: 'RunInstances', count: random.integer(1, 2) }) as const,
        ]),
    () => ({ kind: 'throttled', operation: random.pick(['ec2:*', 'RunInstances']), count: random.integer(1, 4) }),
    () => ({ kind: 'lost-reply', operation: random.pick(['TerminateInstances', 'DescribeInstances']) }),
  ]
  const wanted = random.pick([0, 0, 1, 1, 2])
  return random
    .shuffle(possible)
    .slice(0, wanted)
    .map(make => make())
}
