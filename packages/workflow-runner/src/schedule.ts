import { setMaxListeners } from 'node:events'
import { openCall, runCall } from './call.ts'
import { enterGroup } from './concurrency.ts'
import { makePlace } from './context.ts'
import type { Contexts, Plain, Status } from './expressions.ts'
import { evaluate, evaluateText, textOf, truthy } from './expressions.ts'
import { at, WorkflowFault } from './faults.ts'
import { runStepsJob } from './job.ts'
import { createJobControl } from './job-state.ts'
import type { JobControl } from './job-state.ts'
import { createJobLog } from './log.ts'
import type { Combination } from './matrix.ts'
import { combinationName, expandMatrix } from './matrix.ts'
import { cancelLeg, cancelScope, holdsAfterCancel, idTokenOf, joinLegs, withoutRun } from './scope.ts'
import type { Finished, Leg, Scope } from './scope.ts'
import type { Job, Workflow } from './workflow.ts'

/** Runs the jobs of a workflow, each as soon as what it needs has ended. */
export async function runScope(scope: Scope): Promise<Map<string, Finished>> {
  const finished = new Map<string, Promise<Finished>>()
  const start = (job: Job): Promise<Finished> => {
    const known = finished.get(job.id)
    if (known !== undefined) return known
    const needs = job.needs.flatMap(id => scope.workflow.jobs.filter(other => other.id === id))
    const promise = Promise.all(needs.map(start)).then(() => runJob(scope, job, finished))
    finished.set(job.id, promise)
    return promise
  }
  await Promise.all(scope.workflow.jobs.map(start))
  const done = new Map<string, Finished>()
  for (const job of scope.workflow.jobs) done.set(job.id, await start(job))
  return done
}

/** All jobs that a job stands on, near and far: status functions look at the whole chain. */
function ancestorsOf(workflow: Workflow, job: Job, found = new Set<string>()): Set<string> {
  for (const id of job.needs) {
    if (found.has(id)) continue
    found.add(id)
    const needed = workflow.jobs.find(other => other.id === id)
    if (needed !== undefined) ancestorsOf(workflow, needed, found)
  }
  return found
}

async function runJob(scope: Scope, job: Job, finished: Map<string, Promise<Finished>>): Promise<Finished> {
  const { workflow, state } = scope
  const results = new Map<string, Finished>()
  for (const id of ancestorsOf(workflow, job)) {
    const ended = await finished.get(id)
    if (ended !== undefined) results.set(id, ended)
  }
  const chain = [...results.values()].map(each => each.result)
  const status: Status = {
    success: !state.cancelled && chain.every(result => result === 'success'),
    failure: !state.cancelled && chain.includes('failure'),
    cancelled: state.cancelled,
  }
  const contexts = jobContexts(scope, job, results)
  try {
    const wanted = job.condition === null ? status.success : truthy(evaluate(job.condition, contexts, status))
    if (!wanted) return withoutRun(scope, job, state.cancelled ? 'cancelled' : 'skipped')
    return await runLegs(scope, job, contexts)
  } catch (error) {
    return couldNotBegin(scope, job, error)
  }
}

/** A job, or one leg of it, whose own definition is at fault. */
function couldNotBegin(scope: Scope, job: Job, error: unknown): Finished {
  const { run, namePrefix } = scope
  const message = error instanceof Error ? error.message : String(error)
  run.options.log(run.masks.hide(`${namePrefix}${job.id}: Error: ${message}`))
  return withoutRun(scope, job, 'failure', message)
}

function jobContexts({ run, inputs, workflow }: Scope, job: Job, results: Map<string, Finished>): Contexts {
  const needs = job.needs.map(id => {
    const ended = results.get(id)
    return [id, { result: ended?.result ?? 'skipped', outputs: ended?.outputs ?? {} }] as const
  })
  return {
    github: { ...run.github, job: job.id, workflow: run.github['workflow'] ?? workflow.name },
    vars: run.options.vars ?? {},
    inputs,
    needs: Object.fromEntries(needs),
  }
}

