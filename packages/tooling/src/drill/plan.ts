import type { Fault } from '@gpu-actions/offline-cloud'
import {
  deaths,
  hasOwnCleanupJob,
  moments,
  type Cleanup,
  type Death,
  type Drill,
  type Layout,
  type Moment,
  type WorkflowPlan,
} from './model.ts'
import { planCloud } from './plan-cloud.ts'
import { createRandom, seedOf, type Random } from './random.ts'

const everywhere = moments.filter(moment => moment !== 'any')

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
      sessionsEnd: random.chance(0.5) || cloud.faults.some(({ kind }) => endsMachines.has(kind)),
    },
    cloud,
    bystanders: random.shuffle([0, 1, 2, 3, 4, 5]).slice(0, 2),
  }
}

/** A machine that AWS ended an hour ago is not shown any more: no time may go by for these. */
const endsMachines: ReadonlySet<Fault['kind']> = new Set(['boot-terminated', 'spot-interruption'])

const refusedLaunches = (faults: readonly Fault[]): number =>
  faults.flatMap(({ kind, count }) => (kind === 'capacity' ? [count ?? 1] : [])).reduce((a, b) => a + b, 0)

function planWorkflow(random: Random, death: Death, moment: Moment): WorkflowPlan {
  const layout = layoutOf(random, death, moment)
  const apart = hasOwnCleanupJob({ layout })
  const needsTeardown = moment === 'teardown'
  const cleanup: Cleanup = apart
    ? random.pick(['ids', 'run'])
    : random.pick(needsTeardown ? ['records', 'ids'] : ['records', 'records', 'ids', 'none', 'none'])
  const kept = !apart && cleanup === 'none' && death === 'nothing' && random.chance(0.3)
  return {
    layout,
    cleanup,
    onJobEnd: apart || kept ? 'keep' : 'terminate',
    login: random.pick(['configure', 'role']),
    waitFor: random.pick(['running', 'ssm', 'ssm']),
    market: random.pick(['on-demand', 'on-demand', 'on-demand', 'spot', 'spot-then-on-demand', 'capacity-block']),
    regions: random.pick([['us-west-2'], ['us-west-2'], ['us-west-2', 'us-east-1'], ['us-east-1', 'us-west-2']]),
    // A time-out strikes wherever the job is then: mostly at its work, as outside.
    workSeconds: death === 'time-out' ? 8 : random.between(0.1, moment === 'working' ? 1.5 : 0.4),
    timeoutSeconds: death === 'time-out' ? random.between(1, 14) : null,
    evidence: death === 'results-down' || random.chance(0.15),
    failFast: random.chance(0.5),
    teardownSeconds: random.chance(0.1) ? 10 : null,
  }
}

function layoutOf(random: Random, death: Death, moment: Moment): Layout {
  if (death === 'outputs-lost') return random.pick(['two-jobs', 'three-jobs'])
  if (moment === 'post') return random.pick(['one-job', 'one-job', 'two-leases', 'matrix', 'two-jobs'])
  return random.pick(['one-job', 'one-job', 'one-job', 'two-leases', 'matrix', 'two-jobs', 'two-jobs', 'three-jobs'])
}
