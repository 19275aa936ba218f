import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { budgets, sizeWords, weigh } from './bench/budgets.ts'
import { measureFiles } from './bench/sizes.ts'
import { timeStarts, type Start } from './bench/cold-start.ts'
import { releaseTreePath } from './release/release-tree.ts'
import { findActions, root } from './repository.ts'

// A time depends on the machine and on what else it does: only --strict fails for it.
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, strict: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds must be a whole number of at least 1')

const tree = join(root, releaseTreePath)
const actions = findActions()
const folder = mkdtempSync(join(tmpdir(), 'gpu-actions-bench-'))
try {
  const { withinSize, withinTime } = report()
  process.exitCode = withinSize && (withinTime || !values.strict) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function report(): { readonly withinSize: boolean; readonly withinTime: boolean } {
  const [cwd, temp] = [join(folder, 'empty'), join(folder, 'temp')]
  for (const path of [cwd, temp]) mkdirSync(path)
  const nothing = join(folder, 'nothing.js')
  writeFileSync(nothing, '')
  const node = process.execPath
  const env = runnerEnv(temp)
  const starts: Start[] = [
    { name: 'empty Node', args: [nothing], exitCode: 0, says: /^$/ },
    ...actions.map(({ name }) => ({
      name,
      args: [join(tree, 'dist', `${name}.js`)],
      exitCode: 1,
      says: /inputs? (is|are) wrong/,
    })),
  ]
  const times = timeStarts(starts, { node, cwd, env, rounds })
  const empty = times.get('empty Node')?.medianMs ?? Number.NaN

  console.log(`cold start, spawn to exit with wrong inputs, ${rounds} rounds, Node ${process.versions.node}`)
  let withinTime = true
  for (const [name, { medianMs, minMs, maxMs }] of times) {
    const good = medianMs <= budgets.coldStartMs
    withinTime &&= good
    const size =
      name === 'empty Node' ? '' : `  loads ${sizeWords(measureFiles(tree, loadedFiles(node, name, cwd, env)))}`
    const spread = `${minMs.toFixed(0)}–${maxMs.toFixed(0)}`
    console.log(
      `${mark(good)} ${name.padEnd(22)} ${medianMs.toFixed(0).padStart(4)} ms (${spread}), ${(medianMs / empty).toFixed(1)} × empty Node${size}`,
    )
  }
  console.log(`  budget: ${budgets.coldStartMs} ms${values.strict ? '' : ' (a miss fails with --strict only)'}`)

  const { size, within: withinSize } = weigh(tree)
  console.log(`\n${mark(withinSize)} release tree: ${sizeWords(size)}`)
  console.log(`  budget: ${sizeWords({ raw: budgets.rawBytes, gzipped: budgets.gzippedBytes })}`)
  return { withinSize, withinTime }
}

// A job as the runner describes it, with inputs that every action refuses.
function runnerEnv(temp: string): Readonly<Record<string, string>> {
  const github = { GITHUB_ACTIONS: 'true', GITHUB_REPOSITORY: 'org/consumer', GITHUB_SERVER_URL: 'https://github.com' }
  const run = {
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_RUN_NUMBER: '1',
    GITHUB_JOB: 'bench',
    GITHUB_SHA: '0'.repeat(40),
  }
  const inputs = { 'INPUT_AWS-REGION': 'no region', 'INPUT_LEASE-ID': 'no lease', 'INPUT_RETENTION-DAYS': '-1' }
  return { PATH: '/usr/bin:/bin', RUNNER_TEMP: temp, ...github, ...run, ...inputs }
}

/** What a refused start reads of the release tree, as Node itself tells. */
function loadedFiles(
  node: string,
  name: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const stub = join(tree, 'dist', `${name}.js`)
  const tell = `import { registerHooks } from 'node:module'
    registerHooks({ load(url, context, next) { if (url.startsWith('file:')) console.error('loaded ' + decodeURIComponent(new URL(url).pathname)); return next(url, context) } })`
  const { stderr } = spawnSync(node, ['--import', `data:text/javascript,${encodeURIComponent(tell)}`, stub], {
    cwd,
    env,
    encoding: 'utf8',
  })
  const loaded = stderr.split('\n').flatMap(line => (line.startsWith('loaded ') ? [line.slice('loaded '.length)] : []))
  return [...new Set(loaded)].filter(path => path.startsWith(`${tree}/`)).map(path => path.slice(tree.length + 1))
}

function mark(good: boolean): string {
  return good ? '✓' : '✗'
}
