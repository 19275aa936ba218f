import type { Fault, Scenario } from '@gpu-actions/offline-cloud'

/** What dies, or goes wrong, in a drill. */
export const deaths = [
  'nothing',
  'step-fails',
  'kill',
  'cancel',
  'time-out',
  'runner-lost',
  'lost-reply',
  'throttling',
  'credentials',
  'outputs-lost',
  'results-down',
] as const
export type Death = (typeof deaths)[number]

/**
 * When it strikes. `intent`: the intent is written, its call never arrives; `in-flight`: the call is on its way and
 * arrives whatever becomes of its caller; `launched`: the cloud has launched, its caller does not know yet.
 */
export const moments = [
  'before-intent',
  'intent',
  'in-flight',
  'launched',
  'starting',
  'working',
  'teardown',
  'post',
  'any',
] as const
export type Moment = (typeof moments)[number]

export type Layout = 'one-job' | 'two-leases' | 'matrix' | 'two-jobs' | 'three-jobs'

/** How the clean-up finds what it has to end: not at all, by the run directory, by ids from outputs, by the run. */
export type Cleanup = 'none' | 'records' | 'ids' | 'run'

export type Market = 'on-demand' | 'spot' | 'spot-then-on-demand' | 'capacity-block'

export interface WorkflowPlan {
  readonly layout: Layout
  readonly cleanup: Cleanup
  readonly onJobEnd: 'terminate' | 'keep'
  /** `configure`: aws-actions/configure-aws-credentials; `role`: the actions' own `role-to-assume`. */
  readonly login: 'configure' | 'role'
  readonly waitFor: 'running' | 'ssm'
  readonly market: Market
  readonly regions: readonly string[]
  readonly workSeconds: number
  /** Of the jobs that rent. */
  readonly timeoutSeconds: number | null
  readonly evidence: boolean
  readonly failFast: boolean
  /** Of teardown's input, in seconds; null leaves the action's own. */
  readonly teardownSeconds: number | null
}

/** How the death comes. */
export interface Strike {
  readonly death: Death
  readonly moment: Moment
  /** After what the moment hangs on, in seconds. */
  readonly delaySeconds: number
  /** Strikes at the call that ends machines rather than at the start of the step that makes it. */
  readonly atTerminate: boolean
  /** How long a launch call is under way before the cloud gets it. */
  readonly lateSeconds: number
  /** The launch call that counts. */
  readonly launchCall: number
  /** Which of two leases or legs dies. */
  readonly victim: 0 | 1
  /** The loss of a runner: that of all jobs, or that of the job alone. */
  readonly wholeRun: boolean
  /** Calls that a throttling storm refuses. */
  readonly stormCalls: number
  /** Credentials run out because AWS ends every session, or because the time of theirs has gone by. */
  readonly sessionsEnd: boolean
}

export interface Drill {
  readonly seed: string
  readonly index: number
  readonly runId: number
  readonly workflow: WorkflowPlan
  readonly strike: Strike
  readonly cloud: CloudPlan
  /** Which kinds of foreign look-alikes stand in the account. */
  readonly bystanders: readonly number[]
}

export const hasOwnCleanupJob = ({ layout }: Pick<WorkflowPlan, 'layout'>): boolean =>
  layout === 'two-jobs' || layout === 'three-jobs'

/** How the cloud behaves in a drill. */
export interface CloudPlan {
  readonly timings: NonNullable<Scenario['timings']>
  readonly faults: readonly Fault[]
  readonly reservations: NonNullable<Scenario['reservations']>
  /** The machines never boot, though EC2 says running: the guest's time limit is never armed. */
  readonly guestBroken: boolean
}
