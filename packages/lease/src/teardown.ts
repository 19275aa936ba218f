import { messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { EndingProvider, Search } from './provider.ts'
import { makeReceipt, type Sight } from './receipt.ts'
import type { Attempt, Left, Machine, Place, Receipt } from './records.ts'

export interface TeardownTimes {
  /** A launch of unknown outcome must have stayed invisible for this long before it counts as never carried out. */
  readonly settlingMs: number
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

/** EC2 shows a new machine within seconds; leaks have been seen below one second, so this is generous. */
export const teardownTimes: TeardownTimes = { settlingMs: 30_000, firstPauseMs: 800, maxPauseMs: 2_500 }

export interface Teardown {
  readonly provider: EndingProvider
  readonly clock: Clock
  readonly log: Log
  readonly search: Search
  readonly places: readonly Place[]
  /** Machines that a record names; the provider may not show them any more. */
  readonly known: readonly Machine[]
  /** Attempts of the lease; those of unknown outcome are waited for. */
  readonly attempts: readonly Attempt[]
  /** Milliseconds since the epoch. */
  readonly deadline: number
  /** false: one look after the order to end is enough, whatever it shows. */
  readonly waitUntilGone?: boolean
  /** Seconds from launch until it was usable, by machine id. */
  readonly waste?: ReadonlyMap<string, number>
  readonly times?: TeardownTimes
  /** A failure that no repetition can overcome, such as missing permissions or another account. */
  isFinal(error: unknown): boolean
}

/** What the loop knows so far. */
interface Progress {
  readonly sights: Map<string, Sight>
  /** Everything found and still able to cost, after the last look; undefined before the first. */
  left: readonly Left[] | undefined
  /** The search has answered at least once. */
  searched: boolean
  problems: string[]
  lastError: unknown
}

const unresolved = (attempt: Attempt): boolean =>
  attempt.outcome === null ||
  attempt.outcome.kind === 'unknown' ||
  // A refusal after a call whose reply was lost does not speak for the first call.
  (attempt.outcome.kind === 'refused' && attempt.calls > 1)

/**
 * Ends everything that the search finds and the records name, looks until it is gone, and says what was seen.
 * Nothing is "gone" because it was ordered to end, or because it was not seen once.
 */
export async function endMachines(setting: Teardown): Promise<Receipt> {
  const { clock, log } = setting
  const times = setting.times ?? teardownTimes
  const startedAt = clock.now()
  const known = [...launchedMachines(setting), ...setting.known]
  const progress: Progress = {
    sights: new Map(known.map(machine => [machine.id, recorded(setting, machine)])),
    left: undefined,
    searched: false,
    problems: [],
    lastError: undefined,
  }
  const settledAt = settlingTime(setting, times, startedAt)
  for (let pause = times.firstPauseMs; ; pause = Math.min(pause * 1.5, times.maxPauseMs)) {
    const stop = await round(setting, progress)
    const open = openLaunches(setting, progress)
    const settled = open.length === 0 || (progress.searched && clock.now() >= settledAt)
    if (settled && progress.searched && progress.left?.length === 0 && allGone(progress, times, clock)) break
    const ordered = setting.waitUntilGone === false && progress.searched && settled
    const remainingMs = setting.deadline - clock.now()
    if (stop !== undefined || ordered || remainingMs <= 0) {
      if (!progress.searched && known.length === 0 && setting.attempts.length === 0) throw stop ?? progress.lastError
      break
    }
    await clock.sleep(Math.min(pause * (0.75 + clock.random() / 2), remainingMs))
  }
  const looked = progress.searched && clock.now() >= settledAt
  const open = looked ? [] : openLaunches(setting, progress)
  for (const problem of progress.problems) log.warning(problem)
  return makeReceipt({
    provider: setting.provider,
    leaseId: setting.search.by === 'lease' ? setting.search.leaseId : null,
    repository: setting.search.repository,
    places: setting.places,
    tokens: setting.attempts.map(attempt => attempt.token),
    startedAt,
    finishedAt: clock.now(),
    sights: [...progress.sights.values()],
    left: [
      ...(progress.left ?? []),
      ...open.map(attempt => setting.provider.describeLaunch(attempt.token, attempt.offer.place)),
    ],
    problems: progress.problems,
    isGone: sight => isGone(sight, times, clock),
  })
}

/** A launch that was answered names its machines; that answer is proof enough that they are ours. */
const launchedMachines = (setting: Teardown): readonly Machine[] =>
  setting.attempts.flatMap(({ outcome, offer, token, endedAt, at }) =>
    outcome?.kind !== 'launched'
      ? []
      : outcome.machines.map(id => ({
          id,
          place: offer.place,
          instanceType: offer.instanceType,
          zone: offer.zone,
          state: 'starting' as const,
          stateReason: null,
          launchedAt: endedAt ?? at,
          endedAt: null,
          token,
          leaseId: setting.search.by === 'lease' ? setting.search.leaseId : null,
          repository: setting.search.repository,
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

const recorded = (setting: Teardown, machine: Machine): Sight => ({
  machine,
  seen: false,
  unseenNow: false,
  firstSeenAt: null,
  terminatedAt: null,
  endingAt: null,
  goneAt: null,
  wasteSeconds: setting.waste?.get(machine.id) ?? null,
})

/** When a launch that nobody can see any more is taken as never carried out. */
function settlingTime(setting: Teardown, times: TeardownTimes, startedAt: number): number {
  const open = setting.attempts.filter(unresolved)
  if (open.length === 0) return 0
  // The runner may have died long after the intent: the call can be as young as this moment.
  return startedAt + times.settlingMs
}

/** Launches of unknown outcome for which no machine has been found. */
function openLaunches(setting: Teardown, progress: Progress): readonly Attempt[] {
  const tokens = new Set([...progress.sights.values()].map(sight => sight.machine.token))
  return setting.attempts.filter(attempt => unresolved(attempt) && !tokens.has(attempt.token))
}

/**
 * One search, one order to end, one look; each is tried even when another fails.
 * @returns the error that makes another round pointless
 */
async function round(setting: Teardown, progress: Progress): Promise<unknown> {
  const { provider, clock } = setting
  const steps: (() => Promise<void>)[] = [
    async () => {
      // Once everything that was launched has been found, only its end is looked at.
      if (progress.searched && openLaunches(setting, progress).length === 0) return
      const found = await provider.find(setting.search, setting.places)
      progress.searched = true
      for (const machine of found) see(setting, progress, machine)
    },
    () => order(setting, progress),
    async () => {
      const machines = [...progress.sights.values()].map(sight => sight.machine)
      const remains = await provider.remains(machines)
      const shown = new Set(remains.machines.map(machine => machine.id))
      for (const sight of progress.sights.values()) sight.unseenNow = !shown.has(sight.machine.id)
      for (const machine of remains.machines) see(setting, progress, machine)
      progress.left = remains.left
      const things = new Set(remains.left.map(left => left.id))
      for (const sight of progress.sights.values()) {
        const own = [sight.machine.id, ...sight.machine.volumes, ...sight.machine.interfaces]
        const gone = isGone(sight, setting.times ?? teardownTimes, clock) && !own.some(id => things.has(id))
        if (gone) sight.goneAt ??= clock.now()
      }
    },
  ]
  let final: unknown
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      const problem = messageOf(error)
      if (!progress.problems.includes(problem)) progress.problems.push(problem)
      progress.lastError = error
      if (setting.isFinal(error)) final ??= error
    }
  }
  return final
}

/** Orders every machine to end that has not begun to. A refusal is a problem of that machine alone. */
async function order(setting: Teardown, progress: Progress): Promise<void> {
  const alive = [...progress.sights.values()].filter(
    sight => sight.machine.state !== 'ending' && sight.machine.state !== 'gone',
  )
  if (alive.length === 0) return
  const refusals = await setting.provider.terminate(alive.map(sight => sight.machine))
  const refused = new Map(refusals.map(refusal => [refusal.id, refusal]))
  const now = setting.clock.now()
  for (const sight of alive) {
    const refusal = refused.get(sight.machine.id)
    if (refusal === undefined) sight.terminatedAt ??= now
    else if (refusal.fault !== 'not-found' && !progress.problems.includes(refusal.message)) {
      progress.problems.push(refusal.message)
    }
  }
  const ids = alive.filter(sight => !refused.has(sight.machine.id)).map(sight => sight.machine.id)
  if (ids.length > 0) setting.log.info(`Ordered to end: ${ids.join(', ')}`)
}

const union = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])]

/** What the attempt that launched it expected to pay. */
const priceOf = (setting: Teardown, machine: Machine) =>
  setting.attempts.find(attempt => attempt.token === machine.token)?.offer.price ?? null

/** Joins a fresh look with what was known: volumes and interfaces are listed only while the machine lives. */
function see(setting: Teardown, progress: Progress, machine: Machine): void {
  const before = progress.sights.get(machine.id) ?? recorded(setting, machine)
  const known = before.machine
  const now = setting.clock.now()
  const ended = machine.state === 'ending' || machine.state === 'gone'
  progress.sights.set(machine.id, {
    ...before,
    seen: true,
    unseenNow: false,
    firstSeenAt: before.firstSeenAt ?? now,
    endingAt: before.endingAt ?? (ended ? now : null),
    machine: {
      ...machine,
      // A stale look may show an earlier state: what has begun to end never lives again.
      state: known.state === 'gone' || (known.state === 'ending' && !ended) ? known.state : machine.state,
      price: machine.price ?? known.price ?? priceOf(setting, machine),
      launchedAt: machine.launchedAt ?? known.launchedAt,
      endedAt: machine.endedAt ?? known.endedAt,
      token: machine.token ?? known.token,
      volumes: union(known.volumes, machine.volumes),
      interfaces: union(known.interfaces, machine.interfaces),
    },
  })
}

/**
 * Seen gone by a read; or not shown any more although it had been seen, or although it is old enough to be shown.
 */
function isGone(sight: Sight, times: TeardownTimes, clock: Clock): boolean {
  if (sight.machine.state === 'gone' && sight.seen) return true
  if (!sight.unseenNow) return false
  const since = sight.machine.launchedAt === null ? sight.firstSeenAt : Date.parse(sight.machine.launchedAt)
  return since !== null && clock.now() - since >= times.settlingMs
}

const allGone = (progress: Progress, times: TeardownTimes, clock: Clock): boolean =>
  [...progress.sights.values()].every(sight => isGone(sight, times, clock))
