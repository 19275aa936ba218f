/** How a job or step ended, in GitHub's words. */
export type Conclusion = 'success' | 'failure' | 'cancelled' | 'skipped'

export type Phase = 'pre' | 'main' | 'post'

export interface StepResult {
  /** The step's `id`, or the one the runner makes up (`__run`, `__org_gpu-actions`). */
  readonly id: string
  readonly name: string
  readonly phase: Phase
  readonly conclusion: Conclusion
  /** What it was before `continue-on-error`. */
  readonly outcome: Conclusion
  readonly outputs: Readonly<Record<string, string>>
}

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  readonly message: string
  readonly title: string | null
}

export interface JobResult {
  /** `job`, or `caller/job` inside a reusable workflow. Legs of a matrix share it. */
  readonly id: string
  /** As GitHub shows it: `caller / job (g5.xlarge)`. */
  readonly name: string
  readonly conclusion: Conclusion
  readonly outputs: Readonly<Record<string, string>>
  /** Empty for a job that calls a reusable workflow: the jobs of that workflow stand beside it. */
  readonly steps: readonly StepResult[]
  readonly annotations: readonly Annotation[]
  /** Markdown of all its steps, masked. */
  readonly summary: string
}

export interface WorkflowResult {
  readonly conclusion: 'success' | 'failure' | 'cancelled'
  readonly jobs: readonly JobResult[]
  /** Outputs of `on.workflow_call`, where the file declares them. */
  readonly outputs: Readonly<Record<string, string>>
}

/** Which script of which step of which job. */
export interface StepPlace {
  readonly job: string
  /** As GitHub shows it; tells the legs of a matrix apart. */
  readonly jobName: string
  readonly step: string
  readonly phase: Phase
}

/** A process that the runner started for a step: tests kill it to see what survives. */
export interface StepProcess extends StepPlace {
  readonly pid: number
  /** RUNNER_TEMP of its job. */
  readonly temp: string
  /** Resolves when it has ended, before the next step begins. */
  readonly ended: Promise<void>
  /** The machine of its job is lost: the job's processes die at once and nothing more runs in it. Other jobs go on. */
  readonly loseRunner: () => void
}

export interface WorkflowOptions {
  /** The workflow file. In `<repository>/.github/workflows/` its repository is known; else see `workspace`. */
  readonly file: string
  /** Default: `workflow_dispatch` where the file declares it, else its first event. */
  readonly event?: string
  readonly inputs?: Readonly<Record<string, string>>
  readonly secrets?: Readonly<Record<string, string>>
  readonly vars?: Readonly<Record<string, string>>
  /** Folders for remote actions, by `owner/repo@ref`. */
  readonly repositories: Readonly<Record<string, string>>
  /** The consumer's repository: what a checkout brings, and the root of `uses: ./.github/workflows/…`. */
  readonly workspace?: string
  /**
   * What the runner adds to the environment of steps. ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL reach actions only,
   * ACTIONS_ID_TOKEN_REQUEST_* only jobs with `id-token: write`.
   */
  readonly env: Readonly<Record<string, string>>
  /** The runner's own folder: work, temp and file commands of each job. Made when it does not exist; left in place. */
  readonly directory: string
  readonly log: (line: string) => void
  readonly color?: boolean
  /** Aborting it cancels the run, as the button on the run's page does. */
  readonly signal?: AbortSignal
  readonly cancelAfterMs?: number
  /** Aborting it is the loss of the machines: all processes die at once and nothing more runs in their jobs. */
  readonly lost?: AbortSignal
  /** Divides the runner's own waits (7.5 s, 2.5 s, five minutes), not the workflow's `timeout-minutes`. */
  readonly timeScale?: number
  readonly runId?: number
  readonly runNumber?: number
  readonly runAttempt?: number
  readonly repository?: string
  readonly sha?: string
  readonly ref?: string
  readonly actor?: string
  readonly onProcess?: (process: StepProcess) => void
  /** Variables for one process alone, stronger than `env`: tests tell by them who makes a call. */
  readonly envOf?: (place: StepPlace) => Readonly<Record<string, string>>
}
