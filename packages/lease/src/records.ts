import * as v from 'valibot'
import { launchFaults } from './launch-fault.ts'
import { count, instant, kind, list, object, placeSchema } from './record-kind.ts'

const ownerSchema = object({
  /** `owner/name` */
  repository: v.string(),
  runId: v.string(),
  /** The run's attempt, from 1. */
  attempt: count,
  /** The job's id in the workflow file. */
  job: v.string(),
})

const priceSchema = object({
  /** Decimal USD per hour. */
  usdPerHour: v.number(),
  source: v.string(),
  /** The day the price was read, `YYYY-MM-DD`. */
  date: v.string(),
})

/** How a machine is paid. A capacity block is paid in advance: its machines have no price of their own. */
export const markets = ['on-demand', 'spot', 'capacity-block'] as const

/** Something that is billed beside the machine itself while it lives. */
const extraSchema = object({
  what: v.picklist(['storage', 'address']),
  usdPerHour: v.number(),
  source: v.string(),
  date: v.string(),
})

const gpuSchema = object({ name: v.string(), count, memoryMib: count })

const offerSchema = object({
  instanceType: v.string(),
  place: placeSchema,
  zone: v.nullable(v.string()),
  subnet: v.nullable(v.string()),
  market: v.picklist(markets),
  /** The capacity reservation that it is launched into; null without one. */
  reservation: v.optional(v.nullable(v.string()), null),
  /** The provider's limit that it counts against: a refusal for it speaks for every offer with the same one. */
  quota: v.optional(v.nullable(v.string()), null),
  /** Of the machine itself; null when unknown, and for what is paid in advance. */
  price: v.nullable(priceSchema),
  /** null when unknown */
  extras: v.optional(v.nullable(list(extraSchema)), null),
  gpu: v.nullable(gpuSchema),
})

export const machineStates = ['starting', 'running', 'stopping', 'stopped', 'ending', 'gone'] as const

const machineSchema = object({
  id: v.string(),
  place: placeSchema,
  instanceType: v.string(),
  zone: v.nullable(v.string()),
  state: v.picklist(machineStates),
  /** The provider's own word for why it is in this state. */
  stateReason: v.nullable(object({ code: v.string(), message: v.string() })),
  launchedAt: v.nullable(instant),
  /** When it began to end, as the provider tells it. */
  endedAt: v.nullable(instant),
  token: v.nullable(v.string()),
  leaseId: v.nullable(v.string()),
  repository: v.nullable(v.string()),
  privateIp: v.nullable(v.string()),
  publicIp: v.nullable(v.string()),
  /** What its marks say of its lease; null where they say nothing. */
  runId: v.optional(v.nullable(v.string()), null),
  job: v.optional(v.nullable(v.string()), null),
  expiresAt: v.optional(v.nullable(instant), null),
  market: v.optional(v.nullable(v.picklist(markets)), null),
  volumes: list(v.string()),
  interfaces: list(v.string()),
  /** What asked for the machine and outlives it, such as a spot request. */
  requests: v.optional(list(v.string()), []),
  /** Of the machine itself, decimal USD per hour at launch, null when unknown. */
  price: v.nullable(priceSchema),
  /** null when unknown */
  extras: v.optional(v.nullable(list(extraSchema)), null),
})

const launchOutcomeSchema = v.variant('kind', [
  object({ kind: v.literal('launched'), machines: list(v.string()) }),
  object({
    kind: v.literal('refused'),
    fault: v.picklist(launchFaults),
    code: v.string(),
    message: v.string(),
    advice: v.string(),
    requestId: v.nullable(v.string()),
  }),
  /** Nobody knows whether a machine was started; whoever ends the lease looks the token up. */
  object({ kind: v.literal('unknown'), message: v.string() }),
])