/** The legs of a job's matrix, at most `max-parallel` at a time; a job without a matrix is one leg. */
async function runLegs(scope: Scope, job: Job, contexts: Contexts): Promise<Finished> {
  const strategy = strategyOf(job, contexts)
  const combinations: readonly (Combination | null)[] = strategy.matrix ?? [null]
  const ended: Finished[] = []
  const started: Leg[] = []
  let failed = false
  const queue = combinations.map((combination, index) => ({ combination, index }))
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { combination, index } = next
      const legContexts: Contexts = {
        ...contexts,
        matrix: combination,
        strategy: {
          'fail-fast': strategy.failFast,
          'job-index': index,
          'job-total': combinations.length,
          'max-parallel': strategy.maxParallel,
        },
      }
      const stopped = scope.state.cancelled || (failed && strategy.failFast)
      ended[index] =
        stopped && !holdsAfterCancel(job, legContexts)
          ? withoutRun(scope, job, 'cancelled', undefined, legName(scope, job, legContexts))
          : await runLeg(scope, job, legContexts, leg => started.push(leg)).catch(error =>
              couldNotBegin(scope, job, error),
            )
      if (ended[index]?.result !== 'failure' || failed) continue
      failed = true
      if (strategy.failFast) for (const leg of started) if (scope.state.legs.has(leg)) cancelLeg(leg, 'fail-fast')
    }
  }
  await Promise.all(Array.from({ length: Math.min(strategy.maxParallel, combinations.length) }, work))
  return joinLegs(ended)
}

interface Strategy {
  readonly matrix: readonly Combination[] | null
  readonly failFast: boolean
  readonly maxParallel: number
}

function strategyOf({ strategy, place }: Job, contexts: Contexts): Strategy {
  const value = strategy === null ? null : evaluate(strategy, contexts)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return { matrix: null, failFast: true, maxParallel: 1 }
  }
  const fields = new Map(Object.entries(value))
  const matrix = fields.get('matrix')
  try {
    const combinations = matrix === undefined || matrix === null ? null : expandMatrix(matrix)
    const maxParallel = Number(textOf(fields.get('max-parallel') ?? null))
    return {
      matrix: combinations,
      failFast: textOf(fields.get('fail-fast') ?? true) !== 'false',
      maxParallel: maxParallel >= 1 ? maxParallel : (combinations?.length ?? 1),
    }
  } catch (error) {
    throw new WorkflowFault([at(place, error instanceof Error ? error.message : String(error))])
  }
}

async function runLeg(scope: Scope, job: Job, contexts: Contexts, onStart: (leg: Leg) => void): Promise<Finished> {
  const { run, state } = scope
  const control = createJobControl(run.lost, run.timeScale)
  setMaxListeners(0, control.cancelled, control.dead)
  let callee: Scope | null = null
  const leg: Leg = {
    job,
    contexts,
    cancel(reason) {
      control.cancel(reason)
      if (callee !== null) cancelScope(callee, reason)
    },
  }
  state.legs.add(leg)
  onStart(leg)
  const name = legName(scope, job, contexts)
  const group = await enterGroup(scope, job.concurrency, job.place, contexts, control.cancelled, name)
  try {
    if (group === null) return withoutRun(scope, job, 'cancelled', undefined, name)
    if (job.work.kind === 'steps') return await runSteps(scope, job, contexts, name, control)
    callee = await openCall({ ...scope, heldGroups: group.held }, job, contexts, name)
    const called = await runCall(callee, job, name, control.cancelled, runScope)
    return called ?? withoutRun(scope, job, 'cancelled', undefined, name)
  } finally {
    group?.leave()
    control.close()
    state.legs.delete(leg)
  }
}

function legName(scope: Scope, job: Job, contexts: Contexts): string {
  const matrix = contexts['matrix']
  if (job.name !== null) return scope.namePrefix + evaluateText(job.name, contexts)
  const combination = matrix !== null && typeof matrix === 'object' && !Array.isArray(matrix) ? matrix : null
  return `${scope.namePrefix}${job.id}${combination === null ? '' : ` (${combinationName(Object.fromEntries(Object.entries(combination)))})`}`
}

async function runSteps(
  scope: Scope,
  job: Job,
  contexts: Contexts,
  name: string,
  control: JobControl,
): Promise<Finished> {
  const { run, workflow, secrets } = scope
  const place = await makePlace(run, scope.idPrefix + job.id)
  const github = { ...contextMap(contexts['github']), workspace: place.workspace, event_path: place.eventPath }
  const { log, color = false } = run.options
  const result = await runStepsJob({
    run,
    workflow,
    job,
    id: scope.idPrefix + job.id,
    name,
    contexts: { ...contexts, github, secrets: { ...secrets, GITHUB_TOKEN: run.token } },
    idToken: idTokenOf(scope, job) === 'write',
    place,
    log: createJobLog({ write: log, masks: run.masks, color, prefix: run.several ? name : '' }),
    control,
  })
  return { result: result.conclusion, outputs: result.outputs, results: [result] }
}

const contextMap = (value: Plain | undefined): Record<string, Plain> =>
  value !== null && value !== undefined && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : {}
