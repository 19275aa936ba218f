import type { Attempt, Machine, Offer } from './records.ts'

/** One machine, as a teardown has seen it. Times in milliseconds since the epoch, on the provider's clock. */
export interface Sight {
  readonly machine: Machine
  /** Some read of this teardown has shown it. */
  readonly seen: boolean
  /**
   * From which look to which, on the runner's clock, and in how many in a row, it has not been shown; null while it is.
   * `ageMs`: how old it was at the first of them.
   */
  readonly unseen: {
    readonly since: number
    readonly until: number
    readonly looks: number
    readonly ageMs: number | null
  } | null
  /** The order to end it was accepted. */
  readonly terminatedAt: number | null
  /** First sight of its end. */
  readonly endingAt: number | null
  readonly goneAt: number | null
}

export const recorded = (machine: Machine): Sight => ({
  machine,
  seen: false,
  unseen: null,
  terminatedAt: null,
  endingAt: null,
  goneAt: null,
})

const union = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])]

/** Joins a fresh look with what was known: volumes and interfaces are listed only while the machine lives. */
export function shown(before: Sight | undefined, machine: Machine, offer: Offer | undefined, now: number): Sight {
  const known = before?.machine ?? machine
  const ended = machine.state === 'ending' || machine.state === 'gone'
  return {
    ...(before ?? recorded(machine)),
    seen: true,
    unseen: null,
    endingAt: before?.endingAt ?? (ended ? now : null),
    machine: {
      ...machine,
      // A stale look may show an earlier state: what has begun to end never lives again.
      state: known.state === 'gone' || (known.state === 'ending' && !ended) ? known.state : machine.state,
      stateReason: machine.stateReason ?? known.stateReason,
      // What launched it knows where its price came from; a mark knows the number only.
      price: offer?.price ?? known.price ?? machine.price ?? null,
      extras: machine.extras ?? known.extras ?? offer?.extras ?? null,
      market: machine.market ?? known.market ?? offer?.market ?? null,
      launchedAt: machine.launchedAt ?? known.launchedAt,
      endedAt: machine.endedAt ?? known.endedAt,
      token: machine.token ?? known.token,
      volumes: union(known.volumes, machine.volumes),
      interfaces: union(known.interfaces, machine.interfaces),
      requests: union(known.requests, machine.requests),
    },
  }
}

/**
 * The launch may be dated by either clock, and a young machine must not be taken for an old one: the earlier clock counts.
 * @param now on the runner's clock, @param providerNow on the provider's
 */
export function notShown(before: Sight, now: number, providerNow: number): Sight {
  const { launchedAt } = before.machine
  const ageMs = launchedAt === null ? null : Math.min(now, providerNow) - Date.parse(launchedAt)
  const { looks, ...first } = before.unseen ?? { since: now, looks: 0, ageMs }
  return { ...before, unseen: { ...first, until: now, looks: looks + 1 } }
}

/** Everything by which what belongs to a machine is known. */
export const partsOf = ({ machine }: Sight): readonly string[] => [
  machine.id,
  ...machine.volumes,
  ...machine.interfaces,
  ...machine.requests,
]

/** A machine of this age is shown by every read, in milliseconds. */
const shownForSureMs = 5 * 60_000

/**
 * Seen gone by a read; or not shown any more. One look that does not show it proves nothing: reads lag behind. Two in a
 * row do for a machine whose end was ordered or seen, and for one so old that every read would show it; any other must
 * have stayed away for as long as it takes a new machine to be shown.
 */
export function isGone(sight: Sight, settlingMs: number): boolean {
  const { machine, seen, unseen } = sight
  if (unseen === null) return machine.state === 'gone' && seen
  if (unseen.looks < 2) return false
  const isEnded = sight.terminatedAt !== null || sight.endingAt !== null
  const isOld = !seen && unseen.ageMs !== null && unseen.ageMs >= shownForSureMs
  // What counts is what looks have shown, not how much time has passed without any.
  return isEnded || isOld || unseen.until - unseen.since >= settlingMs
}

/** A launch that was answered names its machines; that answer is proof enough that they are ours. */
export const launchedMachines = (
  attempts: readonly Attempt[],
  owner: { readonly repository: string; readonly leaseId: string | null },
): readonly Machine[] =>
  attempts.flatMap(({ outcome, offer, token, endedAt, at }) =>
    outcome?.kind !== 'launched'
      ? []
      : outcome.machines.map((id): Machine => ({
          id,
          place: offer.place,
          instanceType: offer.instanceType,
          zone: offer.zone,
          state: 'starting',
          stateReason: null,
          launchedAt: endedAt ?? at,
          endedAt: null,
          token,
          ...owner,
          privateIp: null,
          publicIp: null,
          runId: null,
          job: null,
          expiresAt: null,
          market: offer.market,
          volumes: [],
          interfaces: [],
          requests: [],
          extras: offer.extras,
          price: offer.price,
        })),
  )
