import type { Contexts, Plain } from './expressions.ts'
import { evaluate, textOf } from './expressions.ts'
import type { Place } from './faults.ts'
import { at, unsupported, WorkflowFault } from './faults.ts'
import { any } from './process.ts'
import type { Scope } from './scope.ts'
import type { Workflow } from './workflow.ts'

export interface Group {
  /** All groups that are held from here on, those of the callers included. */
  readonly held: readonly string[]
  readonly leave: () => void
}

/** Waits for the concurrency group of a job or called workflow. Null: cancelled while it waited. */
export async function enterGroup(
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
