import { UserFault } from './ports/faults.ts'

/** Who is running: read once from the runner's environment. */
export interface RunContext {
  /** `owner/name` */
  readonly repository: string
  readonly runId: string
  readonly runNumber: string
  readonly attempt: number
  /** The job's id in the workflow file; the same for all legs of a matrix. */
  readonly job: string
  readonly workflow: string
  readonly event: string
  readonly actor: string
  readonly sha: string
  readonly ref: string
  readonly serverUrl: string
  /** The runner's folder for this job; emptied when the job ends. */
  readonly temp: string
}

/** @throws UserFault that names every variable that is missing */
export function readRunContext(environment: Readonly<Record<string, string | undefined>>): RunContext {
  const missing: string[] = []
  const read = (name: string): string => {
    const value = environment[name]
    if (value === undefined || value === '') missing.push(`${name} is not set`)
    return value ?? ''
  }
  const context: RunContext = {
    repository: read('GITHUB_REPOSITORY'),
    runId: read('GITHUB_RUN_ID'),
    runNumber: read('GITHUB_RUN_NUMBER'),
    attempt: Number(environment['GITHUB_RUN_ATTEMPT'] || 1),
    job: read('GITHUB_JOB'),
    temp: read('RUNNER_TEMP'),
    workflow: environment['GITHUB_WORKFLOW'] ?? '',
    event: environment['GITHUB_EVENT_NAME'] ?? '',
    actor: environment['GITHUB_ACTOR'] ?? '',
    sha: environment['GITHUB_SHA'] ?? '',
    ref: environment['GITHUB_REF'] ?? '',
    serverUrl: environment['GITHUB_SERVER_URL'] || 'https://github.com',
  }
  if (missing.length > 0) throw new UserFault('This runs as a step of a GitHub Actions workflow only', missing)
  return context
}

/** The page of the run. */
export const runUrl = (run: RunContext): string =>
  `${run.serverUrl}/${run.repository}/actions/runs/${run.runId}/attempts/${run.attempt}`
