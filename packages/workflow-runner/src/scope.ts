import type { Run } from './context.ts'
import type { Contexts, Plain } from './expressions.ts'
import { evaluate, truthy } from './expressions.ts'
import type { Locks } from './locks.ts'
import type { Conclusion, JobResult } from './types.ts'
import type { IdToken, Job, Workflow } from './workflow.ts'

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

export interface ScopeState {
  cancelled: boolean
  readonly legs: Set<Leg>
}

/** One job, or one combination of its matrix, from its start to its end. */
export interface Leg {
  readonly job: Job
  readonly contexts: Contexts
  readonly cancel: (reason: string) => void
}

interface Needed {
  readonly result: Conclusion
  readonly outputs: Readonly<Record<string, string>>
}

export interface Finished extends Needed {
  readonly results: readonly JobResult[]
}

export const newScopeState = (): ScopeState => ({ cancelled: false, legs: new Set() })

/** Asks every running job to end, save those whose `if` holds after a cancel (always()). */
export function cancelScope(scope: Scope, reason: string): void {
  scope.state.cancelled = true
  for (const leg of scope.state.legs) cancelLeg(leg, reason)
}

export function cancelLeg({ job, contexts, cancel }: Leg, reason: string): void {
  if (!holdsAfterCancel(job, contexts)) cancel(reason)
}

/** True for a job that a cancel does not touch, because of its always(). */
export function holdsAfterCancel({ condition }: Job, contexts: Contexts): boolean {
  try {
    return (
      condition !== null && truthy(evaluate(condition, contexts, { success: false, failure: false, cancelled: true }))
    )
  } catch {
    // A condition that cannot be evaluated keeps nothing alive.
    return false
  }
}

/** The end of a job, or of one leg of it, that did not run. */
export function withoutRun(scope: Scope, job: Job, conclusion: Conclusion, message?: string, name?: string): Finished {
  const result: JobResult = {
    id: scope.idPrefix + job.id,
    name: name ?? scope.namePrefix + job.id,
    conclusion,
    outputs: {},
    steps: [],
    annotations: message === undefined ? [] : [{ level: 'error', message: scope.run.masks.hide(message), title: null }],
    summary: '',
  }
  scope.run.options.log(`${result.name}: ${conclusion}`)
  return { result: conclusion, outputs: {}, results: [result] }
}

/** A job's legs as one: the worst result, and for each output the last leg that set it. */
export function joinLegs(legs: readonly Finished[]): Finished {
  const conclusions = legs.map(leg => leg.result)
  const result = (['failure', 'cancelled', 'success'] as const).find(each => conclusions.includes(each)) ?? 'skipped'
  return {
    result,
    outputs: Object.assign({}, ...legs.map(leg => leg.outputs)),
    results: legs.flatMap(leg => leg.results),
  }
}

/** A job's own permissions, else the workflow's, never more than the caller granted. */
export function idTokenOf({ workflow, grant }: Scope, job: Job): IdToken {
  const asked = job.idToken ?? workflow.idToken ?? grant ?? 'none'
  return grant === null || grant === 'write' ? asked : 'none'
}
