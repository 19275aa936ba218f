import { messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { LaunchLimits } from './launch-limits.ts'
import type { Pace } from './launch-pace.ts'
import type { Intent, LaunchingProvider } from './provider.ts'
import type { Attempt, Attempts, LaunchOutcome, Offer, Owner } from './records.ts'

/** What one attempt needs. */
export interface Attempting {
  readonly provider: LaunchingProvider
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal | undefined
  readonly leaseId: string
  readonly owner: Owner
  readonly limits: LaunchLimits
  readonly pace: Pace
  /** Until when throttling is sat out. Milliseconds since the epoch. */
  readonly throttleUntil: number
  expiryOf(offer: Offer): number
  /** Writes the attempt down, durably, before it resolves. */
  put(attempt: Attempt): Promise<void>
}

/**
 * Whether a machine may have come of it. A refusal speaks for its own call alone: not for an earlier one with the same
 * token whose reply was lost.
 */
export const mayHaveMachine = ({ outcome, calls, lostCalls }: Attempt): boolean =>
  outcome?.kind !== 'refused' || (lostCalls === undefined ? calls > 1 : lostCalls > 0)

/**
 * The first and the last ones, and every one that may have a machine: hours of waiting for capacity make tens of
 * thousands of refusals that are all alike.
 * @param most so many, and beside them only what may have a machine
 */
export function worthTelling(attempts: readonly Attempt[], most: number): readonly Attempt[] {
  if (attempts.length <= most) return attempts
  const [first, last] = [Math.ceil(most / 2), attempts.length - Math.floor(most / 2)]
  return attempts.filter((attempt, index) => index < first || index >= last || mayHaveMachine(attempt))
}

/** Attempts in the record: it is written anew before and after each call, and travels with the evidence. */
const mostRecorded = 200

/** The record of a lease's attempts, of a size that does not grow with the wait. */
export function attemptsOf(leaseId: string, attempts: readonly Attempt[]): Attempts {
  const told = worthTelling(attempts, mostRecorded)
  const untold = attempts.length - told.length
  return { schema: 'gpu-actions/attempts@1', leaseId, attempts: told, ...(untold === 0 ? {} : { untold }) }
}

/**
 * One attempt: the intent is on disk before the call; the call is repeated with the same token while nobody knows its
 * outcome, and while the service says that there are too many calls. The job may be cancelled at any await but the one
 * of the call itself, whose outcome is always recorded.
 */
export async function carryOut(setting: Attempting, intended: Attempt): Promise<Attempt> {
  const { clock, log, signal, limits } = setting
  let attempt = intended
  let pause = limits.firstPauseMs
  await setting.put(attempt)
  for (;;) {
    const outcome = await call(setting, attempt)
    const lostCalls = (attempt.lostCalls ?? 0) + (outcome.isLost ? 1 : 0)
    attempt = { ...attempt, calls: attempt.calls + 1, lostCalls }
    const now = clock.now()
    const isAgain = isThrottled(outcome.outcome)
      ? now < setting.throttleUntil
      : outcome.outcome.kind === 'unknown' && lostCalls < limits.repeats
    if (!isAgain) {
      attempt = { ...attempt, endedAt: iso(now, intended.at), outcome: final(outcome.outcome, lostCalls) }
      await setting.put(attempt)
      return attempt
    }
    await setting.put(attempt)
    const wait = pause * (0.5 + clock.random() / 2)
    log.info(
      `Attempt ${attempt.number}: ${reason(outcome.outcome)}; the same call again in ${(wait / 1000).toFixed(1)}s`,
    )
    const from = clock.now()
    await clock.sleep(wait, signal)
    await setting.pace.turn(signal)
    pause = Math.min(pause * 2, limits.maxPauseMs)
    attempt = {
      ...attempt,
      waitedSeconds: attempt.waitedSeconds + Math.round((clock.now() - from) / 1000),
      // No call of this token has reached the service so far: its time limit may still begin later.
      ...(lostCalls === 0 ? { expiresAt: new Date(setting.expiryOf(attempt.offer)).toISOString() } : {}),
    }
    await setting.put(attempt)
  }
}

interface Answer {
  readonly outcome: LaunchOutcome
  /** Nobody knows whether this very call was carried out. */
  readonly isLost: boolean
}

/** One call, and a look for its machine when its answer leaves open whether there is one. */
async function call(setting: Attempting, attempt: Attempt): Promise<Answer> {
  const { offer, number, token, expiresAt } = attempt
  const intent: Intent = {
    leaseId: setting.leaseId,
    owner: setting.owner,
    number,
    token,
    offer,
    expiresAt: expiresAt === null ? setting.expiryOf(offer) : Date.parse(expiresAt),
  }
  const outcome = asUnknown(await setting.provider.launch(offer, intent))
  const isLost = outcome.kind === 'unknown'
  const isOpen = isLost || (outcome.kind === 'refused' && outcome.fault === 'token')
  const wasOpen = outcome.kind === 'refused' && !isThrottled(outcome) && (attempt.lostCalls ?? 0) > 0
  return { outcome: (isOpen || wasOpen ? await lookUp(setting, intent) : undefined) ?? outcome, isLost }
}

/** The first moment is the intent's: a clock that was set back must not end an attempt before it began. */
const iso = (now: number, begun: string): string => new Date(Math.max(now, Date.parse(begun))).toISOString()

/** Too many calls says nothing of an earlier call whose reply was lost. */
const final = (outcome: LaunchOutcome, lostCalls: number): LaunchOutcome =>
  isThrottled(outcome) && lostCalls > 0
    ? { kind: 'unknown', message: `an earlier call had no answer, and then: ${outcome.message}` }
    : outcome

/** A server's fault says nothing about whether the call was carried out. */
const asUnknown = (outcome: LaunchOutcome): LaunchOutcome =>
  outcome.kind === 'refused' && outcome.fault === 'server'
    ? { kind: 'unknown', message: `${outcome.code}: ${outcome.message}` }
    : outcome

type Refused = Extract<LaunchOutcome, { kind: 'refused' }>

const isThrottled = (outcome: LaunchOutcome): outcome is Refused =>
  outcome.kind === 'refused' && outcome.fault === 'throttled'

/** Looks for the machine of a token. Not seeing one proves nothing: the call is then repeated with the same token. */
async function lookUp(setting: Attempting, intent: Intent): Promise<LaunchOutcome | undefined> {
  const { provider, owner, leaseId } = setting
  const search = { by: 'lease', repository: owner.repository, leaseId, tokens: [intent.token] } as const
  try {
    const found = await provider.find(search, [intent.offer.place])
    const machines = found.filter(machine => machine.token === intent.token).map(machine => machine.id)
    return machines.length > 0 ? { kind: 'launched', machines } : undefined
  } catch (error) {
    setting.log.info(`Looking for the machine of token ${intent.token} failed: ${messageOf(error)}`)
    return undefined
  }
}

const reason = (outcome: LaunchOutcome): string =>
  outcome.kind === 'refused' ? `${outcome.code} (${outcome.fault})` : outcome.kind === 'unknown' ? outcome.message : ''
