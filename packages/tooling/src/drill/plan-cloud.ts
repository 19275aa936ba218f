import type { Fault } from '@gpu-actions/offline-cloud'
import type { CloudPlan, Death, Moment, WorkflowPlan } from './model.ts'
import type { Random } from './random.ts'

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
    spotNoticeSeconds: random.between(0.5, 3),
    // Mostly longer than anybody waits: whoever ends the machine has to end its request, too.
    spotClosingSeconds: random.pick([2, 60, 60]),
  }
  const neverUsable = endsBeforeUsable(card, workflow)
  // Where the runner is lost this is the sweep's case.
  const guestBroken = neverUsable && random.chance(card.death === 'runner-lost' ? 0.3 : 0.1)
  const faults = [
    ...ownFaults(card),
    ...(guestBroken ? [{ kind: 'slow-boot', count: null, seconds: neverSeconds } as const] : []),
    ...chanceFaults(random, card, workflow, neverUsable && !guestBroken),
  ]
  return { timings, faults, reservations: reservationsFor(workflow), guestBroken }
}

/** A machine that nobody can use makes provision wait for minutes, unless something ends the waiting. */
const endsBeforeUsable = ({ death, moment }: Card, { waitFor, layout }: WorkflowPlan): boolean =>
  waitFor === 'running' ||
  (layout !== 'two-leases' &&
    layout !== 'matrix' &&
    ['kill', 'cancel', 'runner-lost'].includes(death) &&
    ['in-flight', 'launched', 'starting'].includes(moment))

const interruption = (random: Random): Fault => ({ kind: 'spot-interruption', seconds: random.between(0.2, 5) })

/** Two types in three zones; on spot and on demand where both are tried. */
const offersInRegion = (market: WorkflowPlan['market']): number => (market === 'spot-then-on-demand' ? 12 : 6)

function ownFaults({ death }: Card): readonly Fault[] {
  if (death === 'lost-reply') return [{ kind: 'lost-reply', operation: 'RunInstances' }]
  if (death === 'results-down') return [{ kind: 'results-down', count: null }]
  return []
}

/** The block that a drill's machines go into: room for two. */
export const blockId = 'cr-0d2111d2111d21110'
export const blockType = 'p4d.24xlarge'

const reservationsFor = ({ market, regions: [region] }: WorkflowPlan): CloudPlan['reservations'] =>
  market === 'capacity-block' && region !== undefined
    ? [
        {
          id: blockId,
          region,
          zone: `${region}a`,
          type: blockType,
          count: 2,
          kind: 'capacity-block',
          endsInSeconds: 30 * 86_400,
        },
      ]
    : []

function chanceFaults(
  random: Random,
  { death }: Card,
  { market, regions }: WorkflowPlan,
  neverUsable: boolean,
): readonly Fault[] {
  const isSpot = market === 'spot' || market === 'spot-then-on-demand'
  const [region] = regions
  // A launch whose reply is to be lost must be the first one that succeeds.
  const possible: readonly (() => Fault)[] = [
    () =>
      regions.length > 1 && region !== undefined && market !== 'capacity-block' && random.chance(0.7)
        ? { kind: 'capacity', operation: 'RunInstances', region, count: offersInRegion(market) }
        : { kind: 'capacity', operation: 'RunInstances', count: random.integer(1, 2) },
    ...(isSpot ? [() => interruption(random), () => interruption(random)] : []),
    () => ({ kind: 'reboot', seconds: random.between(0.2, 2) }),
    () => ({ kind: 'slow-shutdown', seconds: random.between(6, 20) }),
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
