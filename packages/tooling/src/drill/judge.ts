import type { Resort } from './last-resort.ts'
import type { Death, Moment } from './model.ts'
import type { ReceiptSight } from './witness.ts'

/** What ended a machine. `aws`: AWS itself, while it booted. */
export const enders = [
  'provision',
  'teardown',
  'post',
  'guest TTL',
  'sweep',
  'spot interruption',
  'aws',
  'nobody',
] as const
export type Ender = (typeof enders)[number]

/** A machine of a drill, when all is over. Times in milliseconds of the cloud's clock. */
export interface MachineFact {
  readonly id: string
  readonly leaseId: string
  readonly type: string
  readonly launchedAt: number
  /** First sight of shutting-down; null: it still runs. */
  readonly endedAt: number | null
  /** EC2's code of why it ended. */
  readonly reason: string | null
  /** Who was the first to order it to end, and was obeyed. */
  readonly orderedBy: 'provision' | 'teardown' | 'post' | 'sweep' | null
  /** USD an hour, as its tag says; null when that is unknown. */
  readonly usdPerHour: number | null
}

/** All that is known of a drill when it is over. */
export interface DrillFacts {
  readonly death: Death
  /** Where it struck; null: its moment did not come. */
  readonly struckAt: Moment | null
  /** From when on a machine is of no use, on the cloud's clock. */
  readonly uselessFrom: number
  readonly resort: Resort
  readonly machines: readonly MachineFact[]
  /** Ids that were still billed when the workflow was over, and when the machines' own time was up. */
  readonly billedAfterJobs: readonly string[]
  readonly billedAfterGuest: readonly string[]
  /** What exists after the sweep and should not, in words. */
  readonly leftovers: readonly string[]
  /** Machines of others that do not run any more, or that a call of ours has named. */
  readonly harmed: readonly string[]
  readonly receipts: readonly ReceiptSight[]
  /** Nothing was to go wrong: no death and no fault of the cloud. */
  readonly isControl: boolean
  readonly conclusion: string
  /** Leases that the workflow asks for. */
  readonly wantedLeases: number
  /** Faults of the drill itself: the runner threw, the sweep failed, a deadline passed. */
  readonly faults: readonly string[]
}

export interface MachineVerdict {
  readonly ender: Ender
  /** Seconds from the death to the first sight of shutting-down; null: it still runs. */
  readonly leftoverSeconds: number | null
  readonly usdLost: number | null
}

export interface Verdict {
  readonly machines: readonly MachineVerdict[]
  /** What must not be; empty for a drill that passed. */
  readonly problems: readonly string[]
}

/** Ended by AWS itself: such a machine may be replaced. */
const isAwsReason = (reason: string | null): boolean => reason?.startsWith('Server.') === true

export function enderOf({ endedAt, reason, orderedBy }: MachineFact): Ender {
  if (endedAt === null) return 'nobody'
  if (reason?.startsWith('Server.SpotInstance') === true) return 'spot interruption'
  if (isAwsReason(reason)) return 'aws'
  if (reason === 'Client.InstanceInitiatedShutdown') return 'guest TTL'
  return orderedBy ?? 'nobody'
}

/** Judges what a drill has left, and measures what it has cost. */
export function judge(facts: DrillFacts): Verdict {
  return {
    machines: facts.machines.map(machine => measure(machine, facts.uselessFrom)),
    problems: [
      ...facts.faults,
      ...late(facts),
      ...facts.leftovers.map(thing => `leak: ${thing} is left after the sweep`),
      ...facts.machines
        .filter(machine => machine.endedAt !== null && enderOf(machine) === 'nobody')
        .map(({ id, reason }) => `${id} has ended and nobody ended it (${reason ?? 'no reason'})`),
      ...twice(facts),
      ...facts.harmed.map(id => `a machine of somebody else was touched: ${id}`),
      ...lies(facts),
      ...control(facts),
    ],
  }
}

function measure(machine: MachineFact, uselessFrom: number): MachineVerdict {
  const { launchedAt, endedAt, usdPerHour } = machine
  const since = Math.max(uselessFrom, launchedAt)
  const leftoverSeconds = endedAt === null ? null : Math.max(0, endedAt - since) / 1000
  return {
    ender: enderOf(machine),
    leftoverSeconds,
    usdLost: leftoverSeconds === null || usdPerHour === null ? null : (leftoverSeconds * usdPerHour) / 3600,
  }
}

/** A machine that outlives the layer that had to end it is a leak, whoever ends it later. */
function late({ resort, billedAfterJobs, billedAfterGuest }: DrillFacts): readonly string[] {
  if (resort === 'job' && billedAfterJobs.length > 0)
    return [`leak: ${billedAfterJobs.join(', ')} outlived the workflow, whose steps had to end it`]
  if (resort !== 'sweep' && billedAfterGuest.length > 0)
    return [`leak: ${billedAfterGuest.join(', ')} outlived its own time limit`]
  return []
}

/** One lease has one machine at a time; another one may follow only when AWS took the first one back. */
function twice({ machines }: DrillFacts): readonly string[] {
  const leases = new Set(machines.map(({ leaseId }) => leaseId))
  return [...leases].flatMap(leaseId => {
    const kept = machines.filter(machine => machine.leaseId === leaseId && !isAwsReason(machine.reason))
    return kept.length > 1 ? [`lease ${leaseId} launched ${kept.map(({ id }) => id).join(' and ')}`] : []
  })
}

/** A receipt with 0 remaining speaks for every machine of its lease, for one that was launched later too. */
function lies({ receipts, machines }: DrillFacts): readonly string[] {
  return receipts.flatMap(({ leaseId, remaining, stillThere, at }) => {
    if (remaining > 0) return []
    const ran = machines.filter(machine => machine.leaseId === leaseId && (machine.endedAt ?? Infinity) > at)
    const things = [...ran.map(({ id }) => id), ...stillThere]
    return things.length === 0
      ? []
      : [`the receipt of lease ${leaseId} says 0 remaining while ${things.join(', ')} was there`]
  })
}

function control({ isControl, conclusion, machines, wantedLeases, death }: DrillFacts): readonly string[] {
  if (!isControl) return []
  return [
    ...(conclusion === 'success' ? [] : [`nothing was to go wrong, and the workflow ended with ${conclusion}`]),
    ...(machines.length === wantedLeases
      ? []
      : [`${wantedLeases} machines were wanted (${death}), ${machines.length} launched`]),
  ]
}
