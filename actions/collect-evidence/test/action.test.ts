import { expect, test } from '@jest/globals'
import { readInputs, UserFault } from '@gpu-actions/action-kit'
import { collectEvidence } from '../src/action.ts'

const read = (given: Record<string, string>) => readInputs(collectEvidence, id => given[id] ?? '')

test('nothing needs to be given', () => {
  expect(read({})).toEqual({
    name: 'benchmark-evidence-{instance-type}-{run_number}',
    retentionDays: 90,
    upload: true,
  })
})

test('all faults are named at once', () => {
  expect(() => read({ 'lease-id': '../x', name: 'a/b', 'retention-days': '0', upload: 'maybe' })).toThrow(UserFault)
  expect(() => read({ 'lease-id': '../x', name: 'a/b', 'retention-days': '0', upload: 'maybe' })).toThrow(
    expect.objectContaining({ message: 'collect-evidence: 4 inputs are wrong, nothing was done' }),
  )
})

test('a placeholder that nobody fills in is a fault', () => {
  expect(() => read({ name: 'evidence-{run-number}-{run_number}' })).toThrow(
    expect.objectContaining({
      faults: ['name: knows no {run-number}, only {instance-type}, {run_number}, {lease-id}'],
    }),
  )
})

test.each(['a:b', 'a"b', 'a\\b', 'a\nb', 'a*'])('GitHub would refuse the name %j, so it is refused at once', name => {
  expect(() => read({ name })).toThrow(UserFault)
})
