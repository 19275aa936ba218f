import { messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { mayHaveMachine } from './attempt.ts'
import type { EndingProvider, Search, Stray } from './provider.ts'
import type { Attempt, Left, Machine, Place } from './records.ts'
import { isGone, notShown, partsOf, recorded, shown, type Sight } from './sight.ts'
import type { TeardownTimes } from './teardown-times.ts'

export interface PlaceEnding {
  readonly provider: EndingProvider
  readonly clock: Clock
  readonly log: Log
  readonly search: Search
  readonly place: Place
  /** Machines of the place that are known from records and attempts. */
  readonly known: readonly Machine[]
  /** Attempts that were made in the place. */
  readonly attempts: readonly Attempt[]
  /** Nothing is known from elsewhere of what was launched: what is found here must speak for itself. */
  readonly isBlind: boolean
  readonly deadline: number
  readonly waitUntilGone: boolean
  readonly times: TeardownTimes
  isFinal(error: unknown): boolean
}

/** What came of one place. */
export interface PlaceEnd {
  readonly place: Place
  readonly sights: readonly Sight[]
  /** What the last look showed, launches that could not be looked up, and the place itself when it could not be asked. */
  readonly left: readonly Left[]
  /** The search has answered at least once. */
  readonly isSearched: boolean
  readonly problems: readonly string[]
  /** The failure that made another look pointless, or the last one; undefined without any. */
  readonly error: unknown
}

interface Progress {
  readonly sights: Map<string, Sight>
  /** When the last search that was answered began; undefined before the first. */
  searchedAt: number | undefined
  /** Searches that were answered. */
  searches: number
  /** What can still cost, after the last look; undefined when it could not be taken. */
  left: readonly Left[] | undefined
  /** Strays of the lease after the last look; undefined when it could not be taken. */
  strays: readonly Stray[] | undefined
  readonly problems: Set<string>
  lastError: unknown
  final: unknown
}

/**
 * Ends everything of a search in one place: finds, orders, and looks until it is gone. Nothing is "gone" because it was
 * ordered to end, or because it was not seen once. Another place that fails or hangs is of no concern here.
 * @returns never rejects
 */
export async function endInPlace(setting: PlaceEnding): Promise<PlaceEnd> {
  const { clock, times } = setting
  // The runner may have died long after the intent: the call can be as young as this moment.
  const settledAt = clock.now() + times.settlingMs
  const progress: Progress = {
    sights: new Map(setting.known.map(machine => [machine.id, recorded(machine)])),
    searchedAt: undefined,
    searches: 0,
    left: undefined,
    strays: undefined,
    problems: new Set(),
    lastError: undefined,
    final: undefined,
  }
  for (let pause = times.firstPauseMs; ; pause = Math.min(pause * 1.5, times.maxPauseMs)) {
    await round(setting, progress)
    const isSettled =
      isSearchedEnough(setting, progress) &&
      (openLaunches(setting, progress).length === 0 || (progress.searchedAt ?? 0) >= settledAt)
    const isEnough = setting.waitUntilGone ? isClean(setting, progress) : isOrdered(progress)
    const remainingMs = setting.deadline - clock.now()
    if (progress.final !== undefined || (isSettled && isEnough) || remainingMs <= 0) break
    await clock.sleep(Math.min(pause * (0.75 + clock.random() / 2), remainingMs))
  }
  return account(setting, progress, settledAt)
}

/**
 * When something was seen or ordered, for the receipt and beside the launches that the provider dates. Pauses and
 * deadlines are the runner's own time: how far the two are apart shows only with the first reply.
 */
const seenAt = ({ provider, clock }: PlaceEnding): number => provider.serviceNow?.() ?? clock.now()

/** Launches that may have made a machine, of which none has been found. */
function openLaunches(setting: PlaceEnding, progress: Progress): readonly Attempt[] {
  const tokens = new Set([...progress.sights.values()].map(({ machine }) => machine.token))
  return setting.attempts.filter(
    attempt => mayHaveMachine(attempt) && attempt.outcome?.kind !== 'launched' && !tokens.has(attempt.token),
  )
}

/** Where no record says what there was, one empty answer is not enough: reads lag behind. */
const isSearchedEnough = (setting: PlaceEnding, progress: Progress): boolean =>
  progress.searches >= (setting.isBlind && progress.sights.size === 0 ? 2 : 1)

const isEverythingGone = (setting: PlaceEnding, progress: Progress): boolean =>
  [...progress.sights.values()].every(sight => isGone(sight, setting.times.settlingMs))

const isOrdered = (progress: Progress): boolean =>
  [...progress.sights.values()].every(sight => isEnding(sight) || sight.terminatedAt !== null)

const isClean = (setting: PlaceEnding, progress: Progress): boolean =>
  progress.left?.length === 0 &&
  isEverythingGone(setting, progress) &&
  (!needsStrays(setting, progress) || progress.strays?.length === 0)

/**
 * What belonged to a known machine, the look at the machine shows. Where none is known any more, only the marks on what
 * it has left behind can tell.
 */
const needsStrays = (setting: PlaceEnding, progress: Progress): boolean =>
  setting.provider.strays !== undefined &&
  setting.search.by === 'lease' &&
  progress.sights.size === 0 &&
  (setting.isBlind || setting.attempts.some(mayHaveMachine))

/** One search, one order to end, one look; each is tried even when another fails. */
async function round(setting: PlaceEnding, progress: Progress): Promise<void> {
  for (const step of [searchOnce, order, look, lookForStrays]) {
    try {
      await step(setting, progress)
    } catch (error) {
      progress.problems.add(messageOf(error))
      progress.lastError = error
      if (setting.isFinal(error)) progress.final ??= error
    }
  }
}

async function searchOnce(setting: PlaceEnding, progress: Progress): Promise<void> {
  const open = openLaunches(setting, progress)
  // Once everything that was launched has been found, only its end is looked at.
  if (isSearchedEnough(setting, progress) && open.length === 0) return
  const { search, place, clock } = setting
  const begun = clock.now()
  if (search.by === 'id' && search.ids.every(id => progress.sights.has(id))) {
    Object.assign(progress, { searchedAt: begun, searches: progress.searches + 1 })
    return
  }
  const tokens = setting.attempts.filter(mayHaveMachine).map(attempt => attempt.token)
  const found = await setting.provider.find(search.by === 'lease' ? { ...search, tokens } : search, [place])
  Object.assign(progress, { searchedAt: begun, searches: progress.searches + 1 })
  for (const machine of found) see(setting, progress, machine)
}

function see(setting: PlaceEnding, progress: Progress, machine: Machine): void {
  const before = progress.sights.get(machine.id)
  const token = machine.token ?? before?.machine.token
  const attempt = setting.attempts.find(one => one.token === token)
  progress.sights.set(machine.id, shown(before, machine, attempt?.offer, seenAt(setting)))
}

const isEnding = ({ machine }: Sight): boolean => machine.state === 'ending' || machine.state === 'gone'

/** Orders to end what has not begun to, and what has left an open request. A refusal is a problem of that machine alone. */
async function order(setting: PlaceEnding, progress: Progress): Promise<void> {
  const requests = new Set(progress.left?.filter(({ kind }) => kind === 'request').map(({ id }) => id))
  const wanted = [...progress.sights.values()].filter(
    sight => !isEnding(sight) || sight.machine.requests.some(id => requests.has(id)),
  )
  if (wanted.length === 0) return
  const refusals = await setting.provider.terminate(wanted.map(({ machine }) => machine))
  const refused = new Map(refusals.map(refusal => [refusal.id, refusal]))
  const now = seenAt(setting)
  const ordered: string[] = []
  for (const sight of wanted) {
    const { id } = sight.machine
    const refusal = refused.get(id)
    if (refusal !== undefined) {
      if (refusal.fault !== 'not-found') progress.problems.add(refusal.message)
      continue
    }
    if (isEnding(sight) || sight.terminatedAt !== null) continue
    ordered.push(id)
    // Looks from before the order do not count: a new machine is not shown yet, one that has ended is not any more.
    progress.sights.set(id, { ...sight, terminatedAt: now, unseen: null })
  }
  if (ordered.length > 0) setting.log.info(`Ordered to end: ${ordered.join(', ')}`)
}

async function look(setting: PlaceEnding, progress: Progress): Promise<void> {
  progress.left = undefined
  const machines = [...progress.sights.values()].map(({ machine }) => machine)
  const remains = machines.length === 0 ? { machines: [], left: [] } : await setting.provider.remains(machines)
  const now = seenAt(setting)
  const ids = new Set(remains.machines.map(machine => machine.id))
  for (const [id, sight] of progress.sights)
    if (!ids.has(id)) progress.sights.set(id, notShown(sight, setting.clock.now(), now))
  for (const machine of remains.machines) see(setting, progress, machine)
  // Machines that were named by their ids may have siblings of the same lease that live on, with all that is theirs.
  const parts = new Set([...progress.sights.values()].flatMap(partsOf))
  progress.left = setting.search.by === 'id' ? remains.left.filter(({ id }) => parts.has(id)) : remains.left
  const things = new Set(progress.left.map(({ id }) => id))
  for (const [id, sight] of progress.sights) {
    if (sight.goneAt !== null || partsOf(sight).some(part => things.has(part))) continue
    if (isGone(sight, setting.times.settlingMs)) progress.sights.set(id, { ...sight, goneAt: now })
  }
}

async function lookForStrays(setting: PlaceEnding, progress: Progress): Promise<void> {
  const { provider, search, place } = setting
  if (provider.strays === undefined || search.by !== 'lease' || !needsStrays(setting, progress)) return
  const before = new Set(progress.strays?.map(({ id }) => id))
  progress.strays = undefined
  const found = await provider.strays(search.repository, [place])
  const strays = found.filter(stray => stray.leaseId === search.leaseId)
  progress.strays = strays
  // What goes with its machine needs a moment after it: only what is still there in a second look is ordered to end.
  const lasting = strays.filter(({ id }) => before.has(id))
  if (lasting.length === 0 || provider.endStrays === undefined) return
  for (const { message, fault } of await provider.endStrays(lasting)) {
    if (fault !== 'not-found') progress.problems.add(message)
  }
}

/** What a place means for the receipt; whatever could not be seen to be gone is left. */
function account(setting: PlaceEnding, progress: Progress, settledAt: number): PlaceEnd {
  const { provider, place } = setting
  const isSearched = isSearchedEnough(setting, progress)
  const isSettled = progress.searchedAt !== undefined && progress.searchedAt >= settledAt
  const open = isSettled ? [] : openLaunches(setting, progress)
  const strays = needsStrays(setting, progress) ? (progress.strays ?? []) : []
  const isUnknown =
    !isSearched ||
    (progress.left === undefined && progress.sights.size > 0 && isEverythingGone(setting, progress)) ||
    (needsStrays(setting, progress) && progress.strays === undefined)
  const sights = [...progress.sights.values()]
  const isToldOtherwise =
    open.length + strays.length + (progress.left?.length ?? 0) > 0 ||
    sights.some(sight => !isEnding(sight) && !isGone(sight, setting.times.settlingMs))
  return {
    place,
    sights,
    left: [
      ...(progress.left ?? []),
      ...strays.map(leftOfStray),
      ...open.map(attempt => provider.describeLaunch(attempt.token, place)),
      ...(isUnknown && !isToldOtherwise ? [unaskedPlace(provider, place)] : []),
    ],
    isSearched: progress.searches > 0,
    problems: [...progress.problems],
    error: progress.final ?? progress.lastError,
  }
}

export const leftOfStray = ({ kind, id, name, place, state, consoleLink, byHand }: Stray): Left => ({
  kind,
  id,
  ...(name === undefined ? {} : { name }),
  place,
  state,
  consoleLink,
  byHand,
})

/** A place that could not be asked may hold anything: it is left. */
const unaskedPlace = (provider: EndingProvider, place: Place): Left => ({
  ...(provider.describePlace?.(place) ?? {
    kind: 'place',
    id: `${place.account}/${place.region}`,
    place,
    consoleLink: '',
    byHand: `look for what the lease may have in ${place.region} of account ${place.account}`,
  }),
  state: 'could not be asked',
})
