import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { outcomeTable, strict, summaryLine, type SuiteOutcome } from '../src/suites/outcome.ts'

const outcome = (suite: string, passed: number, failed: number, skipped = 0): SuiteOutcome => ({
  suite,
  passed,
  failed,
  skipped: Array.from({ length: skipped }, (_, index) => ({ test: `test ${index}`, reason: 'no act' })),
  seconds: 1.25,
})

describe('summaryLine', () => {
  test('adds up all suites and leaves skipped out when none was', () => {
    expect(summaryLine([outcome('unit', 12, 0), outcome('act', 3, 1)])).toBe('15 passed, 1 failed')
  })

  test('names skipped tests', () => {
    expect(summaryLine([outcome('unit', 1, 0), outcome('act', 0, 0, 2)])).toBe('1 passed, 0 failed, 2 skipped')
  })

  test('of nothing is zero of each', () => {
    expect(summaryLine([])).toBe('0 passed, 0 failed')
  })
})

describe('strict', () => {
  test('counts a skipped test of a suite that must run as failed', () => {
    expect(strict(outcome('act', 1, 1, 2), new Set(['act']))).toMatchObject({ passed: 1, failed: 3, skipped: [] })
  })

  test('lets a test skip for the GPU that a computer has or has not', () => {
    const skipped = [{ test: 'no_gpu', reason: 'there is a GPU here' }]
    expect(strict({ ...outcome('act', 1, 0), skipped }, new Set(['act']))).toMatchObject({ failed: 0, skipped })
  })

  test('leaves other suites as they are', () => {
    const unit = outcome('unit', 1, 0, 2)
    expect(strict(unit, new Set(['act']))).toEqual(unit)
  })

  test('never changes how many tests there are', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(50), fc.boolean(), (passed, failed, skipped, must) => {
        const made = strict(outcome('act', passed, failed, skipped), new Set(must ? ['act'] : []))
        expect(made.passed + made.failed + made.skipped.length).toBe(passed + failed + skipped)
      }),
    )
  })
})

test('outcomeTable lines up its columns', () => {
  expect(outcomeTable([outcome('check: types', 1, 0), outcome('unit', 120, 3, 1)])).toBe(
    [
      'suite         passed  failed  skipped  seconds',
      'check: types       1       0        0      1.3',
      'unit             120       3        1      1.3',
    ].join('\n'),
  )
})
