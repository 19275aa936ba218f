import { createActionLoader } from './actions.ts'
import type { Action } from './actions.ts'
import type { Place, Run } from './context.ts'
import type { Contexts } from './expressions.ts'
import { evaluate, evaluateMap, textOf, truthy } from './expressions.ts'
import { contextsOf, conclusionOf } from './job-state.ts'
import type { JobControl, JobState, Planned } from './job-state.ts'
import type { JobLog } from './log.ts'
import { killOrphans } from './process.ts'
import { displayName, startStep } from './step.ts'
import { annotate, createStepFiles } from './step-files.ts'
import { condition, createLimit, minutesOf, outcomeOf, timerOf } from './step-limit.ts'
import type { Conclusion, JobResult } from './types.ts'
import type { Job, Step, Workflow } from './workflow.ts'

export interface JobRun {
  readonly run: Run
  readonly workflow: Workflow
  readonly job: Job
  readonly id: string
  readonly name: string
  readonly contexts: Contexts
  readonly idToken: boolean
  readonly place: Place
  readonly log: JobLog
  readonly control: JobControl
}

/** Minutes a job may take when it does not say. */
const defaultTimeoutMinutes = 360

/** Runs one job with its own steps on this machine and tells how it ended. Rejects only when it could not begin. */
export async function runStepsJob(jobRun: JobRun): Promise<JobResult> {
  const { job, control, log, id, name } = jobRun
  const state = createState(jobRun)
  let timer: NodeJS.Timeout | undefined
  let outputs: Readonly<Record<string, string>> = {}
  try {
    timer = startJobTimer(jobRun, state)
    log.note(`${name}: runs on this machine (asked for ${evaluateRunsOn(jobRun)})`)
    await runAllSteps(state, jobRun)
    // A job that dies hard has no outputs: they are evaluated when it ends.
    if (!control.dead.aborted) outputs = jobOutputs(state, job)
  } catch (error) {
    state.failed = true
    annotate(state, 'error', error instanceof Error ? error.message : String(error))
  } finally {
    clearTimeout(timer)
    control.close()
    await cleanUp(state)
  }
  const lost = control.lost.aborted
  const conclusion = lost ? 'failure' : conclusionOf(state)
  if (lost) annotate(state, 'error', 'The runner has received a shutdown signal or lost communication with the server.')
  log.note(`${name}: ${conclusion}`)
  return {
    id,
    name,
    conclusion,
    outputs,
    steps: state.results,
    annotations: state.annotations,
    summary: state.summaries.join('\n\n'),
  }
}

function createState({ run, job, name, workflow, contexts, place, log, control, idToken }: JobRun): JobState {
  if (job.work.kind !== 'steps') throw new Error('a job without steps')
  const state: JobState = {
    run,
    jobId: job.id,
    jobName: name,
    place,
    log,
    control,
    actions: createActionLoader({ repositories: run.options.repositories, downloads: place.downloads }),
    defaults: {
      shell: job.work.defaults.shell ?? workflow.defaults.shell,
      workingDirectory: job.work.defaults.workingDirectory ?? workflow.defaults.workingDirectory,
    },
    idToken,
    fixed: contexts,
    env: evaluateMap(workflow.env, contexts),
    paths: [],
    steps: {},
    saved: new Map(),
    posts: [],
    results: [],
    annotations: [],
    summaries: [],
    failed: false,
  }
  Object.assign(state.env, evaluateMap(job.work.env, contextsOf(state)))
  return state
}

function startJobTimer({ job, contexts, control }: JobRun, state: JobState): NodeJS.Timeout {
  const template = job.work.kind === 'steps' ? job.work.timeoutMinutes : null
  const minutes = template === null ? defaultTimeoutMinutes : minutesOf(template, contexts)
  return setTimeout(() => {
    annotate(state, 'error', `The job has exceeded the maximum execution time of ${minutes} minutes.`)
    control.cancel('time-out')
  }, timerOf(minutes))
}

const evaluateRunsOn = ({ job, contexts }: JobRun) =>
  job.work.kind === 'steps' ? JSON.stringify(evaluate(job.work.runsOn, contexts)) : ''

/** All pre in step order, then the steps, then every post in reverse order of its registration. */
async function runAllSteps(state: JobState, { job }: JobRun): Promise<void> {
  const steps = job.work.kind === 'steps' ? job.work.steps : []
  const ids = new Set<string>()
  const planned = await Promise.all(
    steps.map(
      async step => ({ phase: 'main', step, id: idOf(step, ids), action: await remoteAction(state, step) }) as const,
    ),
  )
  for (const each of planned) {
    if (each.action?.pre != null) await runPlanned(state, { ...each, phase: 'pre' })
  }
  for (const each of planned) await runPlanned(state, each)
  for (let post = state.posts.pop(); post !== undefined; post = state.posts.pop()) await runPlanned(state, post)
}