const attemptSchema = object({
  /** From 1, over the life of the lease. */
  number: count,
  /** How many times all offers had been tried before, plus 1. */
  round: v.optional(count, 1),
  token: v.string(),
  offer: offerSchema,
  /** When the machine would end itself; null in records of an earlier version. */
  expiresAt: v.optional(v.nullable(instant), null),
  /** When the intent was written down, before the call. */
  at: instant,
  endedAt: v.nullable(instant),
  /** Calls sent with this token. */
  calls: count,
  /** Those of them whose outcome nobody knows; absent in records of an earlier version. */
  lostCalls: v.exactOptional(count),
  /** Time spent backing off within this attempt, in seconds. */
  waitedSeconds: v.number(),
  /** null while the call is under way, or when its caller died */
  outcome: v.nullable(launchOutcomeSchema),
})

/** `lease.json` */
export const leaseSchema = object({
  schema: v.literal('gpu-actions/lease@1'),
  id: v.string(),
  provider: v.string(),
  owner: ownerSchema,
  /** Every place in which a launch was or will be tried. */
  places: list(placeSchema),
  createdAt: instant,
  /** The machine ends itself then, and a sweep may end it. */
  expiresAt: instant,
  ttlSeconds: count,
  guestShutdown: v.picklist(['terminates', 'keeps-billing']),
  onJobEnd: v.picklist(['terminate', 'keep']),
  /** Decimal USD that all hourly costs together may come to until it expires; null without a limit. */
  budgetUsd: v.optional(v.nullable(v.number()), null),
  image: v.nullable(object({ id: v.string(), name: v.nullable(v.string()), architecture: v.nullable(v.string()) })),
  offer: v.nullable(offerSchema),
  /** Every machine that this lease launched, the usable one last. */
  machines: list(machineSchema),
  /** Seen running by the provider. */
  runningAt: v.nullable(instant),
  /** Commands can be run on it. */
  reachableAt: v.nullable(instant),
  /** As far as `wait-for` asked; null when it never came. */
  readyAt: v.nullable(instant),
  waitFor: v.picklist(['running', 'ssm', 'gpu']),
  /** The GPUs that the machine itself showed; null unless `wait-for` was `gpu`. */
  gpus: v.nullable(object({ name: v.string(), count })),
})

/** `attempts.json` */
export const attemptsSchema = object({
  schema: v.literal('gpu-actions/attempts@1'),
  leaseId: v.string(),
  attempts: list(attemptSchema),
  /** Refusals from the middle of a long wait that are not listed, none of which has a machine; absent without any. */
  untold: v.exactOptional(count),
})

const leftSchema = object({
  /** `machine`, `volume`, `interface`, `request`, `launch`, or the kind of a resource, such as `cluster`. */
  kind: v.string(),
  /** The id; for `launch`, the token of a launch whose outcome could not be looked up. */
  id: v.string(),
  /** What a person calls it, where that is not the id. */
  name: v.exactOptional(v.string()),
  /** null for what lies outside of the provider's accounts */
  place: v.nullable(placeSchema),
  state: v.string(),
  /** Where a person looks at it. */
  consoleLink: v.string(),
  /** The exact command that ends it. */
  byHand: v.string(),
})

const endedMachineSchema = object({
  id: v.string(),
  place: placeSchema,
  instanceType: v.string(),
  /** The last state seen. */
  state: v.picklist([...machineStates, 'unseen']),
  stateReason: v.nullable(object({ code: v.string(), message: v.string() })),
  launchedAt: v.nullable(instant),
  /** When the provider accepted to end it; null when it had ended before. */
  terminatedAt: v.nullable(instant),
  /** When a read showed it gone, volumes and interfaces included. */
  goneAt: v.nullable(instant),
  /** First sight of its end. */
  endOfBilling: v.nullable(instant),
  billedSeconds: v.nullable(count),
  price: v.nullable(priceSchema),
  /** null when unknown */
  extras: v.optional(v.nullable(list(extraSchema)), null),
  /** Decimal USD of the machine and what is billed beside it, null when the machine's price is unknown or was prepaid. */
  costUsd: v.nullable(v.number()),
  /** Why there is no cost (prepaid, price unknown), as a sentence; absent when there is one. */
  noCost: v.exactOptional(v.string()),
  /** Why the machine itself cost nothing (an interruption in its first hour), as a sentence; null when it did. */
  freeOfCharge: v.optional(v.nullable(v.string()), null),
  /** From launch until its first use, else until it was usable; null when neither was recorded. */
  wasteSeconds: v.nullable(count),
  /** From the end of its last use to the end of billing; null when no use was recorded. */
  idleSeconds: v.optional(v.nullable(count), null),
  volumes: list(v.string()),
  interfaces: list(v.string()),
  requests: v.optional(list(v.string()), []),
})

