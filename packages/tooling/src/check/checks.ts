import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { compareGenerated } from '../generate/generate.ts'
import { root } from '../repository.ts'
import type { SuiteOutcome } from '../suites/outcome.ts'
import { runProgram } from '../suites/processes.ts'
import { pictureIsStale, picturePath } from './picture.ts'

/** A static check: gives what is wrong, nothing when all is well, or why it could not be made. */
interface Check {
  readonly name: string
  readonly find: () => Promise<Finding>
}

type Finding = { readonly faults: string } | { readonly skipped: string }

// ruff shows whole diffs unless told otherwise.
const env = { ...process.env, RUFF_OUTPUT_FORMAT: 'concise' }

const tool = (name: string, program: string, args: readonly string[]): Check => ({
  name,
  find: async () => {
    const { exitCode, output } = await runProgram(program, args, { cwd: root, env, show: false })
    return { faults: exitCode === 0 ? '' : output.trim() || `${program} ended with ${exitCode}` }
  },
})

const bin = (name: string): string => join(root, 'node_modules/.bin', name)

const checks: readonly Check[] = [
  tool('types', bin('tsc'), ['-p', '.']),
  tool('lint', bin('oxlint'), ['--type-aware', '--deny-warnings']),
  tool('format', bin('prettier'), ['--check', '--log-level', 'warn', '.']),
  tool('imports', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'packages', 'actions']),
  { name: 'generated files', find: staleFiles },
  python('Python lint', ['check']),
  python('Python format', ['format', '--check']),
]

async function staleFiles(): Promise<Finding> {
  const { stale, faults } = await compareGenerated()
  const paths = [...stale.keys(), ...((await pictureIsStale()) ? [picturePath] : [])]
  return { faults: [...faults, ...paths.map(path => `${path} is out of date: run "npm run generate"`)].join('\n') }
}

// The Python is one that runs torch; it may have been set up by hand, without ruff.
function python(name: string, args: readonly string[]): Check {
  return {
    name,
    find: async () => {
      const path = process.env['GPU_ACTIONS_PYTHON']
      if (path === undefined) return { skipped: 'no Python was set up' }
      const ruff = await runProgram(path, ['-m', 'ruff', '--version'], { cwd: root, show: false })
      if (ruff.exitCode !== 0) return { skipped: `${path} has no ruff` }
      const folders = ['packages'].filter(folder => existsSync(join(root, folder)))
      return tool(name, path, ['-m', 'ruff', ...args, '--no-cache', ...folders]).find()
    },
  }
}

/** Makes every static check, each as a suite of one, and shows what each found. */
export async function runChecks(): Promise<readonly SuiteOutcome[]> {
  const outcomes: SuiteOutcome[] = []
  for (const { name, find } of checks) {
    const since = performance.now()
    const finding = await find().catch((error: unknown) => ({ faults: String(error) }))
    const seconds = (performance.now() - since) / 1000
    const outcome = { suite: `check: ${name}`, passed: 0, failed: 0, skipped: [], seconds }
    if ('skipped' in finding) {
      outcomes.push({ ...outcome, skipped: [{ test: name, reason: finding.skipped }] })
      console.log(`- ${name}: skipped, ${finding.skipped}`)
    } else if (finding.faults === '') {
      outcomes.push({ ...outcome, passed: 1 })
      console.log(`✓ ${name} (${seconds.toFixed(1)} s)`)
    } else {
      outcomes.push({ ...outcome, failed: 1 })
      console.log(`✗ ${name} (${seconds.toFixed(1)} s)\n${finding.faults}`)
    }
  }
  return outcomes
}
