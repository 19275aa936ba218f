import { expect, test } from '@jest/globals'
import { readRunContext, runUrl } from '../src/run-context.ts'
import { UserFault } from '../src/ports/faults.ts'

const environment = {
  GITHUB_REPOSITORY: 'org/consumer',
  GITHUB_RUN_ID: '42',
  GITHUB_RUN_NUMBER: '7',
  GITHUB_RUN_ATTEMPT: '2',
  GITHUB_JOB: 'benchmark',
  RUNNER_TEMP: '/tmp/runner',
}

test('the run is read from the environment of the runner', () => {
  expect(readRunContext(environment)).toMatchObject({ repository: 'org/consumer', attempt: 2, job: 'benchmark' })
})

test('the page of the run names its attempt', () => {
  const run = readRunContext({ ...environment, GITHUB_SERVER_URL: 'https://example.ghe.com' })
  expect(runUrl(run)).toBe('https://example.ghe.com/org/consumer/actions/runs/42/attempts/2')
})

test('outside of a job every variable that is missing is named', () => {
  const { GITHUB_RUN_ID: _, GITHUB_JOB: __, ...rest } = environment
  expect(() => readRunContext(rest)).toThrow(UserFault)
  expect(() => readRunContext({ ...rest, GITHUB_RUN_ID: '' })).toThrow(
    expect.objectContaining({ faults: ['GITHUB_RUN_ID is not set', 'GITHUB_JOB is not set'] }),
  )
})
