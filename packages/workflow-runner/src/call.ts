import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { enterGroup } from './concurrency.ts'
import type { Contexts, Plain } from './expressions.ts'
import { evaluate, textOf } from './expressions.ts'
import { at, WorkflowFault } from './faults.ts'
import type { Place } from './faults.ts'
import { checkCallInputs, checkCallSecrets } from './inputs.ts'
import { idTokenOf, joinLegs, newScopeState } from './scope.ts'
import type { Finished, Scope } from './scope.ts'
import type { JobResult } from './types.ts'
import type { Job, Workflow } from './workflow.ts'
import { readWorkflow } from './workflow.ts'

/** Runs the jobs of a scope; handed in, because it is what calls this module. */
export type RunScope = (scope: Scope) => Promise<Map<string, Finished>>

/** Reads a reusable workflow of the same repository. */
export async function readCalled(root: string, reference: string, place: Place): Promise<Workflow> {
  const file = path.join(root, reference)
  const content = await readFile(file, 'utf8').catch(() => null)
  if (content === null) throw new WorkflowFault([at(place, `${reference} does not exist in ${root}`)])
  return readWorkflow(path.normalize(reference), content)
}

/** Reads the called workflow and checks what is passed to it; every fault at once. */
export async function openCall(scope: Scope, job: Job, contexts: Contexts, name: string): Promise<Scope> {
  const { run, secrets } = scope
  if (job.work.kind !== 'call') throw new Error('a job that calls nothing')
  const workflow = await readCalled(run.root, job.work.path, job.place)
  const { call } = workflow
  if (call === null) throw new WorkflowFault([at(job.place, `${job.work.path} has no workflow_call trigger`)])
  const withSecrets: Contexts = { ...contexts, secrets: { ...secrets, GITHUB_TOKEN: run.token } }
  const given = job.work.inputs === null ? {} : mapOf(evaluate(job.work.inputs, contexts))
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

const mapOf = (value: Plain): Record<string, Plain> =>
  value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : {}

/** Null: cancelled before its turn came. */
export async function runCall(
  callee: Scope,
  job: Job,
  name: string,
  cancelled: AbortSignal,
  runScope: RunScope,
): Promise<Finished | null> {
  const { workflow, run } = callee
  const contexts: Contexts = { github: run.github, vars: run.options.vars ?? {}, inputs: callee.inputs }
  const group = await enterGroup(callee, workflow.concurrency, job.place, contexts, cancelled, name)
  if (group === null) return null
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
