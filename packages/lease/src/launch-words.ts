import { formatDuration, OutsideFault } from '@gpu-actions/action-kit/ports'
import { offerKey } from './identity.ts'
import type { LaunchFault } from './launch-fault.ts'
import type { Attempt, LaunchOutcome, Offer } from './records.ts'

type Refused = Extract<LaunchOutcome, { kind: 'refused' }>

/** `g5.2xlarge in us-west-2b`, `g5.2xlarge (spot) in us-west-2b` */
export const words = (offer: Offer): string => {
  const market = offer.market === 'on-demand' ? '' : ` (${offer.market})`
  return `${offer.instanceType}${market} in ${offer.zone ?? offer.place.region}`
}

/** A cell of the attempt table. */
export const describeOutcome = (outcome: LaunchOutcome): string =>
  outcome.kind === 'launched'
    ? `launched ${outcome.machines.join(', ')}`
    : outcome.kind === 'refused'
      ? `${outcome.fault} (${outcome.code})`
      : 'outcome unknown'

/** What was tried, how often and for how long, for the sentences below. */
export interface Tried {
  readonly attempts: readonly Attempt[]
  readonly rounds: number
  readonly forMs: number
}

/** Offers named one by one; more would bury what matters. */
const named = 8

/** `g5.2xlarge in us-west-2b: capacity (InsufficientInstanceCapacity), 14 times; …` */
export function describeTried(attempts: readonly Attempt[]): string {
  const byOffer = new Map<string, { readonly attempt: Attempt; readonly times: number }>()
  for (const attempt of attempts) {
    const key = offerKey(attempt.offer)
    byOffer.set(key, { attempt, times: (byOffer.get(key)?.times ?? 0) + 1 })
  }
  const told = [...byOffer.values()].slice(0, named).map(({ attempt, times }) => {
    const outcome = attempt.outcome === null ? 'no answer' : describeOutcome(attempt.outcome)
    return `${words(attempt.offer)}: ${outcome}${times > 1 ? `, ${times} times` : ''}`
  })
  const more = byOffer.size - told.length
  return [...told, ...(more > 0 ? [`and ${more} more offers`] : [])].join('; ')
}

const refusals = (attempts: readonly Attempt[]): readonly Refused[] =>
  attempts.flatMap(({ outcome }) => (outcome?.kind === 'refused' ? [outcome] : []))

const adviceOf = (attempts: readonly Attempt[], fault: LaunchFault): string | undefined =>
  refusals(attempts).findLast(refused => refused.fault === fault)?.advice

const span = ({ rounds, forMs }: Tried): string =>
  `${rounds === 1 ? 'one round' : `${rounds} rounds`}${forMs < 1_000 ? '' : ` over ${formatDuration(forMs)}`}`

const firstWords: Partial<Record<LaunchFault, (offer: string) => string>> = {
  denied: offer => `Launching ${offer} is not allowed`,
  invalid: offer => `Launching ${offer} cannot work as it was asked for`,
  account: offer => `The account cannot launch ${offer} yet`,
  credentials: offer => `The credentials for launching ${offer} are not accepted`,
  throttled: offer => `There were too many calls until the end: launching ${offer} was put off again and again`,
  token: offer => `The token of launching ${offer} was used before, and no machine of it can be found`,
}

/** A refusal after which no other offer is tried. */
export const stopped = (attempt: Attempt, refused: Refused, tried: Tried): OutsideFault => {
  const first = firstWords[refused.fault]?.(words(attempt.offer)) ?? `Launching ${words(attempt.offer)} failed`
  const before = tried.attempts.length > 1 ? ` Tried in ${span(tried)}: ${describeTried(tried.attempts)}` : ''
  return new OutsideFault({ what: `${first}: ${refused.code}: ${refused.message}${before}`, advice: refused.advice })
}

export const unresolved = (attempt: Attempt): OutsideFault =>
  new OutsideFault({
    what: `Launching ${words(attempt.offer)} had no known outcome after ${attempt.calls} calls`,
    advice: `Nothing more is launched. When the job ends, the machine of token ${attempt.token} is looked for and ended.`,
  })

export const broken = (launched: number, open: number): OutsideFault =>
  new OutsideFault({
    what:
      open === 0
        ? `This lease has launched ${launched} machines and none could be used`
        : `This lease has launched ${launched} machines that could not be used, and ${open} of its launches may have started one more each`,
    advice:
      'Nothing more is launched. The reasons are in the table of attempts; an image or a quota is often at fault.',
  })

const causes: Partial<Record<LaunchFault, string>> = {
  quota: 'The quota is used up: no machine can be had until it is raised or other machines end',
  zone: 'None of the zones has what was asked for',
  price: 'The highest price is below the price of every offer',
}

/** Every offer was dropped for good. */
export function nothingLeft(tried: Tried): OutsideFault {
  const { attempts } = tried
  if (attempts.length === 0) {
    return new OutsideFault({
      what: 'No offer could be had: there was none to try',
      advice: 'Name more instance types or more subnets.',
    })
  }
  const faults = [...new Set(refusals(attempts).map(refused => refused.fault))]
  const [only] = faults
  const quota = adviceOf(attempts, 'quota')
  const what =
    (faults.length === 1 && only !== undefined ? causes[only] : undefined) ??
    (quota === undefined ? 'No offer could be had' : 'No offer is left, and a quota is one of the reasons')
  return new OutsideFault({
    what: `${what}. Tried in ${span(tried)}: ${describeTried(attempts)}`,
    advice: quota ?? refusals(attempts).at(-1)?.advice ?? 'Name more instance types or more subnets.',
  })
}

/** Offers are left, and none of them could be had until the deadline. */
export function noCapacity(tried: Tried, left: readonly Offer[]): OutsideFault {
  const { attempts } = tried
  const quota = adviceOf(attempts, 'quota')
  const own = adviceOf(attempts, 'capacity') ?? adviceOf(attempts, 'subnet') ?? 'Name more instance types or zones.'
  const waited = tried.rounds === 1 ? ' max-wait lets it try again.' : ' A longer max-wait tries for longer.'
  return new OutsideFault({
    what:
      `No capacity: none of ${left.length === 1 ? 'one offer' : `${left.length} offers`} could be had in ${span(tried)}. ` +
      `Tried: ${describeTried(attempts)}`,
    advice: `${own}${waited}${quota === undefined ? '' : ` Other offers were left out for a quota: ${quota}`}`,
  })
}
