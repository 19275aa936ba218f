import { messageOf, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { EndedResource, Left, Place, Receipt } from './records.ts'
import { teardownTimes, type TeardownTimes } from './teardown-times.ts'

/** Something that belongs to a lease beside its machines. What it is, its owner knows. */
export interface Resource {
  /** A word such as `cluster`. With `id` it tells resources apart. */
  readonly kind: string
  readonly id: string
  /** What a person calls it, where that is not the id. */
  readonly name: string | null
  /** Where it is, in words: a host, a region. */
  readonly place: string
  /** Where it is among the provider's accounts; null outside of them. */
  readonly account: Place | null
  /** Where a person looks at it, and what ends it by hand. */
  readonly consoleLink: string
  readonly byHand: string
  /** Orders its end. That there is none (any more) is success. */
  end(): Promise<void>
  /** Whether a read shows that there is none. */
  isGone(): Promise<boolean>
  /** A failure that no repetition can overcome. */
  isFinal(error: unknown): boolean
}

export interface ResourcesEnding {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warning'>
  /** Milliseconds since the epoch. */
  readonly deadline: number
  /** false: one look after the order to end is enough, whatever it shows. */
  readonly waitUntilGone?: boolean
  readonly times?: TeardownTimes
}

/** How a resource ended: for the receipt, and what is left of it. */
export interface ResourceEnd {
  readonly resource: EndedResource
  /** null when it was seen gone */
  readonly left: Left | null
}

const called = ({ name, id }: Pick<Resource, 'name' | 'id'>): string => name ?? id

/**
 * Ends one resource: orders it, and reads until there is none. Either is tried even when the other fails: an order whose
 * reply was lost may have been carried out.
 * @returns never rejects
 */
export async function endResource(resource: Resource, setting: ResourcesEnding): Promise<ResourceEnd> {
  const { clock, log, deadline, waitUntilGone = true } = setting
  const { firstPauseMs, maxPauseMs } = setting.times ?? teardownTimes
  let ordered = false
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, maxPauseMs)) {
    const [order, gone] = [await tried(() => resource.end()), await tried(() => resource.isGone())]
    if (!ordered && order.error === undefined) {
      ordered = true
      log.info(`Ordered to end: ${resource.kind} ${called(resource)} (${resource.place})`)
    }
    if (gone.value === true) return seenGone(resource, clock.now())
    const errors = [order.error, gone.error].filter(error => error !== undefined)
    const problem = errors[0] === undefined ? 'it was ordered to end, and is still there' : messageOf(errors[0])
    const remainingMs = deadline - clock.now()
    if (!waitUntilGone || remainingMs <= 0 || errors.some(error => resource.isFinal(error))) {
      log.warning(`The ${resource.kind} ${called(resource)} (${resource.place}) was not ended: ${problem}`)
      return notGone(resource, gone.value === false ? 'still there' : 'unknown', problem)
    }
    await clock.sleep(Math.min(pause * (0.75 + clock.random() / 2), remainingMs))
  }
}

/** Ends resources, each in its own right: one that fails holds up no other. */
export const endResources = (
  resources: readonly Resource[],
  setting: ResourcesEnding,
): Promise<readonly ResourceEnd[]> => Promise.all(resources.map(resource => endResource(resource, setting)))

interface Tried<T> {
  readonly value?: T
  readonly error?: unknown
}

async function tried<T>(work: () => Promise<T>): Promise<Tried<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    return { error: error ?? 'it gave no reason' }
  }
}

const named = ({ kind, id, name, place }: Resource) => ({ kind, id, name, place })

const seenGone = (resource: Resource, now: number): ResourceEnd => ({
  resource: { ...named(resource), goneAt: new Date(now).toISOString(), problem: null },
  left: null,
})

const notGone = (resource: Resource, state: string, problem: string): ResourceEnd => ({
  resource: { ...named(resource), goneAt: null, problem },
  left: {
    kind: resource.kind,
    id: resource.id,
    ...(resource.name === null ? {} : { name: resource.name }),
    place: resource.account,
    state,
    consoleLink: resource.consoleLink,
    byHand: resource.byHand,
  },
})

const keyOf = ({ kind, id }: { readonly kind: string; readonly id: string }): string => JSON.stringify([kind, id])

/** The receipt with what became of resources; what it said of the same ones before is replaced. */
export function withResources(receipt: Receipt, ends: readonly ResourceEnd[]): Receipt {
  if (ends.length === 0) return receipt
  const told = new Set(ends.map(({ resource }) => keyOf(resource)))
  const left = [
    ...receipt.left.filter(thing => !told.has(keyOf(thing))),
    ...ends.flatMap(end => (end.left === null ? [] : [end.left])),
  ]
  const resources = [
    ...receipt.resources.filter(resource => !told.has(keyOf(resource))),
    ...ends.map(({ resource }) => resource),
  ]
  return { ...receipt, resources, left, remaining: left.length }
}

/** What a receipt tells of resources, for the next receipt: who looks at machines only must not forget the rest. */
export const resourceEnds = (receipt: Receipt): readonly ResourceEnd[] =>
  receipt.resources.map(resource => ({
    resource,
    left: receipt.left.find(thing => keyOf(thing) === keyOf(resource)) ?? null,
  }))

/** A receipt for resources alone: where no machine was leased. */
export function resourceReceipt(
  owner: { readonly leaseId: string | null; readonly provider: string; readonly repository: string },
  ends: readonly ResourceEnd[],
  time: { readonly startedAt: number; readonly finishedAt: number },
): Receipt {
  const bare: Receipt = {
    schema: 'gpu-actions/receipt@1',
    ...owner,
    places: [],
    tokens: [],
    startedAt: new Date(time.startedAt).toISOString(),
    finishedAt: new Date(time.finishedAt).toISOString(),
    machines: [],
    resources: [],
    left: [],
    remaining: 0,
    ending: [],
    billedSeconds: 0,
    costUsd: 0,
    problems: [],
  }
  return withResources(bare, ends)
}

/** Whether a receipt proves that these resources are gone. */
export const provesGone = (receipt: Receipt, resources: readonly Pick<Resource, 'kind' | 'id'>[]): boolean =>
  resources.every(wanted =>
    receipt.resources.some(resource => keyOf(resource) === keyOf(wanted) && resource.goneAt !== null),
  )
