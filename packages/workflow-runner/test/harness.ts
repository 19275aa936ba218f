import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll } from '@jest/globals'
import type { WorkflowOptions, WorkflowResult } from '../src/index.ts'
import { runWorkflow } from '../src/index.ts'

export const fixtures = fileURLToPath(new URL('fixture-actions', import.meta.url))

const folders: string[] = []

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

export interface Ran {
  readonly result: WorkflowResult
  readonly log: readonly string[]
  /** What fixtures and scripts printed after `trace: `, in order, whatever job they ran in. */
  readonly trace: readonly string[]
  readonly directory: string
}

/** A consumer's repository with these workflows; the first one is run. */
export async function run(
  workflows: Readonly<Record<string, string>>,
  options: Partial<WorkflowOptions> & { readonly onLine?: (line: string) => void } = {},
): Promise<Ran> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'workflow-runner-'))
  folders.push(folder)
  const files = path.join(folder, 'repository', '.github', 'workflows')
  await mkdir(files, { recursive: true })
  for (const [name, content] of Object.entries(workflows)) await writeFile(path.join(files, name), content)
  const log: string[] = []
  const { onLine, ...given } = options
  const directory = path.join(folder, 'runner')
  const result = await runWorkflow({
    file: path.join(files, Object.keys(workflows)[0] ?? ''),
    repositories: { 'org/fixtures@v1': fixtures },
    env: {},
    directory,
    log: line => {
      log.push(line)
      onLine?.(line)
    },
    ...given,
  })
  const trace = log.flatMap(line => /trace: (.*)$/.exec(line)?.[1] ?? [])
  return { result, log, trace, directory }
}

/** One job with these steps, in YAML with no indentation of its own. */
export const steps = (yaml: string, extra = ''): Record<string, string> => ({
  'x.yml': `on: push\n${extra}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n${yaml.replaceAll(/^/gm, '      ')}\n`,
})

export const conclusions = ({ jobs }: WorkflowResult): Record<string, string> =>
  Object.fromEntries(jobs.map(job => [job.name, job.conclusion]))

/** Resolves when the process has ended (a zombie has), rejects after ten seconds. */
export async function hasEnded(pid: number): Promise<void> {
  if (!(pid > 0)) throw new Error('there is no process to wait for')
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline) {
    const state = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    if (state === '' || state.startsWith('Z')) return
    await sleep(50)
  }
  throw new Error(`process ${pid} still runs`)
}
