import { formatDuration } from '@gpu-actions/action-kit/ports'
import { costMicros, sum, toMicros, toUsd } from './money.ts'
import type { EndingProvider } from './provider.ts'
import type { EndedMachine, Left, Machine, Place, Receipt } from './records.ts'
import type { Sight } from './sight.ts'

/** What is known of the use of a machine. Milliseconds since the epoch, null where nothing was recorded. */
export interface MachineUse {
  readonly usableAt: number | null
  /** Begin of its first use, and end of its last. */
  readonly from: number | null
  readonly until: number | null
}

export interface Account {
  readonly provider: EndingProvider
  readonly leaseId: string | null
  readonly repository: string
  readonly places: readonly Place[]
  readonly tokens: readonly string[]
  readonly startedAt: number
  readonly finishedAt: number
  readonly sights: readonly Sight[]
  /** What the last look showed, and launches that could not be looked up. */
  readonly left: readonly Left[]
  readonly problems: readonly string[]
  readonly use: ReadonlyMap<string, MachineUse>
  isGone(sight: Sight): boolean
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** The provider's own time of the end, when it tells one; else the first sight of it, which is never earlier. */
function endOfBilling(sight: Sight): number | null {
  const told = sight.machine.endedAt === null ? Number.NaN : Date.parse(sight.machine.endedAt)
  if (!Number.isNaN(told)) return told
  return sight.endingAt ?? sight.goneAt
}

/** Whole seconds from one moment to a later one; null when one of them is unknown. */
const secondsBetween = (from: number | null | undefined, to: number | null | undefined): number | null =>
  from == null || to == null ? null : Math.max(0, Math.round((to - from) / 1000))

interface Cost {
  /** Micro-dollars. */
  readonly micros: number | null
  readonly noCost?: string
  readonly freeOfCharge: string | null
}

/** @param lived seconds from launch to the end, @param seconds those that are billed */
function costOf(machine: Machine, lived: number | null, seconds: number | null, provider: EndingProvider): Cost {
  const charged = { freeOfCharge: null }
  if (seconds === null || lived === null)
    return { ...charged, micros: null, noCost: 'how long it was billed is unknown' }
  const beside = sum((machine.extras ?? []).map(extra => costMicros(extra, seconds)))
  if (machine.market === 'capacity-block') {
    return { ...charged, micros: null, noCost: 'it was paid in advance, with its capacity block' }
  }
  const free = provider.freeInterruptionSeconds ?? 0
  if (machine.market === 'spot' && lived < free && provider.isInterruption?.(machine) === true) {
    return {
      micros: beside,
      freeOfCharge: `the provider took it back after ${formatDuration(lived * 1000)}: an interruption within the first ${formatDuration(free * 1000)} is not billed`,
    }
  }
  const compute = costMicros(machine.price, seconds)
  return compute === null
    ? { ...charged, micros: null, noCost: 'its price is unknown' }
    : { ...charged, micros: sum([compute, beside]) }
}

function endedMachine(account: Account, sight: Sight): EndedMachine {
  const { provider } = account
  const { machine } = sight
  const end = endOfBilling(sight)
  const launched = machine.launchedAt === null ? null : Date.parse(machine.launchedAt)
  const lived = end === null || launched === null ? null : Math.max(0, Math.ceil((end - launched) / 1000))
  const seconds = lived === null ? null : Math.max(provider.minimumBilledSeconds, lived)
  const { micros, ...why } = costOf(machine, lived, seconds, provider)
  const use = account.use.get(machine.id)
  return {
    id: machine.id,
    place: machine.place,
    instanceType: machine.instanceType,
    state: sight.unseen !== null && machine.state !== 'gone' ? 'unseen' : machine.state,
    stateReason: machine.stateReason,
    launchedAt: machine.launchedAt,
    terminatedAt: iso(sight.terminatedAt),
    goneAt: account.isGone(sight) ? iso(sight.goneAt) : null,
    endOfBilling: iso(end),
    billedSeconds: seconds,
    price: machine.price,
    extras: machine.extras,
    costUsd: micros === null ? null : toUsd(micros),
    ...why,
    wasteSeconds: secondsBetween(launched, use?.from ?? use?.usableAt),
    idleSeconds: secondsBetween(use?.until, end),
    volumes: machine.volumes,
    interfaces: machine.interfaces,
    requests: machine.requests,
  }
}

/** What a machine that is not gone means for the receipt. */
function leftOf(account: Account): { left: readonly Left[]; ending: readonly string[] } {
  const open = account.sights.filter(sight => !account.isGone(sight))
  const ending = open.filter(sight => sight.machine.state === 'ending').map(sight => sight.machine.id)
  // What goes with a machine that is still ending cannot be ended any sooner either.
  const going = new Set(
    open.flatMap(sight =>
      sight.machine.state === 'ending' ? [sight.machine.id, ...sight.machine.volumes, ...sight.machine.interfaces] : [],
    ),
  )
  const listed = account.left.filter(left => !going.has(left.id))
  const ids = new Set(listed.map(left => left.id))
  const missing = open
    .filter(sight => sight.machine.state !== 'ending' && !ids.has(sight.machine.id))
    .map(sight => account.provider.describeMachine(sight.machine))
  return { left: [...listed, ...missing], ending }
}

/** The proof of a teardown: 0 remaining only when every machine was seen to be gone or irreversibly ending. */
export function makeReceipt(account: Account): Receipt {
  const { left, ending } = leftOf(account)
  const machines = account.sights.map(sight => endedMachine(account, sight))
  const cost = sum(machines.map(machine => (machine.costUsd === null ? null : toMicros(machine.costUsd))))
  return {
    schema: 'gpu-actions/receipt@1',
    leaseId: account.leaseId,
    provider: account.provider.name,
    repository: account.repository,
    places: account.places,
    tokens: account.tokens,
    startedAt: new Date(account.startedAt).toISOString(),
    finishedAt: new Date(account.finishedAt).toISOString(),
    machines,
    resources: [],
    left,
    remaining: left.length,
    ending,
    billedSeconds: sum(machines.map(machine => machine.billedSeconds)),
    costUsd: cost === null ? null : toUsd(cost),
    problems: account.problems,
  }
}

/**
 * A later attempt to end a lease needs no call: this proves the end of all its launches, and of every resource that was
 * to end with them.
 */
export const covers = (receipt: Receipt, tokens: readonly string[]): boolean =>
  receipt.remaining === 0 && receipt.ending.length === 0 && tokens.every(token => receipt.tokens.includes(token))