/** `use.json`: when the machines of a lease did what they were rented for. */
export const useSchema = object({
  schema: v.literal('gpu-actions/use@1'),
  leaseId: v.string(),
  periods: list(
    object({
      /** The action, such as `run-resnet-benchmark`. */
      by: v.string(),
      startedAt: instant,
      endedAt: instant,
    }),
  ),
})

/** What belongs to a lease beside its machines: a registration elsewhere, a stored secret. Costs nothing by itself. */
const endedResourceSchema = object({
  /** A word such as `cluster` or `parameter`: leases know no kinds. */
  kind: v.string(),
  id: v.string(),
  /** What a person calls it, where that is not the id. */
  name: v.nullable(v.string()),
  /** Where it is, in words: a host, a region. */
  place: v.string(),
  /** When a read showed that there is none (any more). */
  goneAt: v.nullable(instant),
  /** Why it is not gone, or not known to be; null when it is gone. */
  problem: v.nullable(v.string()),
})

/** `receipt.json` */
export const receiptSchema = object({
  schema: v.literal('gpu-actions/receipt@1'),
  /** null when one receipt covers several leases */
  leaseId: v.nullable(v.string()),
  provider: v.string(),
  repository: v.string(),
  places: list(placeSchema),
  /** The launch tokens that this receipt answers for. */
  tokens: list(v.string()),
  startedAt: instant,
  finishedAt: instant,
  machines: list(endedMachineSchema),
  /**
   * Resources that were to end with the machines. The schema stays `@1`: a receipt without the list was written when
   * there were no such resources and says just that, and nothing that it says has changed its meaning.
   */
  resources: v.optional(list(endedResourceSchema), []),
  /** What can still cost money, and the resources that are not gone. */
  left: list(leftSchema),
  /** `left.length`: 0 proves the end. */
  remaining: count,
  /** Machines still ending at the deadline: irreversible and not billed. */
  ending: list(v.string()),
  /** null when it is unknown for any machine */
  billedSeconds: v.nullable(count),
  costUsd: v.nullable(v.number()),
  /** What went wrong while looking or ending, as sentences. */
  problems: list(v.string()),
})

export type Owner = v.InferOutput<typeof ownerSchema>
export type Place = v.InferOutput<typeof placeSchema>
export type Price = v.InferOutput<typeof priceSchema>
export type Market = (typeof markets)[number]
export type Extra = v.InferOutput<typeof extraSchema>
export type Use = v.InferOutput<typeof useSchema>
export type Gpu = v.InferOutput<typeof gpuSchema>
export type Offer = v.InferOutput<typeof offerSchema>
export type Machine = v.InferOutput<typeof machineSchema>
export type MachineState = Machine['state']
export type LaunchOutcome = v.InferOutput<typeof launchOutcomeSchema>
export type Attempt = v.InferOutput<typeof attemptSchema>
export type Lease = v.InferOutput<typeof leaseSchema>
export type Attempts = v.InferOutput<typeof attemptsSchema>
export type Left = v.InferOutput<typeof leftSchema>
export type EndedMachine = v.InferOutput<typeof endedMachineSchema>
export type EndedResource = v.InferOutput<typeof endedResourceSchema>
export type Receipt = v.InferOutput<typeof receiptSchema>

export type { RecordKind } from './record-kind.ts'

export const leaseRecord = kind('lease.json', leaseSchema)
export const attemptsRecord = kind('attempts.json', attemptsSchema)
export const useRecord = kind('use.json', useSchema)
export const receiptRecord = kind('receipt.json', receiptSchema)
