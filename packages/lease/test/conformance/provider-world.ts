import type { Clock } from '@gpu-actions/action-kit/ports'
import type { GpuProvider, LaunchFault, Offer, Place } from '../../src/index.ts'

/** A provider as the port sees it, without planning: what a wish is, each provider says for itself. */
export type Provider = Omit<GpuProvider, 'plan'>

/** Something that lives and costs, told by the world itself and not by the provider under test. */
export interface Living {
  readonly kind: 'machine' | 'volume' | 'interface' | 'request'
  readonly id: string
}

/**
 * A provider with a world behind it that can be asked and troubled. Every world is fresh: nothing lives in it but what
 * the suite makes. What a provider has no notion of is left out, and what needs it is not tested.
 */
export interface ProviderWorld {
  readonly provider: Provider
  /** `sleep` moves the world's time too, so that nothing has to be waited for. */
  readonly clock: Clock
  /** The service's clock: marks of expiry are written on it. Milliseconds since the epoch. */
  now(): number
  /** At least two that can be launched now; all in `places`. */
  readonly offers: readonly [Offer, Offer, ...Offer[]]
  /** Where `find` is to look. */
  readonly places: readonly [Place, ...Place[]]
  /** Everything that lives and can still cost, whoever made it; what only the world has brought up is not in it. */
  living(): Promise<readonly Living[]>
  /** The next launch call is refused with this class; nothing is launched. */
  readonly refuseNext?: (fault: LaunchFault) => Promise<void>
  /** Classes that `refuseNext` can bring about. */
  readonly refusals?: readonly LaunchFault[]
  /** The next launch call is carried out, at once or within `lateMs`, and its reply is lost. */
  loseNextReply(): Promise<void>
  /** How long after a lost reply its machine may come to life, in milliseconds; 0 when the call itself makes it. */
  readonly lateMs: number
  /** The next launch call never reaches the service, and nobody is told. */
  readonly loseNextCall?: () => Promise<void>
  /** Somebody else's machines: without marks, of another repository, and with marks that look like ours. Their ids. */
  addForeign(repository: string, leaseId: string): Promise<readonly string[]>
  /** Until `mend` every call about this place fails. */
  breakPlace(place: Place): Promise<void>
  mend(): Promise<void>
  /** The machine's own system shuts down. */
  shutDownGuest(id: string): Promise<void>
  /** A new machine of another lease gets the id of one that has ended, where ids come round again. */
  readonly reuseId?: (id: string) => Promise<void>
  /** The provider takes a machine back. */
  readonly interrupt?: (id: string) => Promise<void>
  /** Leaves something behind that carries the marks of a lease and no machine uses. */
  readonly leaveStray?: (repository: string, leaseId: string, expiresAt: number) => Promise<Living>
  close(): Promise<void>
}
