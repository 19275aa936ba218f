import type { Contexts } from './expressions.ts'
import { evaluate, evaluateExpression, evaluateText, truthy } from './expressions.ts'
import { at } from './faults.ts'
import { contextsOf, statusOf } from './job-state.ts'
import type { JobState, Planned } from './job-state.ts'
import type { ProcessEnd } from './process.ts'
import { annotate } from './step-files.ts'
import type { Template } from './template.ts'
import type { Conclusion } from './types.ts'

/** A time-out in minutes; anything that is no positive number is the workflow's fault. */
export function minutesOf(template: Template, contexts: Contexts): number {
  const text = evaluateText(template, contexts)
  const minutes = Number(text)
  if (!(minutes > 0)) throw new Error(at(template.place, `timeout-minutes must be a positive number, not '${text}'`))
  return minutes
}

/** Node's timers hold 31 bits; a longer one would fire at once. */
export const timerOf = (minutes: number) => Math.min(minutes * 60_000, 2 ** 31 - 1)

/** Whether a script is to run as its job stands now. */
export function condition(state: JobState, planned: Planned, contexts: Contexts): boolean {
  const status = statusOf(state)
  const { step, action, phase } = planned
  if (phase !== 'main') {
    const expression = phase === 'pre' ? action?.preIf : action?.postIf
    return truthy(evaluateExpression(expression ?? 'always()', contexts, status))
  }
  if (step.condition === null) return status.success
  return truthy(evaluate(step.condition, contexts, status))
}

export interface Limit {
  readonly signal: AbortSignal
  readonly minutes: () => number | null
  close(): void
}

/** Ends a step on its own time-out, or on the job's cancel unless its condition (always()) still holds then. */
export function createLimit(state: JobState, planned: Planned): Limit {
  const controller = new AbortController()
  const { cancelled } = state.control
  let timedOutAfter: number | null = null
  const onCancel = () => {
    if (!holdsAfterCancel(state, planned)) controller.abort()
  }
  cancelled.addEventListener('abort', onCancel)
  const template = planned.phase === 'main' ? planned.step.timeoutMinutes : null
  const minutes = template === null ? null : minutesOf(template, contextsOf(state))
  const timeOut = () => {
    timedOutAfter = minutes
    controller.abort()
  }
  const timer = minutes === null ? undefined : setTimeout(timeOut, timerOf(minutes))
  return {
    signal: controller.signal,
    minutes: () => timedOutAfter,
    close() {
      clearTimeout(timer)
      cancelled.removeEventListener('abort', onCancel)
    },
  }
}

function holdsAfterCancel(state: JobState, planned: Planned): boolean {
  try {
    return condition(state, planned, contextsOf(state))
  } catch {
    // A condition that cannot be evaluated does not keep a step alive.
    return false
  }
}

export function outcomeOf(state: JobState, { step, action }: Planned, end: ProcessEnd, limit: Limit): Conclusion {
  const minutes = limit.minutes()
  if (minutes !== null) {
    annotate(state, 'error', `The step has timed out after ${minutes} minutes.`)
    return 'failure'
  }
  if (limit.signal.aborted || state.control.dead.aborted) {
    annotate(state, 'error', 'The operation was canceled.')
    return 'cancelled'
  }
  if (end.exitCode === 0) return 'success'
  if (end.failure !== null) annotate(state, 'error', `The step could not be started: ${end.failure}`)
  else if (end.signal !== null) annotate(state, 'error', `The process was ended by ${end.signal}.`)
  else if (action === null && step.work.kind === 'script') {
    annotate(state, 'error', `Process completed with exit code ${end.exitCode}.`)
  }
  return 'failure'
}
