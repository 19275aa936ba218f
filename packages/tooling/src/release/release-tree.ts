import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { aliases, findActions } from '../repository.ts'

/** Where the tree is laid, relative to the repository. */
export const releaseTreePath = 'build/release-tree'

/**
 * Lays what a tag carries: dist/, one folder for each `uses:` path with action.yml and README, a root action.yml that
 * refuses, LICENSE and README. The folder is replaced when everything is there.
 * @returns the `uses:` paths
 */
export function layReleaseTree(root: string): readonly string[] {
  const names = findActions(root).map(({ name }) => name)
  requireParts(root, names)
  const draft = join(root, 'build/release-tree-draft')
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  cpSync(join(root, 'dist'), join(draft, 'dist'), { recursive: true })
  const paths = new Map(names.map(name => [name, name]))
  for (const [alias, name] of Object.entries(aliases)) if (paths.has(name)) paths.set(alias, name)
  for (const [path, name] of paths) {
    mkdirSync(join(draft, path))
    for (const file of ['action.yml', 'README.md']) copy(join(root, 'actions', name, file), join(draft, path, file))
  }
  const usesPaths = [...paths.keys()].sort()
  writeFileSync(join(draft, 'dist/refuse.js'), refusingMain(usesPaths))
  writeFileSync(join(draft, 'action.yml'), refusingMetadata())
  for (const file of ['LICENSE', 'README.md']) copy(join(root, file), join(draft, file))
  const target = join(root, releaseTreePath)
  rmSync(target, { recursive: true, force: true })
  renameSync(draft, target)
  return usesPaths
}

// A page that is not written yet fails the checks, and stops no test of the bundles.
function copy(from: string, to: string): void {
  if (existsSync(from) || !from.endsWith('.md')) cpSync(from, to)
}

function requireParts(root: string, names: readonly string[]): void {
  const parts = names.flatMap(name => [
    [`dist/${name}.js`, 'build'] as const,
    [`actions/${name}/action.yml`, 'generate'] as const,
  ])
  const missing = parts.filter(([path]) => !existsSync(join(root, path)))
  if (missing.length > 0)
    throw new Error(missing.map(([path, command]) => `${path} is missing: run "npm run ${command}"`).join('\n'))
}

function refusingMetadata(): string {
  const metadata = {
    name: 'gpu-actions',
    description: 'Names no action: use one of the paths below this one, such as gpu-actions/provision@v1.',
    runs: { using: 'node24', main: 'dist/refuse.js' },
  }
  return stringify(metadata, { lineWidth: 120 })
}

// Without dependencies: it has one thing to say.
const refusingMain = (paths: readonly string[]): string =>
  `const repository = process.env.GITHUB_ACTION_REPOSITORY || 'org/gpu-actions'
const ref = process.env.GITHUB_ACTION_REF || 'v1'
const paths = ${JSON.stringify(paths)}
console.log(
  \`::error title=No action is named::\${repository} holds several actions and "uses: \${repository}@\${ref}" names none of them. \` +
    \`Write one of: \${paths.map(path => \`\${repository}/\${path}@\${ref}\`).join(', ')}\`,
)
process.exitCode = 1
`

/** Bytes of all files below a folder. */
export function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
