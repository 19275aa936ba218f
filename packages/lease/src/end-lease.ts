import type { Clock, Log, Records } from '@gpu-actions/action-kit/ports'
import type { EndingProvider } from './provider.ts'
import { covers } from './receipt.ts'
import { attemptsRecord, leaseRecord, receiptRecord, type Attempt, type Place, type Receipt } from './records.ts'
import { provesGone, resourceEnds, withResources, type Resource } from './resources.ts'
import { endMachines, type TeardownTimes } from './teardown.ts'

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

const placeKey = (place: Place): string => `${place.account}/${place.region}`

const unique = (places: readonly Place[]): readonly Place[] => [
  ...new Map(places.map(place => [placeKey(place), place])).values(),
]

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

/**
 * Ends the machines of a lease, whatever is known of it: by its records, by attempts known from elsewhere, and by its
 * mark. Writes the receipt into the run directory. What an earlier receipt says of resources stays in it: they are
 * ended elsewhere, because they must not hold up the end of a machine.
 */
export async function endLease(setting: EndLease): Promise<Receipt> {
  const { records } = setting
  const lease = await leaseRecord.read(records)
  const written = (await attemptsRecord.read(records))?.attempts ?? []
  const attempts = joinAttempts(written, setting.attempts ?? [])
  if (attempts.length > 0) {
    const proven = await provenEnd(records, attempts)
    if (proven !== undefined) return proven
  }
  const ready = lease?.machines.at(-1)
  const waste = new Map<string, number>()
  if (ready?.launchedAt && lease?.readyAt) {
    waste.set(ready.id, Math.max(0, Math.round((Date.parse(lease.readyAt) - Date.parse(ready.launchedAt)) / 1000)))
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
    places: unique([...(lease?.places ?? []), ...attempts.map(attempt => attempt.offer.place), ...setting.places]),
    known: lease?.machines ?? [],
    attempts,
    waste,
  })
  const receipt = earlier === undefined ? machines : withResources(machines, resourceEnds(earlier))
  await receiptRecord.write(records, receipt)
  return receipt
}
