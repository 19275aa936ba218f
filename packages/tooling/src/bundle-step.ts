import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parsePairs } from '@gpu-actions/workflow-runner'
import { parse } from 'yaml'

const releaseTree = fileURLToPath(new URL('../../../build/release-tree', import.meta.url))

/** How a step ended and what it left, as the runner would find it. */
export interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly summary: string
}

export interface Step {
  readonly inputs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** What main saved, for a post. */
  readonly state?: Readonly<Record<string, string>>
  /** Called with the process as soon as it runs, to kill it for instance. */
  readonly onSpawn?: (kill: (signal: NodeJS.Signals) => void, pid: number) => void
  /** Called with each line of standard output as it comes. */
  readonly onLine?: (line: string) => void
}

export interface Job {
  /** A copy of the release tree with no node_modules anywhere above it. */
  readonly tree: string
  readonly temp: string
  main(action: string, step?: Step): Promise<Ended>
  post(action: string, step?: Step): Promise<Ended>
}

/**
 * A job on a runner of its own: an empty workspace, a clean environment, one RUNNER_TEMP for all its steps. The actions
 * are those of the release tree, spawned as the runner spawns them.
 */
export async function startJob(env: Readonly<Record<string, string>> = {}): Promise<Job> {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-actions-bundle-'))
  const tree = join(folder, 'tree')
  await cp(releaseTree, tree, { recursive: true })
  const temp = join(folder, 'temp')
  const workspace = join(folder, 'workspace')
  await mkdir(temp)
  await mkdir(workspace)
  const base = {
    PATH: '/usr/bin:/bin',
    GITHUB_REPOSITORY: 'org/consumer',
    GITHUB_RUN_ID: '4711',
    GITHUB_RUN_NUMBER: '7',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_JOB: 'bench',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: workspace,
    RUNNER_TEMP: temp,
    ...env,
  }
  const phase =
    (key: 'main' | 'post') =>
    async (action: string, step: Step = {}): Promise<Ended> => {
      const manifest = parse(await readFile(join(tree, action, 'action.yml'), 'utf8')) as {
        runs: Record<string, string>
      }
      const script = manifest.runs[key]
      if (script === undefined) throw new Error(`${action} has no ${key}`)
      return runStep(join(tree, action, script), step, { ...base, ...step.env }, folder, workspace)
    }
  return { tree, temp, main: phase('main'), post: phase('post') }
}

async function runStep(
  script: string,
  step: Step,
  env: Record<string, string>,
  folder: string,
  cwd: string,
): Promise<Ended> {
  const commands = await mkdtemp(join(folder, 'step-'))
  const files = {
    GITHUB_OUTPUT: join(commands, 'output'),
    GITHUB_STATE: join(commands, 'state'),
    GITHUB_ENV: join(commands, 'env'),
    GITHUB_PATH: join(commands, 'path'),
    GITHUB_STEP_SUMMARY: join(commands, 'summary'),
  }
  for (const file of Object.values(files)) await writeFile(file, '')
  const prefixed = (prefix: string, values: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]))
  const inputs = Object.fromEntries(
    Object.entries(prefixed('INPUT_', step.inputs)).map(([name, value]) => [name.toUpperCase(), value]),
  )
  const ended = await spawned(script, { ...env, ...files, ...inputs, ...prefixed('STATE_', step.state) }, cwd, step)
  return {
    ...ended,
    outputs: Object.fromEntries(parsePairs(await readFile(files.GITHUB_OUTPUT, 'utf8'))),
    state: Object.fromEntries(parsePairs(await readFile(files.GITHUB_STATE, 'utf8'))),
    summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8'),
  }
}

function spawned(
  script: string,
  env: Record<string, string>,
  cwd: string,
  { onSpawn, onLine }: Pick<Step, 'onSpawn' | 'onLine'>,
): Promise<Pick<Ended, 'exitCode' | 'signal' | 'stdout' | 'stderr'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.env['GPU_ACTIONS_NODE'] ?? process.execPath, [script], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    if (onLine !== undefined) createInterface(child.stdout).on('line', onLine)
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }))
    onSpawn?.(signal => void child.kill(signal), child.pid ?? 0)
  })
}
