import { setMaxListeners } from 'node:events'
import path from 'node:path'
import { readFile } from 'node:fs/promises'
import { makePlace } from './context.ts'
import type { Run } from './context.ts'
import type { Contexts, Plain, Status } from './expressions.ts'
import { evaluate, evaluateText, textOf, truthy } from './expressions.ts'
import { at, unsupported, WorkflowFault } from './faults.ts'
import type { Place } from './faults.ts'
import { checkCallInputs, checkCallSecrets } from './inputs.ts'
import { runStepsJob } from './job.ts'
import { createJobControl } from './job-state.ts'
import type { Locks } from './locks.ts'
import { createJobLog } from './log.ts'
import type { Combination } from './matrix.ts'
import { combinationName, expandMatrix } from './matrix.ts'
import { any } from './process.ts'
import type { Conclusion, JobResult } from './types.ts'
import type { IdToken, Job, Workflow } from './workflow.ts'
import { readWorkflow } from './workflow.ts'

/** One workflow while it runs: the file that was started, or one that a job calls. */
export interface Scope {
  readonly run: Run
  readonly locks: Locks
  readonly workflow: Workflow
  readonly inputs: Readonly<Record<string, Plain>>
  readonly secrets: Readonly<Record<string, string>>
  /** `caller / ` in front of names, `caller/` in front of ids; empty at the top. */
  readonly namePrefix: string
  readonly idPrefix: string
  /** What the caller grants; null at the top, where the file alone decides. */
  readonly grant: IdToken
  readonly heldGroups: readonly string[]
  readonly state: ScopeState
}

interface ScopeState {
  cancelled: boolean
  readonly legs: Set<Leg>
}

/** One job, or one combination of its matrix, from its start to its end. */
interface Leg {
  readonly job: Job
  readonly contexts: Contexts
  readonly cancel: (reason: string) => void
}

interface Needed {
  readonly result: Conclusion
  readonly outputs: Readonly<Record<string, string>>
}

interface Finished extends Needed {
  readonly results: readonly JobResult[]
}

export const newScopeState = (): ScopeState => ({ cancelled: false, legs: new Set() })

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

/** Asks every running job to end, save those whose `if` holds after a cancel (always()). */
export function cancelScope(scope: Scope, reason: string): void {
  scope.state.cancelled = true
  for (const leg of scope.state.legs) cancelLeg(leg, reason)
}

function cancelLeg({ job, contexts, cancel }: Leg, reason: string): void {
  const status: Status = { success: false, failure: false, cancelled: true }
  const goesOn = job.condition !== null && truthy(evaluate(job.condition, contexts, status))
  if (!goesOn) cancel(reason)
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
  const { run, workflow, state } = scope
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
    const message = error instanceof Error ? error.message : String(error)
    run.options.log(run.masks.hide(`${scope.namePrefix}${job.id}: Error: ${message}`))
    return withoutRun(scope, job, 'failure', message)
  }
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

function withoutRun(scope: Scope, job: Job, conclusion: Conclusion, message?: string): Finished {
  const result: JobResult = {
    id: scope.idPrefix + job.id,
    name: scope.namePrefix + job.id,
    conclusion,
    outputs: {},
    steps: [],
    annotations: message === undefined ? [] : [{ level: 'error', message: scope.run.masks.hide(message), title: null }],
    summary: '',
  }
  scope.run.options.log(`${result.name}: ${conclusion}`)
  return { result: conclusion, outputs: {}, results: [result] }
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
          ? withoutRun(scope, job, 'cancelled')
          : await runLeg(scope, job, legContexts, leg => started.push(leg))
      if (ended[index]?.result !== 'failure' || failed) continue
      failed = true
      if (strategy.failFast) for (const leg of started) if (scope.state.legs.has(leg)) cancelLeg(leg, 'fail-fast')
    }
  }
  await Promise.all(Array.from({ length: Math.min(strategy.maxParallel, combinations.length) }, work))
  return joinLegs(ended)
}

const holdsAfterCancel = (job: Job, contexts: Contexts) =>
  job.condition !== null &&
  truthy(evaluate(job.condition, contexts, { success: false, failure: false, cancelled: true }))

