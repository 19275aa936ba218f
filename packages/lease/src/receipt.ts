import { costMicros, sum, toUsd } from './money.ts'
import type { EndingProvider } from './provider.ts'
import type { EndedMachine, Left, Machine, Place, Receipt } from './records.ts'

/** One machine, as a teardown has seen it. Times in milliseconds since the epoch. */
export interface Sight {
  machine: Machine
  /** Some read has shown it. */
  seen: boolean
  /** The last look did not show it. */
  unseenNow: boolean
  firstSeenAt: number | null
  /** The order to end it was accepted. */
  terminatedAt: number | null
  endingAt: number | null
  goneAt: number | null
  wasteSeconds: number | null
}

export interface Account {
  readonly provider: Pick<EndingProvider, 'name' | 'minimumBilledSeconds' | 'describeMachine'>
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
  isGone(sight: Sight): boolean
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** The provider's own time of the end, when it tells one; else the first sight of it, which is never earlier. */
function endOfBilling(sight: Sight): number | null {
  const told = sight.machine.endedAt === null ? Number.NaN : Date.parse(sight.machine.endedAt)
  if (!Number.isNaN(told)) return told
  return sight.endingAt ?? sight.goneAt
}

function endedMachine(sight: Sight, minimumSeconds: number, gone: boolean): EndedMachine {
  const { machine } = sight
  const end = endOfBilling(sight)
  const launched = machine.launchedAt === null ? null : Date.parse(machine.launchedAt)
  const seconds =
    end === null || launched === null ? null : Math.max(minimumSeconds, Math.ceil((end - launched) / 1000))
  const cost = seconds === null ? null : costMicros(machine.price, seconds)
  return {
    id: machine.id,
    place: machine.place,
    instanceType: machine.instanceType,
    state: sight.unseenNow && machine.state !== 'gone' ? 'unseen' : machine.state,
    stateReason: machine.stateReason,
    launchedAt: machine.launchedAt,
    terminatedAt: iso(sight.terminatedAt),
    goneAt: gone ? iso(sight.goneAt) : null,
    endOfBilling: iso(end),
    billedSeconds: seconds,
    price: machine.price,
    extras: machine.extras,
    costUsd: cost === null ? null : toUsd(cost),
    freeOfCharge: null,
    wasteSeconds: sight.wasteSeconds,
    idleSeconds: null,
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
  const machines = account.sights.map(sight =>
    endedMachine(sight, account.provider.minimumBilledSeconds, account.isGone(sight)),
  )
  const cost = sum(
    machines.map(machine => (machine.billedSeconds === null ? null : costMicros(machine.price, machine.billedSeconds))),
  )
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
