import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { root } from '../repository.ts'

/** Who a consumer's workflow is to be read by. */
export type Reader = 'runner' | 'act'

/** act 0.2.87 rejects `concurrency.queue`; GitHub and our own runner know it. */
const forAct = (content: string) =>
  content
    .split('\n')
    .filter(line => !/^\s+queue: max$/.test(line))
    .join('\n')

const gitEnvironment = (folder: string) => ({
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Octocat',
  GIT_AUTHOR_EMAIL: 'octocat@example.com',
  GIT_COMMITTER_NAME: 'Octocat',
  GIT_COMMITTER_EMAIL: 'octocat@example.com',
})

/**
 * Lays the workflows of a folder out as a consumer's repository, so that `uses: ./.github/workflows/…` between them
 * resolves. For act it becomes a git repository with one commit, without which act warns at every step.
 */
export async function layOutConsumer(folder: string, reader: Reader, source = path.join(root, 'workflows-examples')) {
  const workflows = path.join(folder, '.github', 'workflows')
  await mkdir(workflows, { recursive: true })
  const names = (await readdir(source)).filter(name => /\.ya?ml$/.test(name))
  for (const name of names) {
    const content = await readFile(path.join(source, name), 'utf8')
    await writeFile(path.join(workflows, name), reader === 'act' ? forAct(content) : content)
  }
  await writeFile(path.join(folder, 'README.md'), '# A repository that uses gpu-actions\n')
  if (reader === 'act') {
    const git = (...args: string[]) => promisify(execFile)('git', args, { cwd: folder, env: gitEnvironment(folder) })
    await git('init', '--quiet', '--initial-branch', 'main')
    await git('add', '--all')
    await git('commit', '--quiet', '--message', 'Use gpu-actions')
  }
  return { folder, workflows, files: names.map(name => path.join(workflows, name)) }
}

/** Folders for every remote action that the workflows of a consumer use, by `owner/repo@ref`. */
export async function mapRepositories(workflows: string, releaseTree = path.join(root, 'build', 'release-tree')) {
  const standIns = path.join(root, 'packages', 'workflow-runner', 'stand-ins')
  const known: Readonly<Record<string, string>> = {
    'org/gpu-actions': releaseTree,
    'aws-actions/configure-aws-credentials': path.join(standIns, 'configure-aws-credentials'),
    'actions/checkout': path.join(standIns, 'checkout'),
  }
  const mapped: Record<string, string> = {}
  for (const name of (await readdir(workflows)).filter(each => /\.ya?ml$/.test(each))) {
    const content = await readFile(path.join(workflows, name), 'utf8')
    for (const [, repository = '', ref = ''] of content.matchAll(
      /uses:\s*['"]?([\w.-]+\/[\w.-]+)[^@\s]*@([^\s'"]+)/g,
    )) {
      const folder = known[repository]
      if (folder !== undefined) mapped[`${repository}@${ref}`] = folder
    }
  }
  return mapped
}
