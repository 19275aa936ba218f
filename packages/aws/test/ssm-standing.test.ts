import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { scriptBytes, travelling } from '../src/ssm/script-text.ts'
import { firstAsk } from '../src/ssm/ssm-host.ts'
import { standingOf } from '../src/ssm/standing.ts'

describe('how an invocation stands', () => {
  test.each(['Pending', 'In Progress', 'InProgress', 'Delayed', 'Cancelling'])('%s is asked for again', details => {
    expect(standingOf({ StatusDetails: details }).kind).toBe('going')
  })

  test('the exit code decides, 0 or not', () => {
    expect(standingOf({ StatusDetails: 'Success', ResponseCode: 0 }).kind).toBe('ended')
    expect(standingOf({ StatusDetails: 'Failed', ResponseCode: 3 }).kind).toBe('ended')
  })

  test('a failure without an exit code is no end of the script', () => {
    expect(standingOf({ StatusDetails: 'Failed', ResponseCode: -1 })).toMatchObject({ kind: 'failed', mayPass: true })
  })

  test.each([
    'Delivery Timed Out',
    'DeliveryTimedOut',
    'Undeliverable',
    'Terminated',
    'Cancelled',
    'Execution Timed Out',
  ])('%s is a failure with a sentence and advice', details => {
    const standing = standingOf({ StatusDetails: details })
    expect(standing.kind).toBe('failed')
    expect(standing.says).toMatch(/^(was|could|ran) /)
    expect(standing.advice).toMatch(/\.$/)
  })

  test('unknown details fall back to the status, and an unknown status is named', () => {
    expect(standingOf({ StatusDetails: 'Brand New', Status: 'InProgress' }).kind).toBe('going')
    expect(standingOf({ StatusDetails: 'Brand New', Status: 'Odd' }).says).toContain('Brand New')
  })
})

describe('how a script travels', () => {
  test('readable when it is plain', () => {
    expect(travelling('echo "Grüße"\n')).toBe('exec 2>&1\necho "Grüße"\n')
  })

  test.each(['{{ssm:name}}', '{{ commands }}', '\u001b[31m', '\r', '\u0085', '\ud800'])(
    'hidden when it holds %j',
    part => {
      expect(travelling(`echo ${part}`)).not.toContain(part)
    },
  )

  test('always fits into a document of 64 KB', () => {
    fc.assert(
      fc.property(fc.constantFrom('"', '\\', '\n', 'a', 'ä', '{', '\u0001'), unit => {
        const script = unit.repeat(Math.floor(scriptBytes / Buffer.byteLength(unit)))
        const parameters = { commands: [travelling(script)], executionTimeout: ['172800'] }
        expect(Buffer.byteLength(JSON.stringify(parameters))).toBeLessThan(63_000)
      }),
    )
  })
})

describe('the first question about a command', () => {
  test('is asked later after each miss and sooner after each hit, within bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), hits => {
        const first = firstAsk()
        for (const hit of hits) {
          const before = first.ms()
          first.learn(hit)
          expect(first.ms() <= before).toBe(hit || before === 3_000)
          expect(first.ms()).toBeGreaterThanOrEqual(400)
          expect(first.ms()).toBeLessThanOrEqual(3_000)
        }
      }),
    )
  })
})
