import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { readCalled } from './call.ts'
import { readConcurrency } from './concurrency.ts'
import { createGithubContext } from './context.ts'
import type { Run } from './context.ts'
import type { Contexts, Plain } from './expressions.ts'
import { evaluate, evaluateText, textOf } from './expressions.ts'
import { unsupported, WorkflowFault } from './faults.ts'
import { checkDispatchInputs } from './inputs.ts'
import { createLocks } from './locks.ts'
import { createMasks } from './masks.ts'
import { runScope } from './schedule.ts'
import { cancelScope, newScopeState } from './scope.ts'
import type { Scope } from './scope.ts'
import type { JobResult, WorkflowOptions, WorkflowResult } from './types.ts'
import type { Workflow } from './workflow.ts'
import { readWorkflow } from './workflow.ts'

/** Secrets of the runner's own making: masked from the start like GitHub's. */
const runnerSecrets = ['ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN']

/**
 * Runs a workflow file on this machine with GitHub's order, conditions, masks and cancel rules.
 *
 * Throws WorkflowFault, before anything has run, when the file, what it calls, or its inputs are wrong or need what
 * this runner does not have. What the steps do ends in the result, never in an exception.
 */
export async function runWorkflow(options: WorkflowOptions): Promise<WorkflowResult> {
  const file = path.resolve(options.file)
  const root = path.resolve(options.workspace ?? repositoryOf(file))
  const content = await readFile(file, 'utf8')
  const workflow = readWorkflow(path.relative(root, file), content)
  const event = eventOf(workflow, options.event)
  const inputs = inputsOf(workflow, event, options.inputs ?? {})
  await checkCalls(root, workflow)
  await mkdir(options.directory, { recursive: true })
  const run = createRun(options, workflow, event, root)
  const scope: Scope = {
    run,
    locks: createLocks(),
    workflow,
    inputs,
    secrets: options.secrets ?? {},
    namePrefix: '',
    idPrefix: '',
    grant: null,
    heldGroups: [],
    state: newScopeState(),
  }
  announce(scope)
  const stop = cancelOnRequest(scope)
  try {
    return await runAll(holdGroup(scope))
  } finally {
    stop()
  }
}

/** `<repository>/.github/workflows/x.yml` tells its repository; any other file stands in its own folder. */
function repositoryOf(file: string): string {
  const folder = path.dirname(file)
  return folder.endsWith(path.join('.github', 'workflows')) ? path.resolve(folder, '..', '..') : folder
}

function eventOf(workflow: Workflow, wanted: string | undefined): string {
  const { events, path: name } = workflow
  const event = wanted ?? (events.includes('workflow_dispatch') ? 'workflow_dispatch' : events[0])
  if (event !== undefined && events.includes(event)) return event
  throw new WorkflowFault([`${name}: is not started by '${event ?? ''}' (its events: ${events.join(', ') || 'none'})`])
}

function inputsOf(workflow: Workflow, event: string, given: Readonly<Record<string, string>>): Record<string, Plain> {
  if (event === 'workflow_call') {
    throw new WorkflowFault([`${workflow.path}: 'workflow_call' is started by another workflow, not by itself`])
  }
  // Only a dispatch has inputs: on a schedule or a push `inputs.x` is null, as on GitHub.
  const checked = checkDispatchInputs(event === 'workflow_dispatch' ? workflow.dispatch : [], given)
  if (checked.faults.length > 0) throw new WorkflowFault(checked.faults.map(fault => `${workflow.path}: ${fault}`))
  return event === 'workflow_dispatch' ? { ...checked.values } : {}
}

/** Reads every workflow that is called, near and far, so that its faults are known before anything runs. */
async function checkCalls(root: string, workflow: Workflow, depth = 1): Promise<void> {
  for (const { work, place } of workflow.jobs) {
    if (work.kind !== 'call') continue
    if (depth > 9) throw new WorkflowFault([unsupported(place, 'more than nine levels of reusable workflows')])
    await checkCalls(root, await readCalled(root, work.path, place), depth + 1)
  }
}

function createRun(options: WorkflowOptions, workflow: Workflow, event: string, root: string): Run {
  const masks = createMasks()
  const token = `ghs_${randomBytes(18).toString('hex')}`
  const known = runnerSecrets.flatMap(name => options.env[name] ?? [])
  for (const secret of [...Object.values(options.secrets ?? {}), ...known, token]) masks.add(secret)
  const payload: Record<string, Plain> = {
    ...(event === 'workflow_dispatch' ? { inputs: options.inputs ?? {} } : {}),
    ...(event === 'schedule' ? { schedule: workflow.schedules[0] ?? '' } : {}),
    repository: { full_name: options.repository ?? 'org/consumer', default_branch: 'main', private: false },
    sender: { login: options.actor ?? 'octocat' },
  }
  let number = 0
  return {
    options,
    masks,
    event,
    payload,
    timeScale: options.timeScale ?? 1,
    token,
    root,
    github: createGithubContext(options, workflow, event, token, payload),
    nextNumber: () => (number += 1),
    lost: options.lost ?? new AbortController().signal,
    several: workflow.jobs.length > 1 || workflow.jobs.some(job => job.work.kind === 'call' || job.strategy !== null),
  }
}

const topContexts = ({ run, inputs }: Scope): Contexts => ({
  github: run.github,
  inputs,
  vars: run.options.vars ?? {},
})

function announce(scope: Scope): void {
  const { run, workflow } = scope
  const title = workflow.runName === null ? '' : `: ${evaluateText(workflow.runName, topContexts(scope))}`
  run.options.log(
    run.masks.hide(`${workflow.name}${title} (${run.event}, run ${textOf(run.github['run_id'] ?? null)})`),
  )
}

/** The group of the whole workflow: no other run exists here, so it is free, but its own jobs may not ask for it. */
function holdGroup(scope: Scope): Scope {
  if (scope.workflow.concurrency === null) return scope
  const { group, queue } = readConcurrency(evaluate(scope.workflow.concurrency, topContexts(scope)))
  const { run } = scope
  run.options.log(
    run.masks.hide(`concurrency group '${group}' (queue: ${queue}): free, this is the only run on this machine`),
  )
  return { ...scope, heldGroups: [group] }
}

function cancelOnRequest(scope: Scope): () => void {
  const { signal, cancelAfterMs, log } = scope.run.options
  const cancel = () => {
    if (scope.state.cancelled) return
    log('The run is being cancelled.')
    cancelScope(scope, 'cancelled')
  }
  const timer = cancelAfterMs === undefined ? undefined : setTimeout(cancel, cancelAfterMs)
  if (signal?.aborted === true) cancel()
  signal?.addEventListener('abort', cancel)
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
}

async function runAll(scope: Scope): Promise<WorkflowResult> {
  const ended = await runScope(scope)
  const jobs: JobResult[] = [...ended.values()].flatMap(each => each.results)
  const conclusions = new Set(jobs.map(job => job.conclusion))
  const context = Object.fromEntries([...ended].map(([id, { result, outputs }]) => [id, { result, outputs }] as const))
  const outputs = (scope.workflow.call?.outputs ?? []).flatMap(({ key, value }) => {
    const text = textOf(evaluate(value, { ...topContexts(scope), jobs: context }))
    return text === '' ? [] : [[key, text] as const]
  })
  const conclusion = (['failure', 'cancelled'] as const).find(each => conclusions.has(each)) ?? 'success'
  return { conclusion, jobs, outputs: Object.fromEntries(outputs) }
}
