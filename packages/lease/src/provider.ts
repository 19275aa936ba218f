import type { LaunchFault } from './launch-fault.ts'
import type { LaunchOutcome, Left, Machine, Offer, Owner, Place } from './records.ts'

/** What is written down before a launch call is sent, so that its machine can be found whatever dies. */
export interface Intent {
  readonly leaseId: string
  readonly owner: Owner
  /** The number of the attempt in the lease's life, from 1. */
  readonly number: number
  /** The same for every repetition of this call, never that of another offer. */
  readonly token: string
  readonly offer: Offer
  /** When the machine ends itself, milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Whose machines to look for. Every kind is bound to the repository: nothing else may ever be ended. */
export type Search =
  | {
      readonly by: 'lease'
      readonly repository: string
      readonly leaseId: string
      /** Tokens of its intents: they find a machine that shows no tags yet. */
      readonly tokens: readonly string[]
    }
  | { readonly by: 'run'; readonly repository: string; readonly runId: string }
  | { readonly by: 'id'; readonly repository: string; readonly ids: readonly string[] }
  /** Every lease of the repository, for a sweep. */
  | { readonly by: 'repository'; readonly repository: string }

export interface Remains {
  /** A fresh look at each machine that the provider knows; one that it does not know is absent. */
  readonly machines: readonly Machine[]
  /** Everything that can still cost, machines that have not ended included. */
  readonly left: readonly Left[]
}

/** A machine that the provider would not end. */
export interface TerminateRefusal {
  readonly id: string
  /** `not-found` right after a launch is no proof of anything. */
  readonly fault: LaunchFault | 'not-found' | 'protected'
  readonly message: string
}

export interface Plan {
  /** In the order in which to try them. */
  readonly offers: readonly Offer[]
  /** Why others were left out, as sentences. */
  readonly leftOut: readonly string[]
  /** Without any offer: what comes nearest to the wish and would work, as sentences. */
  readonly nearest: readonly string[]
}

/** Something of a lease that is no machine and has outlived its machine, or may: a volume, an interface, a request. */
export interface Stray extends Left {
  readonly leaseId: string
  /** What its mark says, milliseconds since the epoch; null when it says nothing. */
  readonly expiresAt: number | null
  /** Milliseconds since the epoch, null when the provider does not tell. */
  readonly createdAt: number | null
}

/** What providers implement. `W` is the provider's own wish: what to rent. */
export interface GpuProvider<W = never> {
  readonly name: string
  /** Decides whether the guest's own time limit is a layer of the guarantee at all. */
  readonly guestShutdown: 'terminates' | 'keeps-billing'
  /** The least that a started machine is billed, in seconds. */
  readonly minimumBilledSeconds: number
  plan(wish: W): Promise<Plan>
  /** Sends exactly one call. Throws only for faults of our own. */
  launch(offer: Offer, intent: Intent): Promise<LaunchOutcome>
  /**
   * Machines of the search in all the places, ended ones included while the provider still shows them.
   * A machine without the exact repository (and lease) mark is never among them.
   */
  find(search: Search, places: readonly Place[]): Promise<readonly Machine[]>
  /**
   * Asks to end them all, and to close what asked for them (`Machine.requests`); one that cannot be ended does not stop
   * the others. Machines that have ended may be among them when their request is still open: then only that is closed.
   */
  terminate(machines: readonly Machine[]): Promise<readonly TerminateRefusal[]>
  /** One look; requests that are still open are `left` with the kind `request`. */
  remains(machines: readonly Machine[]): Promise<Remains>
  /** What is no machine and carries the exact marks of a lease of the repository; nothing that a living machine uses. */
  strays(repository: string, places: readonly Place[]): Promise<readonly Stray[]>
  /** Asks to end them; one that cannot be ended does not stop the others. */
  endStrays(strays: readonly Stray[]): Promise<readonly TerminateRefusal[]>
  /** Where a person looks for what a launch may have left, and the command that ends it. */
  describeLaunch(token: string, place: Place): Left
  describeMachine(machine: Machine): Left
  /** Where a person looks at a place that could not be asked; what to do there goes into `byHand`. */
  describePlace?(place: Place): Left
  /**
   * The provider's own time, milliseconds since the epoch: what it bills by, and what the launches of its machines are
   * dated by. Absent: the caller's clock has to do.
   */
  serviceNow?(): number
  /** The provider itself took this machine back, as its state reason tells. Absent where that does not happen. */
  isInterruption?(machine: Machine): boolean
  /** A machine that is interrupted before it is so old costs nothing by itself, in seconds. Absent: it always costs. */
  readonly freeInterruptionSeconds?: number
}

/** The ports that launching and ending use. */
export type LaunchingProvider = Pick<GpuProvider, 'launch' | 'find'>
export type EndingProvider = Pick<
  GpuProvider,
  | 'name'
  | 'minimumBilledSeconds'
  | 'find'
  | 'terminate'
  | 'remains'
  | 'describeLaunch'
  | 'describeMachine'
  | 'describePlace'
  | 'serviceNow'
  | 'isInterruption'
  | 'freeInterruptionSeconds'
> &
  Partial<Pick<GpuProvider, 'strays' | 'endStrays'>>
/** The port that a sweep uses. */
export type SweepingProvider = EndingProvider & Pick<GpuProvider, 'strays' | 'endStrays'>
