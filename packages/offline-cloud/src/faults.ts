import * as v from 'valibot'

/** What can be made to go wrong. */
export const faultKinds = [
  'capacity',
  'denied',
  'throttled',
  'server-error',
  'lost-reply',
  'slow-boot',
  'never-registers',
  'boot-terminated',
  'spot-interruption',
  'expired-credentials',
  'results-down',
  'agent-never-active',
  'job-stuck',
  'unknown-status',
  'drop-request',
  'slow-reply',
  'slow-shutdown',
  'reboot',
  'impaired',
  'latency',
  'sessions-expire',
] as const
export type FaultKind = (typeof faultKinds)[number]

const duration = v.pipe(v.number(), v.minValue(0))

const faultSchema = v.strictObject({
  kind: v.picklist(faultKinds),
  operation: v.exactOptional(v.string()),
  count: v.exactOptional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1)))),
  probability: v.exactOptional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  seed: v.exactOptional(v.pipe(v.number(), v.integer())),
  region: v.exactOptional(v.string()),
  zone: v.exactOptional(v.string()),
  instanceType: v.exactOptional(v.string()),
  seconds: v.exactOptional(duration),
  acceptSeconds: v.exactOptional(duration),
  replySeconds: v.exactOptional(duration),
  afterSeconds: v.exactOptional(duration),
  forSeconds: v.exactOptional(duration),
  stateReason: v.exactOptional(v.string()),
})

/**
 * One fault. `count` is how often it strikes (1 unless given, null = for ever), `probability` how likely it strikes on
 * a call that fits (from a generator with `seed`, 0 unless given). `operation` is `RunInstances` or
 * `ec2:RunInstances`, or `cluster:*` for every call of a service; without it every AWS call fits (of the kinds that
 * only the cluster API knows: every call of it that the kind is about). `afterSeconds` and `forSeconds`, in the cloud's
 * time since it was added, say when it begins to strike and for how long; with `forSeconds` it strikes every call of
 * that time unless `count` says otherwise. `seconds` belongs to the kinds that last or come later, `acceptSeconds` and
 * `replySeconds` (this computer's time) to latency, `stateReason` (a code, such as
 * `Server.InsufficientInstanceCapacity`) to boot-terminated.
 */
export type Fault = v.InferOutput<typeof faultSchema>

export const faultList = v.array(faultSchema)

/** A call, or a launch, that a fault may fit. */
export interface FaultTarget {
  readonly service: 'ec2' | 'ssm' | 'sts' | 'cognito-idp' | 'servicequotas' | 'pricing' | 'github' | 'cluster'
  readonly operation: string
  readonly region?: string
  readonly zone?: string
  readonly instanceType?: string
}

export interface Faults {
  add(faults: readonly Fault[]): void
  clear(): void
  /** The faults that can still strike. */
  list(): readonly Fault[]
  /** The first fault of these kinds that strikes the target; it is used up by one. */
  take(kinds: readonly FaultKind[], target: FaultTarget, fits?: (fault: Fault) => boolean): Fault | null
}

interface Active {
  readonly fault: Fault
  /** When it may strike, in ms of the cloud's clock. */
  readonly from: number
  readonly until: number
  readonly random: () => number
  left: number
}

// mulberry32: small, seedable, good enough to decide whether a fault strikes.
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const same = (wanted: string | undefined, given: string | undefined): boolean =>
  wanted === undefined || wanted === given

const ownKinds: Readonly<Partial<Record<FaultTarget['service'], readonly FaultKind[]>>> = {
  github: ['results-down'],
  cluster: ['agent-never-active', 'job-stuck', 'unknown-status', 'drop-request', 'slow-reply'],
}

/**
 * Whether a fault is about this call. Without `operation` it is about any call to AWS; about GitHub's services and the
 * cluster API only if its kind belongs to them alone.
 */
export function fitsTarget(fault: Fault, target: FaultTarget): boolean {
  const operationFits =
    fault.operation === undefined
      ? (ownKinds[target.service]?.includes(fault.kind) ?? true)
      : [target.operation, `${target.service}:${target.operation}`, `${target.service}:*`].includes(fault.operation)
  return (
    operationFits &&
    same(fault.region, target.region) &&
    same(fault.zone, target.zone) &&
    same(fault.instanceType, target.instanceType)
  )
}

function activeOf(fault: Fault, addedAt: number): Active {
  const from = addedAt + (fault.afterSeconds ?? 0) * 1000
  const isForEver = fault.count === null || (fault.count === undefined && fault.forSeconds !== undefined)
  return {
    fault,
    from,
    until: fault.forSeconds === undefined ? Number.POSITIVE_INFINITY : from + fault.forSeconds * 1000,
    random: seeded(fault.seed ?? 0),
    left: isForEver ? Number.POSITIVE_INFINITY : (fault.count ?? 1),
  }
}

/** `now` gives the cloud's time in ms. */
export function createFaults(now: () => number = Date.now): Faults {
  let active: Active[] = []
  const drop = (): void => {
    const time = now()
    active = active.filter(({ left, until }) => left > 0 && time < until)
  }
  return {
    add(faults) {
      active.push(...faults.map(fault => activeOf(fault, now())))
    },
    clear() {
      active = []
    },
    list() {
      drop()
      return active.map(({ fault }) => fault)
    },
    take(kinds, target, fits = () => true) {
      const time = now()
      for (const entry of active) {
        if (!kinds.includes(entry.fault.kind) || !fitsTarget(entry.fault, target) || !fits(entry.fault)) continue
        if (time < entry.from || time >= entry.until) continue
        if (entry.fault.probability !== undefined && entry.random() >= entry.fault.probability) continue
        entry.left -= 1
        drop()
        return entry.fault
      }
      return null
    },
  }
}

/** Checks a list of faults and names what is wrong with it. */
export function readFaults(value: unknown): readonly Fault[] {
  const result = v.safeParse(faultList, value)
  if (result.success) return result.output
  const wrong = result.issues.map(issue => `${v.getDotPath(issue) ?? 'fault'}: ${issue.message}`)
  throw new RangeError(`The fault is not valid: ${wrong.join('; ')}`)
}
