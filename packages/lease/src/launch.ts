import type { Clock, Log } from '@gpu-actions/action-kit/ports'
import { carryOut, mayHaveMachine } from './attempt.ts'
import { clientToken } from './identity.ts'
import type { LaunchFault } from './launch-fault.ts'
import { launchBreaker, launchLimits, type LaunchLimits } from './launch-limits.ts'
import { createPace } from './launch-pace.ts'
import { afterRefusal, nextRound, queueOf } from './launch-queue.ts'
import { broken, describeOutcome, noCapacity, nothingLeft, stopped, unresolved, words } from './launch-words.ts'
import type { LaunchingProvider } from './provider.ts'
import type { Attempt, Offer, Owner } from './records.ts'

export interface Launching {
  readonly provider: LaunchingProvider
  readonly clock: Clock
  readonly log: Log
  readonly signal?: AbortSignal
  readonly leaseId: string
  readonly owner: Owner
  /** Until when capacity is waited for: milliseconds since the epoch, on `clock`. In the past: one round. */
  readonly deadline: number
  /**
   * When a machine of this offer that is launched now would end itself: milliseconds since the epoch, on the service's
   * clock. Asked when an attempt is made: the time limit begins at the launch, not while queueing.
   */
  expiryOf(offer: Offer): number
  /** Writes all attempts down, durably, before it resolves. What a later step must know of them: `mayHaveMachine`. */
  save(attempts: readonly Attempt[]): Promise<void>
  readonly limits?: LaunchLimits
}

export interface Launched {
  readonly machineId: string
  readonly offer: Offer
  readonly attempt: Attempt
}

/** Launches from a list of offers, over the life of one lease. */
export interface Launcher {
  /**
   * Launches the next machine; waits for capacity until the deadline.
   * @throws OutsideFault when no offer is left, when nothing more would help, at the deadline, or at the breaker
   */
  next(): Promise<Launched>
  /** The last machine ended before it could be used. @param fault why; `capacity`: a later round may try its offer */
  drop(offer: Offer, fault?: LaunchFault): void
  attempts(): readonly Attempt[]
}

/** No other offer helps, and no repetition. */
const final: ReadonlySet<LaunchFault> = new Set(['account', 'denied', 'credentials', 'invalid', 'token', 'throttled'])

export function createLauncher(setting: Launching, offers: readonly Offer[]): Launcher {
  const { clock, log, signal } = setting
  const limits = setting.limits ?? launchLimits
  const pace = createPace(clock, limits)
  const attempts = new Map<number, Attempt>()
  const all = (): readonly Attempt[] => [...attempts.values()]
  let queue = queueOf(offers)
  let hasTriedInRound = false
  let begunAt: number | undefined
  let toldAt = Number.NEGATIVE_INFINITY

  const put = async (attempt: Attempt): Promise<void> => {
    attempts.set(attempt.number, attempt)
    await setting.save(all())
  }
  const tried = () => ({ attempts: all(), rounds: queue.round, forMs: clock.now() - (begunAt ?? clock.now()) })

  const makeAttempt = async (offer: Offer): Promise<Attempt> => {
    await pace.turn(signal)
    const number = attempts.size + 1
    // Later rounds say the same again and again: what has changed, and where it stands, is told instead.
    log[queue.round === 1 ? 'info' : 'debug'](`Attempt ${number}: launching ${words(offer)}`)
    const begun = begunAt ?? clock.now()
    return carryOut(
      {
        ...setting,
        limits,
        pace,
        put,
        signal,
        throttleUntil: Math.max(setting.deadline, begun + limits.throttleGraceMs),
      },
      {
        number,
        round: queue.round,
        token: clientToken(setting.leaseId, number, offer),
        offer,
        expiresAt: new Date(setting.expiryOf(offer)).toISOString(),
        at: new Date(clock.now()).toISOString(),
        endedAt: null,
        calls: 0,
        lostCalls: 0,
        waitedSeconds: 0,
        outcome: null,
      },
    )
  }

  /** Waits for the next round. @throws OutsideFault when there is none */
  const pauseBetweenRounds = async (): Promise<void> => {
    if (queue.left.length === 0) throw nothingLeft(tried())
    const now = clock.now()
    const remainingMs = setting.deadline - now
    if (remainingMs <= 0) throw noCapacity(tried(), queue.left)
    const waitedMs = now - (begunAt ?? now)
    const longest = Math.max(limits.firstRoundPauseMs, Math.min(waitedMs * limits.roundShare, limits.maxRoundPauseMs))
    const pause = Math.min(longest * clock.random(), remainingMs)
    if (now - toldAt >= limits.progressMs) {
      toldAt = now
      const count = queue.left.length === 1 ? 'one offer' : `${queue.left.length} offers`
      log.info(
        `Round ${queue.round}: nothing free among ${count}; next look in ${(pause / 1000).toFixed(1)}s, waiting until ${new Date(setting.deadline).toISOString()}`,
      )
    }
    await clock.sleep(pause, signal)
    queue = nextRound(queue)
    hasTriedInRound = false
  }

  const checkBreaker = (): void => {
    const launched = all().filter(attempt => attempt.outcome?.kind === 'launched').length
    const open = all().filter(mayHaveMachine).length - launched
    if (launched + open >= launchBreaker) throw broken(launched, open)
  }

  const next = async (): Promise<Launched> => {
    begunAt ??= clock.now()
    for (;;) {
      signal?.throwIfAborted()
      const offer = queue.rest[0]
      if (offer === undefined) {
        await pauseBetweenRounds()
        continue
      }
      // The first round goes through all offers whatever it takes; a later one ends with the wait for capacity.
      if (queue.round > 1 && hasTriedInRound && clock.now() >= setting.deadline) throw noCapacity(tried(), queue.left)
      checkBreaker()
      hasTriedInRound = true
      const before = all().findLast(attempt => attempt.offer === offer)?.outcome
      const attempt = await makeAttempt(offer)
      const { outcome } = attempt
      if (outcome?.kind === 'launched') {
        const [machineId] = outcome.machines
        if (machineId === undefined) throw new Error('a launch without a machine')
        return { machineId, offer, attempt }
      }
      if (outcome?.kind !== 'refused') throw unresolved(attempt)
      if (final.has(outcome.fault)) throw stopped(attempt, outcome, tried())
      const isNews = before?.kind !== 'refused' || before.code !== outcome.code
      log[isNews ? 'info' : 'debug'](
        `Attempt ${attempt.number}: ${words(offer)} is not to be had: ${describeOutcome(outcome)}`,
      )
      queue = afterRefusal(queue, offer, outcome.fault)
    }
  }

  return { next, drop: (offer, fault = 'capacity') => void (queue = afterRefusal(queue, offer, fault)), attempts: all }
}