function joinLegs(legs: readonly Finished[]): Finished {
  const conclusions = legs.map(leg => leg.result)
  const result = (['failure', 'cancelled', 'success'] as const).find(each => conclusions.includes(each)) ?? 'skipped'
  return {
    result,
    outputs: Object.assign({}, ...legs.map(leg => leg.outputs)),
    results: legs.flatMap(leg => leg.results),
  }
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
    if (group === null) return withoutRun(scope, job, 'cancelled')
    if (job.work.kind === 'steps') return await runSteps(scope, job, contexts, name, control)
    callee = await openCall({ ...scope, heldGroups: group.held }, job, contexts, name)
    return await runCall(callee, job, name, control.cancelled)
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
  control: ReturnType<typeof createJobControl>,
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

/** A job's own permissions, else the workflow's, never more than the caller granted. */
function idTokenOf({ workflow, grant }: Scope, job: Job): IdToken {
  const asked = job.idToken ?? workflow.idToken ?? grant ?? 'none'
  return grant === null || grant === 'write' ? asked : 'none'
}

/** Reads the called workflow and checks what is passed to it; every fault at once. */
async function openCall(scope: Scope, job: Job, contexts: Contexts, name: string): Promise<Scope> {
  const { run, secrets } = scope
  if (job.work.kind !== 'call') throw new Error('a job that calls nothing')
  const workflow = await readCalled(run.root, job.work.path, job.place)
  const { call } = workflow
  if (call === null) throw new WorkflowFault([at(job.place, `${job.work.path} has no workflow_call trigger`)])
  const withSecrets: Contexts = { ...contexts, secrets: { ...secrets, GITHUB_TOKEN: run.token } }
  const given = job.work.inputs === null ? {} : contextMap(evaluate(job.work.inputs, contexts))
  const inputs = checkCallInputs(call, given)
  const passed = checkCallSecrets(call, job.work.secrets, secrets, withSecrets)
  const granted = idTokenOf(scope, job)
  const asking = workflow.jobs.filter(each => (each.idToken ?? workflow.idToken) === 'write' && granted !== 'write')
  const faults = [
    ...inputs.faults,
    ...passed.faults,
    ...asking.map(each => `the job '${each.id}' asks for 'id-token: write', but is only allowed 'id-token: none'`),
  ]
  if (faults.length > 0)
    throw new WorkflowFault(
      faults.map(fault => at(job.place, `${job.work.kind === 'call' ? job.work.path : ''}: ${fault}`)),
    )
  return {
    ...scope,
    workflow,
    inputs: inputs.values,
    secrets: passed.values,
    namePrefix: `${name} / `,
    idPrefix: `${scope.idPrefix}${job.id}/`,
    grant: granted,
    state: newScopeState(),
  }
}

/** Reads a reusable workflow of the same repository. */
export async function readCalled(root: string, reference: string, place: Place): Promise<Workflow> {
  const file = path.join(root, reference)
  const content = await readFile(file, 'utf8').catch(() => null)
  if (content === null) throw new WorkflowFault([at(place, `${reference} does not exist in ${root}`)])
  return readWorkflow(path.normalize(reference), content)
}

async function runCall(callee: Scope, job: Job, name: string, cancelled: AbortSignal): Promise<Finished> {
  const { workflow, run } = callee
  const contexts: Contexts = { github: run.github, vars: run.options.vars ?? {}, inputs: callee.inputs }
  const group = await enterGroup(callee, workflow.concurrency, job.place, contexts, cancelled, name)
  if (group === null) return withoutRun(callee, job, 'cancelled')
  try {
    if (cancelled.aborted) callee.state.cancelled = true
    const jobs = await runScope({ ...callee, heldGroups: group.held })
    const ended = joinLegs([...jobs.values()])
    const jobsContext = Object.fromEntries(
      [...jobs].map(([id, { result, outputs }]) => [id, { result, outputs }] as const),
    )
    const outputs = (workflow.call?.outputs ?? []).flatMap(({ key, value }) => {
      const text = textOf(evaluate(value, { ...contexts, jobs: jobsContext }))
      return text === '' ? [] : [[key, text] as const]
    })
    const own: JobResult = {
      id: callee.idPrefix.slice(0, -1),
      name,
      conclusion: ended.result,
      outputs: Object.fromEntries(outputs),
      steps: [],
      annotations: [],
      summary: '',
    }
    return { result: ended.result, outputs: own.outputs, results: [...ended.results, own] }
  } finally {
    group.leave()
  }
}

interface Group {
  /** All groups that are held from here on, those of the callers included. */
  readonly held: readonly string[]
  readonly leave: () => void
}

/** Waits for the concurrency group of a job or called workflow. Null: cancelled while it waited. */
async function enterGroup(
  scope: Scope,
  concurrency: Workflow['concurrency'],
  place: Place,
  contexts: Contexts,
  cancelled: AbortSignal,
  name: string,
): Promise<Group | null> {
  const { run, locks, heldGroups } = scope
  if (concurrency === null) return { held: heldGroups, leave: () => undefined }
  const wish = readConcurrency(evaluate(concurrency, contexts))
  if (wish.cancelInProgress) throw new WorkflowFault([unsupported(place, 'concurrency with cancel-in-progress: true')])
  if (heldGroups.includes(wish.group)) {
    const message = `a deadlock for concurrency group '${wish.group}' was detected between the workflow and '${name}'`
    throw new WorkflowFault([at(place, message)])
  }
  const turn = locks.enter(wish.group, wish.queue)
  if (!turn.free) run.options.log(run.masks.hide(`${name}: waits for concurrency group '${wish.group}'`))
  await Promise.race([turn.entered, any([cancelled, turn.displaced])])
  if (!cancelled.aborted && !turn.displaced.aborted) return { held: [...heldGroups, wish.group], leave: turn.leave }
  turn.leave()
  return null
}

/** `concurrency: name` or its long form, evaluated. */
export function readConcurrency(value: Plain): { group: string; queue: 'single' | 'max'; cancelInProgress: boolean } {
  if (value === null || typeof value !== 'object')
    return { group: textOf(value), queue: 'single', cancelInProgress: false }
  const fields = new Map(Object.entries(value))
  return {
    group: textOf(fields.get('group') ?? ''),
    queue: textOf(fields.get('queue') ?? '') === 'max' ? 'max' : 'single',
    cancelInProgress: textOf(fields.get('cancel-in-progress') ?? false) === 'true',
  }
}
