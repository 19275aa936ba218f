import { describe, expect, test } from '@jest/globals'
import { describeFailure } from '../src/failure.ts'
import { messageOf, OutsideFault, UserFault } from '../src/ports/faults.ts'

describe('the words of a failure', () => {
  test('for the author of the workflow: all faults, no stack', () => {
    expect(describeFailure(new UserFault('2 inputs are wrong', ['ttl: is required', 'region: is required']))).toEqual({
      message: '2 inputs are wrong\n- ttl: is required\n- region: is required',
      details: '',
    })
  })

  test('for a fault outside: what failed, why, and what to do, no stack', () => {
    const cause = new TypeError('socket hang up', { cause: new Error('read ECONNRESET') })
    const fault = new OutsideFault({ what: 'Launching g5.2xlarge failed', advice: 'Run the job again.', cause })
    expect(describeFailure(fault)).toEqual({
      message: [
        'Launching g5.2xlarge failed',
        'Because: TypeError: socket hang up',
        'Because: read ECONNRESET',
        'What to do: Run the job again.',
      ].join('\n'),
      details: '',
    })
  })

  test('for our own fault: it says so and shows the stack', () => {
    const failure = describeFailure(new TypeError('x is not a function', { cause: 'a bad day' }))
    expect(failure.message).toBe(
      'This is a fault of gpu-actions itself: TypeError: x is not a function\nBecause: a bad day',
    )
    expect(failure.details).toContain('failure.test')
  })

  test.each([
    ['a string', 'a string'],
    [undefined, 'undefined'],
    [{ code: 7 }, '{ code: 7 }'],
    [Object.create(null), '[Object: null prototype] {}'],
    [Symbol('x'), 'Symbol(x)'],
  ])('for %p, which is no error at all', (thrown, words) => {
    expect(describeFailure(thrown)).toEqual({
      message: `This is a fault of gpu-actions itself: ${words}`,
      details: '',
    })
  })

  test('a chain of causes that bites its tail comes to an end', () => {
    const first = new Error('first')
    first.cause = new Error('second', { cause: first })
    expect(describeFailure(first).message.split('\n').length).toBeLessThan(20)
  })
})

describe('an error without a message', () => {
  test('speaks through the errors in it', () => {
    const refused = new AggregateError([
      new Error('connect ECONNREFUSED ::1:80'),
      new Error('connect ECONNREFUSED 127.0.0.1:80'),
    ])
    expect(messageOf(refused)).toBe('connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80')
  })

  test('shows its code, if it has one', () => {
    expect(messageOf(Object.assign(new Error(''), { code: 'EPIPE' }))).toBe('EPIPE')
    expect(messageOf(new Error(''))).toBe('it gave no reason')
  })
})
