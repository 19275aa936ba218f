import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../repository.ts'
import type { Skipped, SuiteOutcome } from './outcome.ts'
import { runProgram } from './processes.ts'

/** What the packages' own tests are called; each package is a run of its own, with the settings of its pyproject.toml. */
const isTest = (name: string): boolean => name.endsWith('_test.py')

const filesOf = (folder: string): readonly string[] =>
  existsSync(join(root, folder)) ? readdirSync(join(root, folder)).filter(isTest).sort() : []

/** Runs the tests of every package that has some in Python: programs of the host, with real PyTorch, and the agent. */
export async function runPytest(python: string | undefined): Promise<readonly SuiteOutcome[]> {
  const folders = readdirSync(join(root, 'packages')).map(name => `packages/${name}/test`)
  const tested = folders.filter(folder => filesOf(folder).length > 0)
  if (tested.length === 0) {
    console.error('no package holds a *_test.py')
    return [{ suite: 'pytest', passed: 0, failed: 1, skipped: [], seconds: 0 }]
  }
  const outcomes: SuiteOutcome[] = []
  for (const folder of tested) outcomes.push(await runFolder(folder, python))
  return outcomes
}

async function runFolder(folder: string, python: string | undefined): Promise<SuiteOutcome> {
  const suite = 'pytest'
  const since = performance.now()
  const files = filesOf(folder)
  if (python === undefined) {
    const skipped = files.map(test => ({ test, reason: 'no Python with PyTorch could be set up' }))
    return { suite, passed: 0, failed: 0, skipped, seconds: 0 }
  }
  const paths = files.map(name => join(folder, name))
  const args = ['-m', 'pytest', '-rs', '--color=no', '-p', 'no:cacheprovider', ...paths]
  const { exitCode, output } = await runProgram(python, args, { cwd: root, show: true })
  return { suite, ...countPytest(output, exitCode), seconds: (performance.now() - since) / 1000 }
}

/** Counts from pytest's closing lines (`-rs`): `SKIPPED [2] file.py:3: why` and `= 3 passed, 2 skipped in 1.2s =`. */
export function countPytest(output: string, exitCode: number): Pick<SuiteOutcome, 'passed' | 'failed' | 'skipped'> {
  const closing = output.split('\n').findLast(line => /^=+ .* in [\d.]+s.* =+$/.test(line)) ?? ''
  const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(closing)?.[1] ?? 0)
  const failed = count('failed') + count('errors?')
  const skipped = output.split('\n').flatMap(skippedOf)
  return {
    passed: count('passed') + count('xfailed'),
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: count('skipped') === skipped.length ? skipped : unnamed(count('skipped')),
  }
}

function skippedOf(line: string): readonly Skipped[] {
  const [, times, place, reason] = /^SKIPPED \[(\d+)\] (\S+?:\d+|\S+): (.*)$/.exec(line) ?? []
  if (place === undefined || reason === undefined) return []
  return Array.from({ length: Number(times) }, () => ({ test: place, reason }))
}

const unnamed = (times: number): readonly Skipped[] =>
  Array.from({ length: times }, () => ({ test: 'pytest', reason: 'see its output' }))
