import { messageOf, type Clock, type Log, type Records } from '@gpu-actions/action-kit/ports'
import type { EndingProvider } from './provider.ts'
import { covers, type MachineUse } from './receipt.ts'
import {
  attemptsRecord,
  leaseRecord,
  receiptRecord,
  useRecord,
  type Attempt,
  type Lease,
  type Left,
  type Place,
  type Receipt,
  type RecordKind,
  type Use,
} from './records.ts'
import { provesGone, resourceEnds, withResources, type Resource } from './resources.ts'
import { endMachines, uniquePlaces } from './teardown.ts'
import type { TeardownTimes } from './teardown-times.ts'

export interface EndLease {
  readonly provider: EndingProvider
  readonly clock: Clock
  readonly log: Log
  /** The run directory of the lease; empty when another job launched it. */
  readonly records: Records
  readonly leaseId: string
  readonly repository: string
  /** Where to look beside the places that the records name. */
  readonly places: readonly Place[]
  /** Attempts that are known from elsewhere, such as the state that a killed step left. */
  readonly attempts?: readonly Attempt[]
  /** Milliseconds since the epoch. */
  readonly deadline: number
  readonly waitUntilGone?: boolean
  readonly times?: TeardownTimes
  isFinal(error: unknown): boolean
}

/** Of two tellings of an attempt the one that knows more. */
function joinAttempts(one: readonly Attempt[], other: readonly Attempt[]): readonly Attempt[] {
  const joined = new Map(one.map(attempt => [attempt.number, attempt]))
  for (const attempt of other) {
    const known = joined.get(attempt.number)
    if (known === undefined || known.outcome === null) joined.set(attempt.number, attempt)
  }
  return [...joined.values()].toSorted((a, b) => a.number - b.number)
}

/** What cannot be read as a receipt proves nothing, and must not keep anybody from ending a machine. */
export const earlierReceipt = async (records: Records): Promise<Receipt | undefined> => {
  try {
    return await receiptRecord.read(records)
  } catch {
    return undefined
  }
}

/**
 * @param resources what must have been seen gone beside the machines, as far as the caller knows of it
 * @returns the receipt that already proves the end of all these launches, so that no call is needed; none while a
 *   resource that any receipt of the lease named is left
 */
export async function provenEnd(
  records: Records,
  attempts: readonly Attempt[],
  resources: readonly Pick<Resource, 'kind' | 'id'>[] = [],
): Promise<Receipt | undefined> {
  const receipt = await earlierReceipt(records)
  const tokens = attempts.map(attempt => attempt.token)
  if (receipt === undefined || !covers(receipt, tokens) || !provesGone(receipt, resources)) return undefined
  return receipt
}

/** A record that cannot be read must not keep anybody from ending a machine; what it would have said is missing. */
async function readable<T>(
  record: RecordKind<T>,
  records: Records,
): Promise<{ readonly value?: T; readonly fault?: string }> {
  try {
    const value = await record.read(records)
    return value === undefined ? {} : { value }
  } catch (error) {
    return { fault: `${record.file} cannot be read: ${messageOf(error)}` }
  }
}

/** What the records say of the use of the machine that was ready. */
function useOf(lease: Lease | undefined, use: Use | undefined): ReadonlyMap<string, MachineUse> {
  const ready = lease?.machines.at(-1)
  if (ready === undefined) return new Map()
  const own = (use?.periods ?? []).filter(() => use?.leaseId === lease?.id)
  const times = (pick: (period: Use['periods'][number]) => string) => own.map(period => Date.parse(pick(period)))
  return new Map([
    [
      ready.id,
      {
        usableAt: lease?.readyAt == null ? null : Date.parse(lease.readyAt),
        from: own.length === 0 ? null : Math.min(...times(period => period.startedAt)),
        until: own.length === 0 ? null : Math.max(...times(period => period.endedAt)),
      },
    ],
  ])
}

/** A launch may have been made where only an unreadable record says: nobody can prove its end. */
const unreadable = (setting: EndLease, file: string): Left => ({
  kind: 'record',
  id: file,
  place: null,
  state: 'cannot be read',
  consoleLink: '',
  byHand: `look for machines of lease ${setting.leaseId} in every region in which it may have been launched`,
})

/**
 * Ends the machines of a lease, whatever is known of it: by its records, by attempts known from elsewhere, and by its
 * mark. Writes the receipt into the run directory. What an earlier receipt says of resources stays in it: they are
 * ended elsewhere, because they must not hold up the end of a machine.
 */
export async function endLease(setting: EndLease): Promise<Receipt> {
  const { records } = setting
  const [lease, written, use] = await Promise.all([
    readable(leaseRecord, records),
    readable(attemptsRecord, records),
    readable(useRecord, records),
  ])
  const attempts = joinAttempts(written.value?.attempts ?? [], setting.attempts ?? [])
  const faults = [lease.fault, written.fault].flatMap(fault => fault ?? [])
  if (attempts.length > 0 && faults.length === 0) {
    const proven = await provenEnd(records, attempts)
    if (proven !== undefined) return proven
  }
  const earlier = await earlierReceipt(records)
  const machines = await endMachines({
    ...setting,
    search: {
      by: 'lease',
      repository: setting.repository,
      leaseId: setting.leaseId,
      tokens: attempts.map(attempt => attempt.token),
    },
    places: uniquePlaces([...(lease.value?.places ?? []), ...setting.places]),
    known: lease.value?.machines ?? [],
    attempts,
    use: useOf(lease.value, use.value),
  })
  const told = use.fault === undefined ? faults : [...faults, use.fault]
  const left = [...machines.left, ...(lease.fault === undefined ? [] : [unreadable(setting, leaseRecord.file)])]
  const whole = written.fault === undefined ? left : [...left, unreadable(setting, attemptsRecord.file)]
  const ended: Receipt = {
    ...machines,
    left: whole,
    remaining: whole.length,
    problems: [...machines.problems, ...told],
  }
  const receipt = earlier === undefined ? ended : withResources(ended, resourceEnds(earlier))
  await receiptRecord.write(records, receipt)
  return receipt
}
