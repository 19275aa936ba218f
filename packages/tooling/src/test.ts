import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sizeWords, weigh } from './bench/budgets.ts'
import { runChecks } from './check/checks.ts'
import { releaseTreePath } from './release/release-tree.ts'
import { root } from './repository.ts'
import { runDrills } from './suites/drills.ts'
import { runJest } from './suites/jest.ts'
import { outcomeTable, strict, summaryLine, type SuiteOutcome } from './suites/outcome.ts'
import { runPytest } from './suites/pytest.ts'

/** Without these there is no proof that the product works: CI does not let them skip. */
const mustRun: ReadonlySet<string> = new Set(['pytest', 'adapter', 'bundle', 'workflow', 'act'])

// Two torch processes on two cores otherwise wait for each other, ten times slower.
process.env['OMP_NUM_THREADS'] ??= '2'
process.env['GOMP_SPINCOUNT'] ??= '0'

/** Quick ones first. One failing suite does not hide what the others say. */
const suites: readonly (() => Promise<readonly SuiteOutcome[]>)[] = [
  runChecks,
  async () => [sizeBudget()],
  async () => [await runJest('unit', 2)],
  async () => [await runJest('contract', 1)],
  () => runPytest(process.env['GPU_ACTIONS_PYTHON']),
  async () => [await runJest('adapter', 3)],
  async () => [await runJest('bundle', 1)],
  async () => [await runJest('workflow', 1)],
  async () => [await runDrills(60)],
  async () => [await runJest('act', 1)],
]

// Times need a quiet machine and are looked at by bench-bundles; sizes do not.
function sizeBudget(): SuiteOutcome {
  const tree = join(root, releaseTreePath)
  const { words, good } = existsSync(join(tree, 'action.yml'))
    ? weighed(tree)
    : { words: 'there is none: the build failed', good: false }
  console.log(`${good ? '✓' : '✗'} release tree: ${words}`)
  return { suite: 'check: release tree', passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: [], seconds: 0 }
}

function weighed(tree: string): { readonly words: string; readonly good: boolean } {
  const { size, within } = weigh(tree)
  return { words: sizeWords(size), good: within }
}

const outcomes: SuiteOutcome[] = []
for (const run of suites) {
  const made = await run()
  outcomes.push(...(process.env['CI'] === 'true' ? made.map(outcome => strict(outcome, mustRun)) : made))
  // What was counted as failed for skipping is told at once, beside the suite.
  for (const { suite, skipped } of made)
    for (const { test, reason } of skipped) console.log(`skipped: ${suite}: ${test} (${reason})`)
}

console.log(`\n${outcomeTable(outcomes)}`)
const skipped = outcomes.flatMap(({ suite, skipped: tests }) => tests.map(test => ({ suite, ...test })))
if (skipped.length > 0) console.log('\nskipped:')
for (const { suite, test, reason } of skipped) console.log(`  ${suite}: ${test}: ${reason}`)
console.log(`\n${summaryLine(outcomes)}`)
process.exitCode = outcomes.every(({ failed }) => failed === 0) ? 0 : 1
