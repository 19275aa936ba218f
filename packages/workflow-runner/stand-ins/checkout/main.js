import { cpSync, realpathSync } from 'node:fs'
import path from 'node:path'

const source = process.env.WORKFLOW_RUNNER_REPOSITORY
const workspace = realpathSync(process.env.GITHUB_WORKSPACE)
const target = path.resolve(workspace, process.env.INPUT_PATH || '.')

const refusal = () => {
  if (!source) return 'This stand-in runs only under the workflow runner of this repository.'
  if (process.env.INPUT_REPOSITORY !== process.env.GITHUB_REPOSITORY) {
    return `Only ${process.env.GITHUB_REPOSITORY} can be checked out here, not ${process.env.INPUT_REPOSITORY}.`
  }
  if (process.env.INPUT_REF) return `Only the commit that runs can be checked out here, not ${process.env.INPUT_REF}.`
  if (path.relative(workspace, target).startsWith('..')) return 'path must lie in the workspace.'
  return null
}

const why = refusal()
if (why === null) {
  const skipped = new Set(['.git', 'node_modules'])
  cpSync(source, target, { recursive: true, filter: file => !skipped.has(path.basename(file)) })
  console.log(`Copied ${source}`)
} else {
  console.log(`::error::${why}`)
  process.exitCode = 1
}
