import { messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { leftOfStray } from './place-end.ts'
import type { Stray, SweepingProvider } from './provider.ts'
import type { Left, Machine, Place, Receipt } from './records.ts'
import type { SweepRow } from './sweep-report.ts'
import { endMachines, uniquePlaces } from './teardown.ts'
import { teardownTimes, type TeardownTimes } from './teardown-times.ts'

interface Ending {
  readonly provider: SweepingProvider
  readonly clock: Clock
  readonly log: Log
  readonly repository: string
  readonly deadline: number
  readonly times?: TeardownTimes
  isFinal(error: unknown): boolean
}

/** A thing by its place too: ids are only unique where they were given. */
export const keyOf = (thing: { readonly id: string; readonly place: Place | null }): string =>
  `${thing.place?.account}/${thing.place?.region}/${thing.id}`

/** What became of an overdue thing. */
export interface End {
  readonly outcome: SweepRow['outcome']
  readonly left?: Left
}

export interface Ends {
  /** By `keyOf`. */
  readonly ends: ReadonlyMap<string, End>
  readonly problems: readonly string[]
}

/** The same loop as a teardown, and the same proof. Each place in its own right. */
export async function endOverdueMachines(setting: Ending, machines: readonly Machine[]): Promise<Ends> {
  const { provider, repository } = setting
  const groups = new Map<string, Machine[]>()
  for (const machine of machines) {
    const key = `${machine.place.account}/${machine.place.region}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [machine])
    else group.push(machine)
  }
  const receipts = await Promise.all(
    [...groups.values()].map(async group => ({
      group,
      receipt: await endMachines({
        ...setting,
        search: { by: 'id', repository, ids: group.map(machine => machine.id) },
        places: [],
        known: group,
        attempts: [],
      }),
    })),
  )
  return {
    ends: new Map(receipts.flatMap(({ group, receipt }) => [...endsOf(provider, group, receipt)])),
    problems: [...new Set(receipts.flatMap(({ receipt }) => receipt.problems))],
  }
}

/** What a receipt says of each machine; maps, because there may be thousands. */
function endsOf(provider: SweepingProvider, machines: readonly Machine[], receipt: Receipt): ReadonlyMap<string, End> {
  const ended = new Map(receipt.machines.map(machine => [keyOf(machine), machine]))
  const left = new Map(receipt.left.map(thing => [keyOf(thing), thing]))
  const ending = new Set(receipt.ending)
  return new Map(
    machines.map((machine): [string, End] => {
      const key = keyOf(machine)
      const end = ended.get(key)
      const parts = [machine.id, ...(end?.volumes ?? []), ...(end?.interfaces ?? []), ...(end?.requests ?? [])]
      const open = parts.flatMap(id => left.get(keyOf({ id, place: machine.place })) ?? [])[0]
      if (open !== undefined) return [key, { outcome: 'left', left: open }]
      if (end !== undefined && end.goneAt !== null) return [key, { outcome: 'gone' }]
      if (ending.has(machine.id)) return [key, { outcome: 'ending' }]
      return [key, { outcome: 'left', left: provider.describeMachine(machine) }]
    }),
  )
}

/** Orders strays to end and looks until none of them is shown. */
export async function endOverdueStrays(setting: Ending, strays: readonly Stray[]): Promise<Ends> {
  const { provider, clock, repository } = setting
  const times = setting.times ?? teardownTimes
  const ends = new Map<string, End>(strays.map(stray => [keyOf(stray), { outcome: 'left', left: leftOfStray(stray) }]))
  const problems = new Set<string>()
  let open = strays
  for (let pause = times.firstPauseMs; open.length > 0; pause = Math.min(pause * 1.5, times.maxPauseMs)) {
    try {
      for (const { fault, message } of await provider.endStrays(open)) {
        if (fault !== 'not-found') problems.add(message)
      }
      const places = uniquePlaces(open.flatMap(({ place }) => place ?? []))
      const shown = new Set((await provider.strays(repository, places)).map(keyOf))
      for (const stray of open) if (!shown.has(keyOf(stray))) ends.set(keyOf(stray), { outcome: 'gone' })
      open = open.filter(stray => shown.has(keyOf(stray)))
    } catch (error) {
      problems.add(messageOf(error))
      if (setting.isFinal(error)) break
    }
    const remainingMs = setting.deadline - clock.now()
    if (open.length === 0 || remainingMs <= 0) break
    await clock.sleep(Math.min(pause, remainingMs))
  }
  return { ends, problems: [...problems] }
}