const isLocal = (uses: string) => uses.startsWith('./')

async function remoteAction(state: JobState, { work, place }: Step): Promise<Action | null> {
  return work.kind === 'action' && !isLocal(work.uses) ? state.actions.remote(work.uses, place) : null
}

/** Names for steps without an id, as the runner makes them: `__run`, `__org_gpu-actions_provision`, with a count. */
function idOf(step: Step, taken: Set<string>): string {
  if (step.id !== null) return step.id
  const { work } = step
  const name = work.kind === 'script' ? '__run' : `__${(work.uses.split('@')[0] ?? '').replaceAll(/[^\w-]+/g, '_')}`
  let id = name
  for (let count = 2; taken.has(id); count += 1) id = `${name}_${count}`
  taken.add(id)
  return id
}

/** Decides about one script, runs it and books how it ended. Whatever is thrown on the way is that step's failure. */
async function runPlanned(state: JobState, planned: Planned): Promise<void> {
  if (state.control.dead.aborted) return
  const started = performance.now()
  let ended: Ended
  let shown = false
  try {
    const contexts = contextsOf(state)
    const name = displayName(planned, contexts)
    if (!condition(state, planned, contexts)) return book(state, planned, { name, outcome: 'skipped', outputs: {} })
    state.log.step(name)
    shown = true
    ended = { name, ...(await execute(state, planned)) }
  } catch (error) {
    const name = planned.step.work.kind === 'action' ? planned.step.work.uses : planned.id
    if (!shown) state.log.step(name)
    annotate(state, 'error', error instanceof Error ? error.message : String(error))
    ended = { name, outcome: 'failure', outputs: {} }
  }
  book(state, planned, ended)
  state.log.endStep(ended.outcome, performance.now() - started)
}

interface Ended {
  readonly name: string
  readonly outcome: Conclusion
  readonly outputs: Readonly<Record<string, string>>
}

function book(state: JobState, { phase, step, id }: Planned, { name, outcome, outputs }: Ended): void {
  const forgiven = outcome === 'failure' && phase === 'main' && continuesOnError(state, step)
  const conclusion = forgiven ? 'success' : outcome
  if (conclusion === 'failure') state.failed = true
  if (phase === 'main') state.steps[id] = { outputs, outcome, conclusion }
  state.results.push({ id, name: state.run.masks.hide(name), phase, conclusion, outcome, outputs })
}

function continuesOnError(state: JobState, { continueOnError }: Step): boolean {
  if (continueOnError === null) return false
  try {
    return truthy(evaluate(continueOnError, contextsOf(state)))
  } catch (error) {
    annotate(state, 'error', error instanceof Error ? error.message : String(error))
    return false
  }
}

/** Runs the script of a step. Its files are read whatever became of it. */
async function execute(state: JobState, found: Planned): Promise<Omit<Ended, 'name'>> {
  const planned = await prepare(state, found)
  const files = await createStepFiles(state, planned.id)
  const limit = createLimit(state, planned)
  let outcome: Conclusion = 'failure'
  try {
    outcome = outcomeOf(state, planned, await startStep(state, planned, files.env, limit.signal), limit)
  } catch (error) {
    annotate(state, 'error', error instanceof Error ? error.message : String(error))
  } finally {
    limit.close()
  }
  const { outputs, broken } = await files.collect()
  return { outcome: broken && outcome === 'success' ? 'failure' : outcome, outputs }
}

/** Loads a local action and registers post before anything starts: it will run even if main dies at once. */
async function prepare(state: JobState, found: Planned): Promise<Planned> {
  const { step, id } = found
  const { work } = step
  const action =
    work.kind === 'action' && isLocal(work.uses)
      ? await state.actions.local(state.place.workspace, work.uses, step.place)
      : found.action
  const registered = state.posts.some(post => post.id === id)
  if (action?.post != null && found.phase !== 'post' && !registered) {
    state.posts.push({ phase: 'post', step, id, action })
  }
  return { ...found, action }
}

async function cleanUp({ place, log }: JobState): Promise<void> {
  const orphans = await killOrphans(place.trackingId)
  if (orphans.length > 0) log.note(`Cleaned up orphan processes: ${orphans.join(', ')}`)
}

/** Evaluated when the job ends. One that holds anything masked is dropped, with no more than a warning. */
function jobOutputs(state: JobState, job: Job): Record<string, string> {
  const entries = job.work.kind === 'steps' ? job.work.outputs : []
  const contexts = contextsOf(state)
  return Object.fromEntries(
    entries.flatMap(({ key, value }) => {
      const text = textOf(evaluate(value, contexts))
      if (text === '') return []
      if (!state.run.masks.touches(text)) return [[key, text] as const]
      annotate(state, 'warning', `Skip output '${key}' since it may contain secret.`)
      return []
    }),
  )
}
