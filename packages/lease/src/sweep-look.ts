import { messageOf } from '@gpu-actions/action-kit/ports'
import type { Stray, SweepingProvider } from './provider.ts'
import type { Machine, Place } from './records.ts'
import { keyOf } from './sweep-ends.ts'
import { isOverdue, judge, judgedMachine, judgedStray, type Judgement, type SweepRules } from './sweep-rules.ts'

/** Something that was seen, and what its marks make of it. */
export interface Found<T> {
  readonly thing: T
  readonly judgement: Judgement
}

/** One look at one place. */
export interface PlaceLook {
  readonly place: Place
  readonly machines: readonly Found<Machine>[]
  readonly strays: readonly Found<Stray>[]
  /** Machines that the provider shows as ended, by `keyOf`. */
  readonly ended: ReadonlySet<string>
  /** Why a part of it could not be asked. */
  readonly problems: readonly string[]
}

interface Looking extends SweepRules {
  readonly provider: SweepingProvider
  readonly repository: string
  now(): number
}

/**
 * Everything in a place that carries exactly the marks of the repository, judged. What a lease has beside a machine that
 * lives on is left out: whoever owns the machine may still need it.
 * @returns never rejects
 */
export async function lookAtPlace(setting: Looking, place: Place): Promise<PlaceLook> {
  const { provider, repository } = setting
  const [machines, strays] = await Promise.allSettled([
    provider.find({ by: 'repository', repository }, [place]),
    provider.strays(repository, [place]),
  ])
  const now = setting.now()
  // The provider has promised exact marks; ending is too final to take its word alone.
  const ours = (machines.status === 'fulfilled' ? machines.value : []).filter(
    machine => machine.repository === repository && machine.leaseId !== null,
  )
  const found = ours
    .filter(machine => machine.state !== 'gone')
    .map(thing => ({ thing, judgement: judge(judgedMachine(thing), now, setting) }))
  const living = new Set(found.filter(one => !isOverdue(one.judgement)).map(one => one.thing.leaseId))
  const beside = machines.status === 'fulfilled' && strays.status === 'fulfilled' ? strays.value : []
  return {
    place,
    machines: found,
    strays: beside
      .filter(stray => !living.has(stray.leaseId))
      .map(thing => ({ thing, judgement: judge(judgedStray(thing), now, setting) })),
    ended: new Set(ours.filter(machine => machine.state === 'gone').map(keyOf)),
    problems: [machines, strays].flatMap(one => (one.status === 'rejected' ? [messageOf(one.reason)] : [])),
  }
}
