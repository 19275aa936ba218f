import { messageOf, OutsideFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { clientToken, offerKey } from './identity.ts'
import type { LaunchFault } from './launch-fault.ts'
import type { Intent, LaunchingProvider } from './provider.ts'
import type { Attempt, LaunchOutcome, Offer, Owner } from './records.ts'

/** A lease launches at most this many machines in its life. */
export const launchBreaker = 3

export interface LaunchLimits {
  /** Calls with the same token before an offer's outcome is left unknown. */
  readonly repeats: number
  /** First and longest pause between two calls with the same token, in milliseconds. */
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

export const launchLimits: LaunchLimits = { repeats: 6, firstPauseMs: 1_000, maxPauseMs: 10_000 }

export interface Launching {
  readonly provider: LaunchingProvider
  readonly clock: Clock
  readonly log: Log
  readonly signal?: AbortSignal
  readonly leaseId: string
  readonly owner: Owner
  /** Milliseconds since the epoch, on the service's clock. */
  readonly expiresAt: number
  /** Writes all attempts down, durably, before it resolves. */
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
   * Launches the next machine.
   * @throws OutsideFault when no offer is left, when nothing more would help, or at the breaker
   */
  next(): Promise<Launched>
  /** The last machine ended before it could be used; says whether its offer is worth another try. */
  drop(offer: Offer): void
  attempts(): readonly Attempt[]
}

type Refused = Extract<LaunchOutcome, { kind: 'refused' }>

/** What a class of refusal means for the offers that are left. */
function without(offers: readonly Offer[], refused: Offer, fault: LaunchFault): readonly Offer[] {
  const gone = (offer: Offer): boolean =>
    fault === 'quota'
      ? offer.place.region === refused.place.region &&
        offer.market === refused.market &&
        family(offer.instanceType) === family(refused.instanceType)
      : offerKey(offer) === offerKey(refused)
  return offers.filter(offer => !gone(offer))
}

/** `g5.2xlarge` → `g`: quotas count whole families. */
const family = (instanceType: string): string => /^[a-z]+/.exec(instanceType)?.[0] ?? instanceType

const final: ReadonlySet<LaunchFault> = new Set(['account', 'denied', 'credentials', 'invalid', 'token'])

export function createLauncher(setting: Launching, offers: readonly Offer[]): Launcher {
  const { clock, log, signal } = setting
  let left = offers
  let attempts: readonly Attempt[] = []

  const put = async (attempt: Attempt): Promise<void> => {
    attempts = [...attempts.filter(other => other.number !== attempt.number), attempt]
    await setting.save(attempts)
  }

  const next = async (): Promise<Launched> => {
    for (let offer = left[0]; offer !== undefined; offer = left[0]) {
      signal?.throwIfAborted()
      const started = attempts.filter(attempt => attempt.outcome?.kind === 'launched').length
      if (started >= launchBreaker) throw broken(started)
      const number = attempts.length + 1
      const token = clientToken(setting.leaseId, number, offer)
      const intended: Attempt = {
        number,
        round: 1,
        token,
        offer,
        expiresAt: new Date(setting.expiresAt).toISOString(),
        at: new Date(clock.now()).toISOString(),
        endedAt: null,
        calls: 0,
        waitedSeconds: 0,
        outcome: null,
      }
      log.info(`Attempt ${number}: launching ${words(offer)}`)
      const attempt = await carryOut(setting, intended, put)
      const outcome = attempt.outcome
      if (outcome?.kind === 'launched') {
        const [machineId] = outcome.machines
        if (machineId === undefined) throw new Error('a launch without a machine')
        return { machineId, offer, attempt }
      }
      if (outcome?.kind !== 'refused') throw unresolved(attempt)
      if (final.has(outcome.fault) || outcome.fault === 'throttled') throw stopped(offer, outcome)
      log.info(`Attempt ${number}: ${words(offer)} is not to be had (${outcome.code}, ${outcome.fault})`)
      left = without(left, offer, outcome.fault)
    }
    throw exhausted(attempts)
  }

  return { next, drop: offer => void (left = without(left, offer, 'capacity')), attempts: () => attempts }
}

/**
 * One attempt: the intent is on disk before the call; the call is repeated with the same token while nobody knows its
 * outcome. The job may be cancelled at any await but the one of the call itself, whose outcome is always recorded.
 */
async function carryOut(setting: Launching, intended: Attempt, put: (attempt: Attempt) => Promise<void>) {
  const { provider, clock, log, signal } = setting
  const limits = setting.limits ?? launchLimits
  const { offer, token, number } = intended
  const intent: Intent = {
    leaseId: setting.leaseId,
    owner: setting.owner,
    number,
    token,
    offer,
    expiresAt: setting.expiresAt,
  }
  const begun = clock.now()
  let pause = limits.firstPauseMs
  let waitedMs = 0
  await put(intended)
  for (let calls = 1; ; calls++) {
    let outcome = asUnknown(await provider.launch(offer, intent))
    if (isOpen(outcome)) outcome = (await lookUp(setting, intent)) ?? outcome
    const now = clock.now()
    const attempt: Attempt = {
      ...intended,
      calls,
      waitedSeconds: Math.round(waitedMs / 1000),
      endedAt: new Date(Math.max(now, begun)).toISOString(),
      outcome,
    }
    const again = outcome.kind === 'unknown' || (outcome.kind === 'refused' && outcome.fault === 'throttled')
    if (!again || calls >= limits.repeats) {
      await put(attempt)
      return attempt
    }
    await put({ ...attempt, endedAt: null, outcome: null })
    const wait = pause * (0.5 + clock.random() / 2)
    log.info(`Attempt ${number}: ${reason(outcome)}; the same call again in ${(wait / 1000).toFixed(1)}s`)
    await clock.sleep(wait, signal)
    waitedMs += wait
    pause = Math.min(pause * 2, limits.maxPauseMs)
  }
}

/** A server's fault says nothing about whether the call was carried out. */
const asUnknown = (outcome: LaunchOutcome): LaunchOutcome =>
  outcome.kind === 'refused' && outcome.fault === 'server'
    ? { kind: 'unknown', message: `${outcome.code}: ${outcome.message}` }
    : outcome

/** There may be a machine of this token. */
const isOpen = (outcome: LaunchOutcome): boolean =>
  outcome.kind === 'unknown' || (outcome.kind === 'refused' && outcome.fault === 'token')

/** Looks for the machine of a token. Not seeing one proves nothing: the call is then repeated with the same token. */
async function lookUp(setting: Launching, intent: Intent): Promise<LaunchOutcome | undefined> {
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

/** `g5.2xlarge in us-west-2b` */
export const words = (offer: Offer): string => `${offer.instanceType} in ${offer.zone ?? offer.place.region}`

const stopped = (offer: Offer, refused: Refused): OutsideFault =>
  new OutsideFault({
    what: `Launching ${words(offer)} failed: ${refused.code}: ${refused.message}`,
    advice: refused.advice,
  })

const unresolved = (attempt: Attempt): OutsideFault =>
  new OutsideFault({
    what: `Launching ${words(attempt.offer)} had no known outcome after ${attempt.calls} calls`,
    advice: `Nothing more is launched. When the job ends, the machine of token ${attempt.token} is looked for and ended.`,
  })

const broken = (started: number): OutsideFault =>
  new OutsideFault({
    what: `This lease has launched ${started} machines and none could be used`,
    advice:
      'Nothing more is launched. The reasons are in the table of attempts; an image or a quota is often at fault.',
  })

function exhausted(attempts: readonly Attempt[]): OutsideFault {
  const last = attempts
    .map(attempt => attempt.outcome)
    .filter(outcome => outcome?.kind === 'refused')
    .at(-1)
  const tried = attempts.map(
    attempt => `${words(attempt.offer)}: ${attempt.outcome ? describeOutcome(attempt.outcome) : 'no answer'}`,
  )
  return new OutsideFault({
    what: `No offer could be had. ${tried.length === 0 ? 'There was none to try' : `Tried: ${tried.join('; ')}`}`,
    advice: last?.advice ?? 'Name more instance types or more subnets.',
  })
}

/** A cell of the attempt table. */
export const describeOutcome = (outcome: LaunchOutcome): string =>
  outcome.kind === 'launched'
    ? `launched ${outcome.machines.join(', ')}`
    : outcome.kind === 'refused'
      ? `${outcome.fault} (${outcome.code})`
      : 'outcome unknown'
