import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseQuery } from '../src/aws/query.ts'
import { createRequestLimits, type LimitedCall } from '../src/aws/request-limits.ts'

const call = (operation: string, query = '', more: Partial<LimitedCall> = {}): LimitedCall => ({
  service: 'ec2',
  operation,
  region: 'us-west-2',
  parameters: parseQuery(query),
  ...more,
})
const parameters = (operation: string): LimitedCall => call(operation, '', { service: 'ssm', parameters: null })

/** How many of `times` calls at one moment pass. */
function burst(one: LimitedCall, times = 300): number {
  const limits = createRequestLimits(() => 0)
  return Array.from({ length: times }, () => limits.admit(one)).filter(Boolean).length
}

describe('the request limits', () => {
  test.each([
    [call('RunInstances', 'MaxCount=1'), 5],
    [call('TerminateInstances', 'InstanceId.1=i-1'), 100],
    [call('CreateTags'), 100],
    [call('CancelSpotInstanceRequests'), 50],
    [call('RebootInstances'), 50],
    [call('DescribeInstances', 'Filter.1.Name=tag:a'), 100],
    [call('DescribeInstances', 'MaxResults=5'), 100],
    [call('DescribeInstances'), 50],
    [call('DescribeInstances', 'InstanceId.1=i-1'), 50],
    [call('DescribeImages'), 100],
    [call('PurchaseCapacityBlock'), 10],
    [parameters('GetParameter'), 40],
    [parameters('SendCommand'), 20],
  ])('%o: %d at once', (one, size) => {
    expect(burst(one)).toBe(size)
  })

  test('do not hold back calls to other regions, of other actions, or with pages', () => {
    const limits = createRequestLimits(() => 0)
    while (limits.admit(call('DescribeInstances'))) expect(true).toBe(true)
    expect(limits.admit(call('DescribeInstances', '', { region: 'us-east-1' }))).toBe(true)
    expect(limits.admit(call('DescribeVolumes'))).toBe(true)
    expect(limits.admit(call('DescribeInstances', 'MaxResults=5'))).toBe(true)
    expect(limits.admit(call('DescribeInstances'))).toBe(false)
  })

  test('count the instances of a launch and of a termination, too', () => {
    let now = 0
    const limits = createRequestLimits(() => now)
    expect(limits.admit(call('RunInstances', 'MaxCount=1001'))).toBe(false)
    expect(limits.admit(call('RunInstances', 'MaxCount=1000'))).toBe(true)
    expect(limits.admit(call('RunInstances', 'MaxCount=3'))).toBe(false)
    now = 1500
    expect(limits.admit(call('RunInstances', 'MaxCount=3'))).toBe(true)
    const ids = Array.from({ length: 1000 }, (_, index) => `InstanceId.${index + 1}=i-${index}`).join('&')
    expect(limits.admit(call('TerminateInstances', ids))).toBe(true)
    expect(limits.admit(call('TerminateInstances', 'InstanceId.1=i-1'))).toBe(false)
    now += 50
    expect(limits.admit(call('TerminateInstances', 'InstanceId.1=i-1'))).toBe(true)
  })

  test('let through what the bucket holds and what has come in since, never more', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(pauses, waits => {
        let now = 0
        const limits = createRequestLimits(() => now)
        const moments: number[] = []
        for (const wait of waits) {
          now += wait
          if (limits.admit(call('RunInstances'))) moments.push(now)
        }
        // Between any two of them: five that were there, two more for each second.
        for (const [first, from] of moments.entries())
          for (const [last, until] of moments.entries())
            expect(last - first + 1).toBeLessThanOrEqual(last < first ? 0 : 5 + (2 * (until - from)) / 1000)
        // A bucket that had time to fill up lets the next call pass.
        const rested = waits.reduce((sum, wait) => sum + wait, 0) + 2500
        now = rested
        expect(limits.admit(call('RunInstances'))).toBe(true)
      }),
    )
  })
})
