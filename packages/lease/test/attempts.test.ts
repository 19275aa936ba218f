import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { attemptsOf, attemptsRecord, mayHaveMachine, type LaunchOutcome } from '../src/index.ts'
import { attempt, leaseId } from './fixtures/examples.ts'

const refused: LaunchOutcome = {
  kind: 'refused',
  fault: 'capacity',
  code: 'InsufficientInstanceCapacity',
  message: 'none',
  advice: 'wait',
  requestId: null,
}

describe('the record of attempts', () => {
  test('does not grow with the wait, and keeps the ends and everything that may have a machine', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.array(fc.nat(1_999), { maxLength: 3 }), (count, open) => {
        const all = Array.from({ length: count }, (_, index) =>
          attempt(index + 1, open.includes(index) ? null : refused),
        )
        const record = attemptsOf(leaseId, all)
        expect(record.attempts.length).toBeLessThanOrEqual(203)
        expect(record.attempts.length + (record.untold ?? 0)).toBe(count)
        expect(record.attempts.filter(mayHaveMachine)).toEqual(all.filter(mayHaveMachine))
        expect([record.attempts[0], record.attempts.at(-1)]).toEqual([all[0], all.at(-1)])
        expect(attemptsRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record)
      }),
      { numRuns: 30 },
    )
  })
})
