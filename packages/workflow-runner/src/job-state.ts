import type { Action, ActionLoader } from './actions.ts'
import type { Place, Run } from './context.ts'
import { runnerContext } from './context.ts'
import type { Contexts, Plain, Status } from './expressions.ts'
import type { JobLog } from './log.ts'
import type { Annotation, Conclusion, Phase, StepResult } from './types.ts'
import type { Defaults, Step } from './workflow.ts'

/** Ends a job from outside: cancel lets its always() steps run, death does not. */
export interface JobControl {
  readonly cancelled: AbortSignal
  readonly dead: AbortSignal
  /** The job's machine, or that of the whole run, is gone. */
  readonly lost: AbortSignal
  cancel(reason: string): void
  readonly reason: () => string | null
  lose(): void
  /** Drops the timers; to be called when the job is over. */
  close(): void
}

/** From the request to cancel until the worker is killed: five minutes less the 15 s the worker is ended early. */
export const CANCEL_LIMIT_MS = 285_000

export function createJobControl(runLost: AbortSignal, timeScale: number): JobControl {
  const cancelled = new AbortController()
  const limit = new AbortController()
  const own = new AbortController()
  const lost = AbortSignal.any([runLost, own.signal])
  let reason: string | null = null
  let timer: NodeJS.Timeout | undefined
  return {
    cancelled: cancelled.signal,
    dead: AbortSignal.any([limit.signal, lost]),
    lost,
    cancel(why) {
      if (cancelled.signal.aborted) return
      reason = why
      cancelled.abort()
      timer = setTimeout(() => limit.abort(), CANCEL_LIMIT_MS / timeScale)
    },
    reason: () => reason,
    lose: () => own.abort(),
    close: () => clearTimeout(timer),
  }
}

/** One script to run in a job: a step's main, or the pre or post of its action. */
export interface Planned {
  readonly phase: Phase
  readonly step: Step
  /** `id` of the step or the one made up; also GITHUB_ACTION and the owner of the saved state. */
  readonly id: string
  /** Null for scripts, and for local actions until their step starts. */
  readonly action: Action | null
}

/** What changes while a job runs. */
export interface JobState {
  readonly run: Run
  readonly jobId: string
  readonly jobName: string
  readonly place: Place
  readonly log: JobLog
  readonly control: JobControl
  readonly actions: ActionLoader
  readonly defaults: Defaults
  readonly idToken: boolean
  /** Contexts that do not change while the job runs: github, needs, inputs, matrix, strategy, secrets, vars. */
  readonly fixed: Contexts
  /** Variables of the workflow, the job and GITHUB_ENV, in order of strength. */
  readonly env: Record<string, string>
  /** What GITHUB_PATH added, the strongest first. */
  readonly paths: string[]
  readonly steps: Record<string, Plain>
  readonly saved: Map<string, Record<string, string>>
  readonly posts: Planned[]
  readonly results: StepResult[]
  readonly annotations: Annotation[]
  readonly summaries: string[]
  failed: boolean
}

export const statusOf = (state: JobState): Status => ({
  success: !state.failed && !state.control.cancelled.aborted,
  failure: state.failed && !state.control.cancelled.aborted,
  cancelled: state.control.cancelled.aborted,
})

/** `job.status`: how the job would end if it ended now. */
export function conclusionOf(state: JobState): Conclusion {
  if (state.control.cancelled.aborted) return 'cancelled'
  return state.failed ? 'failure' : 'success'
}

export const contextsOf = (state: JobState, stepEnv: Readonly<Record<string, string>> = {}): Contexts => ({
  ...state.fixed,
  runner: runnerContext(state.place),
  job: { status: conclusionOf(state) },
  steps: state.steps,
  env: { ...state.env, ...stepEnv },
})
