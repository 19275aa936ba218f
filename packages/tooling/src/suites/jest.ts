import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../repository.ts'
import type { Skipped, SuiteOutcome } from './outcome.ts'
import { runProgram } from './processes.ts'

/** The part of jest's JSON report that counts. */
export interface JestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/**
 * Runs one project of jest.config.js.
 * @param workers processes side by side
 */
export async function runJest(project: string, workers: number): Promise<SuiteOutcome> {
  const since = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'gpu-actions-jest-'))
  const report = join(folder, 'report.json')
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js']
  const jest = ['--selectProjects', project, '--maxWorkers', String(workers), '--json', '--outputFile', report]
  // The JSON goes to stdout too; reporters write to stderr.
  const { exitCode, output } = await runProgram(
    'sh',
    ['-c', '"$@" >/dev/null', 'jest', process.execPath, ...node, ...jest],
    {
      cwd: root,
      show: true,
    },
  )
  const seconds = (performance.now() - since) / 1000
  try {
    return { suite: project, ...countJest(readReport(report), exitCode, skipReason(process.env)), seconds }
  } catch {
    const words = output.trim() === '' ? `jest said nothing and ended with ${exitCode}` : 'jest left no report'
    console.error(words)
    return { suite: project, passed: 0, failed: 1, skipped: [], seconds }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const readReport = (path: string): JestReport => JSON.parse(readFileSync(path, 'utf8')) as JestReport

/**
 * Counts a report. A file that could not be loaded counts as a failure, and so does a project without tests or a jest
 * that failed without a failing test (an open handle, a crash of a worker).
 */
export function countJest(
  { testResults }: JestReport,
  exitCode: number,
  reason: string,
): Pick<SuiteOutcome, 'passed' | 'failed' | 'skipped'> {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const count = (status: string): number => tests.filter(test => test.status === status).length
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some(test => test.status === 'failed'),
  ).length
  const skipped: readonly Skipped[] = tests
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => ({ test: fullName, reason }))
  const failed = count('failed') + broken
  return { passed: count('passed'), failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped }
}

/** jest keeps no reason of a skip: what this machine lacks is the reason. */
export function skipReason(env: Readonly<Record<string, string | undefined>>): string {
  const lacking = ['GPU_ACTIONS_PYTHON', 'GPU_ACTIONS_ACT', 'GPU_ACTIONS_CLOUD_INIT'].filter(name => !env[name])
  return lacking.length === 0 ? 'see the test' : `${lacking.join(', ')} could not be set up`
}
