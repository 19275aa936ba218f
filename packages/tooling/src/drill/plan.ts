import type { Fault } from '@gpu-actions/offline-cloud'
import { planCloud, type CloudPlan } from './plan-cloud.ts'
import { createRandom, seedOf, type Random } from './random.ts'

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

const everywhere: readonly Moment[] = [
  'before-intent',
  'intent',
  'in-flight',
  'launched',
  'starting',
  'working',
  'teardown',
  'post',
]

const momentsOf: Readonly<Record<Death, readonly Moment[]>> = {
  nothing: ['any'],
  'step-fails': ['working'],
  kill: everywhere,
  cancel: everywhere,
  // It strikes when the time is up, wherever the job is then.
  'time-out': ['any', 'any', 'any'],
  'runner-lost': everywhere,
  'lost-reply': ['in-flight', 'in-flight'],
  throttling: ['before-intent', 'in-flight', 'starting', 'teardown', 'post'],
  credentials: ['launched', 'starting', 'working', 'teardown'],
  'outputs-lost': ['any'],
  'results-down': ['any'],
}

/** Every death at every moment at which it makes sense; repeated ones weigh more. */
const strikes = deaths.flatMap(death => momentsOf[death].map(moment => ({ death, moment })))

export type Layout = 'one-job' | 'two-leases' | 'matrix' | 'two-jobs' | 'three-jobs'

/** How the clean-up finds what it has to end: not at all, by the run directory, by ids from outputs, by the run. */
export type Cleanup = 'none' | 'records' | 'ids' | 'run'

export interface WorkflowPlan {
  readonly layout: Layout
  readonly cleanup: Cleanup
  readonly onJobEnd: 'terminate' | 'keep'
  /** `configure`: aws-actions/configure-aws-credentials; `role`: the actions' own `role-to-assume`. */
  readonly login: 'configure' | 'role'
  readonly waitFor: 'running' | 'ssm'
  readonly market: 'on-demand' | 'spot' | 'spot-then-on-demand'
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

/** The drill of a seed at an index; the same for the same two, whatever else is drilled beside it. */
export function drillOf(seed: string, index: number): Drill {
  const deck = createRandom(seedOf(seed, 'deck', Math.floor(index / strikes.length))).shuffle(strikes)
  const card = deck[index % strikes.length]
  if (card === undefined) throw new Error('a deck without cards')
  const random = createRandom(seedOf(seed, 'drill', index))
  const workflow = planWorkflow(random, card.death, card.moment)
  const cloud = planCloud(random, card, workflow)
  return {
    seed,
    index,
    runId: 1_000_000_000 + (seedOf(seed, 'run', index) % 9_000_000_000),
    workflow,
    strike: {
      ...card,
      delaySeconds: random.between(0, card.moment === 'starting' || card.moment === 'teardown' ? 1.2 : 0.4),
      atTerminate: random.chance(0.5),
      lateSeconds: random.between(0, 2.5),
      launchCall: 1 + refusedLaunches(cloud.faults),
      victim: random.pick([0, 1]),
      wholeRun: random.chance(0.5),
      stormCalls: random.integer(5, 20),
    },
    cloud,
    bystanders: random.shuffle([0, 1, 2, 3, 4, 5]).slice(0, 2),
  }
}

const refusedLaunches = (faults: readonly Fault[]): number =>
  faults.flatMap(({ kind, count }) => (kind === 'capacity' ? [count ?? 1] : [])).reduce((a, b) => a + b, 0)

function planWorkflow(random: Random, death: Death, moment: Moment): WorkflowPlan {
  const layout = layoutOf(random, death, moment)
  const apart = hasOwnCleanupJob({ layout })
  const needsTeardown = moment === 'teardown'
  const cleanup: Cleanup = apart
    ? random.pick(['ids', 'run'])
    : random.pick(needsTeardown ? ['records', 'ids'] : ['records', 'records', 'ids', 'none'])
  const kept = !apart && cleanup === 'none' && death === 'nothing' && random.chance(0.3)
  return {
    layout,
    cleanup,
    onJobEnd: apart || kept ? 'keep' : 'terminate',
    login: 'configure',
    waitFor: random.pick(['running', 'ssm', 'ssm']),
    market: 'on-demand',
    regions: ['us-west-2'],
    // A time-out strikes wherever the job is then: mostly at its work, as outside.
    workSeconds: death === 'time-out' ? 8 : random.between(0.1, moment === 'working' ? 1.5 : 0.4),
    timeoutSeconds: death === 'time-out' ? random.between(1, 14) : null,
    evidence: death === 'results-down' || random.chance(0.15),
    failFast: random.chance(0.5),
    teardownSeconds: null,
  }
}

function layoutOf(random: Random, death: Death, moment: Moment): Layout {
  if (death === 'outputs-lost') return random.pick(['two-jobs', 'three-jobs'])
  if (moment === 'post') return random.pick(['one-job', 'one-job', 'two-leases', 'matrix', 'two-jobs'])
  return random.pick(['one-job', 'one-job', 'one-job', 'two-leases', 'matrix', 'two-jobs', 'two-jobs', 'three-jobs'])
}
