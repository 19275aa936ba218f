import { describe, expect, test } from '@jest/globals'
import { countJest, skipReason, type JestReport } from '../src/suites/jest.ts'
import { countPytest } from '../src/suites/pytest.ts'

const file = (status: string, ...tests: string[]): JestReport['testResults'][number] => ({
  name: '/a.test.ts',
  status,
  assertionResults: tests.map((one, index) => ({ status: one, fullName: `test ${index}` })),
})

describe('countJest', () => {
  test('counts tests by what came of them', () => {
    const report = { testResults: [file('passed', 'passed', 'pending'), file('failed', 'passed', 'failed')] }
    expect(countJest(report, 1, 'no act')).toEqual({
      passed: 2,
      failed: 1,
      skipped: [{ test: 'test 1', reason: 'no act' }],
    })
  })

  test('counts a file that could not be loaded as one failure', () => {
    expect(countJest({ testResults: [file('failed')] }, 1, '')).toMatchObject({ passed: 0, failed: 1 })
  })

  test('does not believe a jest that fails without a failing test', () => {
    expect(countJest({ testResults: [] }, 1, '')).toMatchObject({ passed: 0, failed: 1 })
    expect(countJest({ testResults: [file('passed', 'passed')] }, 1, '')).toMatchObject({ passed: 1, failed: 1 })
  })
})

test('skipReason names what this machine lacks', () => {
  expect(skipReason({ GPU_ACTIONS_PYTHON: '/p', GPU_ACTIONS_CLOUD_INIT: '/c' })).toBe(
    'GPU_ACTIONS_ACT could not be set up',
  )
  expect(skipReason({ GPU_ACTIONS_PYTHON: '/p', GPU_ACTIONS_CLOUD_INIT: '/c', GPU_ACTIONS_ACT: '/a' })).toBe(
    'see the test',
  )
})

describe('countPytest', () => {
  test('reads the closing line and the reasons of skips', () => {
    const output = `collected 5 items
SKIPPED [2] packages/benchmark/test/host_test.py:12: needs a GPU
========= 3 passed, 2 skipped, 1 warning in 4.51s =========
`
    const skipped = { test: 'packages/benchmark/test/host_test.py:12', reason: 'needs a GPU' }
    expect(countPytest(output, 0)).toEqual({ passed: 3, failed: 0, skipped: [skipped, skipped] })
  })

  test('counts failures and errors', () => {
    expect(countPytest('=== 1 failed, 2 passed, 3 errors in 61.00s (0:01:01) ===\n', 1)).toMatchObject({
      passed: 2,
      failed: 4,
    })
  })

  test('does not believe a pytest that ends badly without saying why', () => {
    expect(countPytest('ImportError: no module named pytest\n', 1)).toEqual({ passed: 0, failed: 1, skipped: [] })
    expect(countPytest('=== no tests ran in 0.01s ===\n', 5)).toMatchObject({ failed: 1 })
  })

  test('keeps the number of skips when their reasons cannot be read', () => {
    expect(countPytest('=== 1 passed, 1 skipped in 0.01s ===\n', 0).skipped).toHaveLength(1)
  })
})
