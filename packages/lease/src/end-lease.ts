import type { Clock, Log, Records } from '@gpu-actions/action-kit/ports'
import type { EndingProvider } from './provider.ts'
import { covers } from './receipt.ts'
import { attemptsRecord, leaseRecord, receiptRecord, type Attempt, type Place, type Receipt } from './records.ts'
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

/** @returns the receipt that already proves the end of all these launches, so that no call is needed */
export async function provenEnd(records: Records, attempts: readonly Attempt[]): Promise<Receipt | undefined> {
  const receipt = await receiptRecord.read(records)
  const tokens = attempts.map(attempt => attempt.token)
  return receipt !== undefined && covers(receipt, tokens) ? receipt : undefined
}

/**
 * Ends a lease, whatever is known of it: by its records, by attempts known from elsewhere, and by its mark. Writes the
 * receipt into the run directory.
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
  const receipt = await endMachines({
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
  await receiptRecord.write(records, receipt)
  return receipt
}
