/** A test that did not run, and why. */
export interface Skipped {
  readonly test: string
  readonly reason: string
}

/** What came of one suite: a static check (which counts as one), a jest project, pytest. */
export interface SuiteOutcome {
  readonly suite: string
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly Skipped[]
  readonly seconds: number
}

/**
 * In CI a test of a suite that must run does not get away with skipping: it counts as failed. Elsewhere a machine may
 * lack what a test needs. A test for computers with a GPU, or without one, may skip anywhere: no set-up changes that.
 * @param mustRun names of suites
 */
export function strict(outcome: SuiteOutcome, mustRun: ReadonlySet<string>): SuiteOutcome {
  if (!mustRun.has(outcome.suite)) return outcome
  const excused = outcome.skipped.filter(({ reason }) => /\bGPU\b/.test(reason))
  return { ...outcome, failed: outcome.failed + outcome.skipped.length - excused.length, skipped: excused }
}

/** The closing line over all suites: `12 passed, 0 failed`, `, 1 skipped` behind it when any was. */
export function summaryLine(outcomes: readonly SuiteOutcome[]): string {
  const sum = (of: (outcome: SuiteOutcome) => number): number => outcomes.reduce((total, one) => total + of(one), 0)
  const skipped = sum(({ skipped: tests }) => tests.length)
  const line = `${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`
  return skipped === 0 ? line : `${line}, ${skipped} skipped`
}

/** One line a suite: counts and seconds, in columns. */
export function outcomeTable(outcomes: readonly SuiteOutcome[]): string {
  const rows = [
    ['suite', 'passed', 'failed', 'skipped', 'seconds'],
    ...outcomes.map(({ suite, passed, failed, skipped, seconds }) => [
      suite,
      ...[passed, failed, skipped.length].map(String),
      seconds.toFixed(1),
    ]),
  ]
  const widths = [0, 1, 2, 3, 4].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
