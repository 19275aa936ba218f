import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Contexts, Plain } from './expressions.ts'
import { textOf } from './expressions.ts'
import type { Masks } from './masks.ts'
import type { WorkflowOptions } from './types.ts'
import type { Workflow } from './workflow.ts'

/** What all jobs of a run share. */
export interface Run {
  readonly options: WorkflowOptions
  readonly masks: Masks
  readonly event: string
  readonly payload: Readonly<Record<string, Plain>>
  readonly timeScale: number
  readonly token: string
  /** The consumer's repository on this machine. */
  readonly root: string
  readonly github: Readonly<Record<string, Plain>>
  /** Places to run jobs in, numbered so that legs of a matrix do not meet. */
  readonly nextNumber: () => number
  readonly lost: AbortSignal
  readonly several: boolean
}

export function createGithubContext(
  options: WorkflowOptions,
  workflow: Workflow,
  event: string,
  token: string,
  payload: Plain,
) {
  const repository = options.repository ?? 'org/consumer'
  const ref = options.ref ?? 'refs/heads/main'
  const sha = options.sha ?? randomBytes(20).toString('hex')
  const actor = options.actor ?? 'octocat'
  return {
    workflow: workflow.name,
    workflow_ref: `${repository}/${workflow.path}@${ref}`,
    workflow_sha: sha,
    run_id: String(options.runId ?? 1_000_000_000 + (randomBytes(4).readUInt32BE() % 9_000_000_000)),
    run_number: String(options.runNumber ?? 1),
    run_attempt: String(options.runAttempt ?? 1),
    repository,
    repository_owner: repository.split('/')[0] ?? '',
    repository_id: '123456789',
    repository_owner_id: '987654321',
    repositoryUrl: `git://github.com/${repository}.git`,
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags)\//, ''),
    ref_type: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    ref_protected: false,
    sha,
    head_ref: '',
    base_ref: '',
    actor,
    actor_id: '583231',
    triggering_actor: actor,
    event_name: event,
    event: payload,
    server_url: 'https://github.com',
    api_url: 'https://api.github.com',
    graphql_url: 'https://api.github.com/graphql',
    retention_days: '90',
    secret_source: 'Actions',
    token,
  } satisfies Record<string, Plain>
}

/** The folders of one job, as on a runner of its own. */
export interface Place {
  readonly workspace: string
  readonly temp: string
  readonly tools: string
  readonly home: string
  readonly downloads: string
  readonly commands: string
  readonly eventPath: string
  readonly trackingId: string
}

export async function makePlace(run: Run, jobId: string): Promise<Place> {
  const folder = path.resolve(
    run.options.directory,
    'jobs',
    `${run.nextNumber()}-${jobId.replaceAll(/[^\w.-]+/g, '_')}`,
  )
  const name = textOf(run.github['repository'] ?? null).split('/')[1] ?? 'repository'
  const temp = path.join(folder, 'temp')
  const place: Place = {
    workspace: path.join(folder, 'work', name, name),
    temp,
    tools: path.join(folder, 'tools'),
    home: path.join(folder, 'home'),
    downloads: path.join(folder, 'actions'),
    commands: path.join(temp, '_runner_file_commands'),
    eventPath: path.join(temp, '_github_workflow', 'event.json'),
    trackingId: `github_${randomUUID()}`,
  }
  const folders = [
    place.workspace,
    place.tools,
    place.home,
    place.downloads,
    place.commands,
    path.dirname(place.eventPath),
  ]
  for (const each of folders) await mkdir(each, { recursive: true })
  await writeFile(place.eventPath, JSON.stringify(run.payload, null, 2))
  return place
}

const architectures: Readonly<Record<string, string>> = { x64: 'X64', arm64: 'ARM64', ia32: 'X86', arm: 'ARM' }

export const runnerContext = (place: Place): Contexts => ({
  name: 'GitHub Actions 1',
  os: process.platform === 'darwin' ? 'macOS' : 'Linux',
  arch: architectures[os.arch()] ?? 'X64',
  environment: 'github-hosted',
  temp: place.temp,
  tool_cache: place.tools,
  workspace: path.dirname(place.workspace),
})

/** Members of the github context that are no environment variable. */
const notInEnvironment = new Set(['event', 'token', 'repositoryUrl', 'secret_source'])

/** GITHUB_* and RUNNER_*: set last, because a workflow cannot override them. */
export function runnerEnvironment(place: Place, job: string, github: Contexts): Record<string, string> {
  const pairs = [
    ...Object.entries(github)
      .filter(([name]) => !notInEnvironment.has(name))
      .map(([name, value]) => [`GITHUB_${name.toUpperCase()}`, textOf(value)] as const),
    ...Object.entries(runnerContext(place)).map(
      ([name, value]) => [`RUNNER_${name.toUpperCase()}`, textOf(value)] as const,
    ),
  ]
  return {
    ...Object.fromEntries(pairs),
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_JOB: job,
    GITHUB_WORKSPACE: place.workspace,
    GITHUB_EVENT_PATH: place.eventPath,
    RUNNER_TRACKING_ID: place.trackingId,
  }
}

/** What a step has before anything is set for it. From the caller's environment comes the search path, nothing else. */
export const baseEnvironment = (place: Place): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  HOME: place.home,
  LANG: 'C.UTF-8',
})
