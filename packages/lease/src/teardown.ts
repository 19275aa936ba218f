import { OutsideFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { endInPlace } from './place-end.ts'
import type { EndingProvider, Search } from './provider.ts'
import { makeReceipt, type MachineUse } from './receipt.ts'
import type { Attempt, Machine, Place, Receipt } from './records.ts'
import { isGone, launchedMachines } from './sight.ts'
import { teardownTimes, type TeardownTimes } from './teardown-times.ts'

export interface Teardown {
  readonly provider: EndingProvider
  readonly clock: Clock
  readonly log: Log
  readonly search: Search
  /** Where to look, beside the places of the attempts and of the known machines. */
  readonly places: readonly Place[]
  /** Machines that a record names; the provider may not show them any more. */
  readonly known: readonly Machine[]
  /** Attempts of the lease; those of unknown outcome are waited for. */
  readonly attempts: readonly Attempt[]
  /** Milliseconds since the epoch. */
  readonly deadline: number
  /** false: one look after the order to end is enough, whatever it shows. */
  readonly waitUntilGone?: boolean
  /** What is known of the use of machines, by id. */
  readonly use?: ReadonlyMap<string, MachineUse>
  readonly times?: TeardownTimes
  /** A failure that no repetition can overcome, such as missing permissions or another account. */
  isFinal(error: unknown): boolean
}

const placeKey = (place: Place): string => `${place.account}/${place.region}`

export const uniquePlaces = (places: readonly Place[]): readonly Place[] => [
  ...new Map(places.map(place => [placeKey(place), place])).values(),
]

/**
 * Ends everything that the search finds and the records name, in every place in its own right, looks until it is gone,
 * and says what was seen. A place that cannot be asked is a problem of its own, stops no other, and is left on the
 * receipt: it may hold anything.
 * @throws OutsideFault or what the search threw, when nothing at all is known of what there was
 */
export async function endMachines(setting: Teardown): Promise<Receipt> {
  const { clock, log, provider, search, attempts } = setting
  const times = setting.times ?? teardownTimes
  const startedAt = clock.now()
  const leaseId = search.by === 'lease' ? search.leaseId : null
  const known = [...launchedMachines(attempts, { repository: search.repository, leaseId }), ...setting.known]
  const places = uniquePlaces([
    ...setting.places,
    ...attempts.map(attempt => attempt.offer.place),
    ...known.map(machine => machine.place),
  ])
  if (places.length === 0) throw nowhere(search)
  const isBlind = known.length === 0 && attempts.length === 0
  const isIn = (place: Place) => (other: Place) => placeKey(other) === placeKey(place)
  const ends = await Promise.all(
    places.map(place =>
      endInPlace({
        ...setting,
        place,
        known: known.filter(machine => isIn(place)(machine.place)),
        attempts: attempts.filter(attempt => isIn(place)(attempt.offer.place)),
        isBlind,
        waitUntilGone: setting.waitUntilGone ?? true,
        times,
      }),
    ),
  )
  if (isBlind && ends.every(end => !end.isSearched)) throw ends[0]?.error
  const problems = [...new Set(ends.flatMap(end => end.problems))]
  for (const problem of problems) log.warning(problem)
  return makeReceipt({
    provider,
    leaseId,
    repository: search.repository,
    places,
    tokens: attempts.map(attempt => attempt.token),
    startedAt,
    finishedAt: clock.now(),
    sights: ends.flatMap(end => end.sights),
    left: ends.flatMap(end => end.left),
    problems,
    use: setting.use ?? new Map(),
    isGone: sight => isGone(sight, times.settlingMs),
  })
}

const nowhere = (search: Search): OutsideFault =>
  new OutsideFault({
    what: `Nobody knows where to look for ${search.by === 'lease' ? `lease ${search.leaseId}` : 'the machines'}: no place is given, and no record names one`,
    advice: 'Name the regions in which it may have been launched.',
  })
