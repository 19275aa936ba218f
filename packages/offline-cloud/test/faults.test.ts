import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createFaults, faultKinds, readFaults, type Fault, type FaultTarget } from '../src/faults.ts'

const launch: FaultTarget = {
  service: 'ec2',
  operation: 'RunInstances',
  region: 'us-west-2',
  instanceType: 'g5.xlarge',
}

const strikes = (fault: Fault, target: FaultTarget, times = 1): number => {
  const faults = createFaults()
  faults.add([fault])
  return Array.from({ length: times }, () => faults.take(faultKinds, target)).filter(struck => struck !== null).length
}

describe('a fault', () => {
  test('strikes as often as its count says: once unless given, for ever with null', () => {
    expect(strikes({ kind: 'throttled' }, launch, 5)).toBe(1)
    expect(strikes({ kind: 'throttled', count: 3 }, launch, 5)).toBe(3)
    expect(strikes({ kind: 'throttled', count: null }, launch, 5)).toBe(5)
  })

  test('strikes only the call that it names', () => {
    expect(strikes({ kind: 'denied', operation: 'RunInstances' }, launch)).toBe(1)
    expect(strikes({ kind: 'denied', operation: 'ec2:RunInstances' }, launch)).toBe(1)
    expect(strikes({ kind: 'denied', operation: 'ssm:RunInstances' }, launch)).toBe(0)
    expect(strikes({ kind: 'denied', operation: 'DescribeInstances' }, launch)).toBe(0)
    expect(strikes({ kind: 'denied', region: 'us-east-1' }, launch)).toBe(0)
    expect(strikes({ kind: 'denied', zone: 'us-west-2a' }, launch)).toBe(0)
    expect(strikes({ kind: 'denied', instanceType: 'g5.xlarge' }, launch)).toBe(1)
  })

  test('without an operation leaves the services of GitHub alone, unless it is theirs', () => {
    const upload: FaultTarget = { service: 'github', operation: 'CreateArtifact' }
    expect(strikes({ kind: 'lost-reply' }, upload)).toBe(0)
    expect(strikes({ kind: 'lost-reply', operation: 'CreateArtifact' }, upload)).toBe(1)
    expect(strikes({ kind: 'results-down' }, upload)).toBe(1)
  })

  test('with a probability strikes about as often, and the same calls for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, probability) => {
        const fault: Fault = { kind: 'throttled', count: null, probability, seed }
        const share = strikes(fault, launch, 2000) / 2000
        expect(Math.abs(share - probability)).toBeLessThan(0.06)
        expect(strikes(fault, launch, 2000) / 2000).toBe(share)
      }),
      { numRuns: 30 },
    )
  })

  test('with a beginning and an end strikes every call between them and no other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 }),
        (afterSeconds, forSeconds, moments) => {
          let now = 1_000_000
          const faults = createFaults(() => now)
          faults.add([{ kind: 'throttled', afterSeconds, forSeconds }])
          for (const moment of moments.toSorted((a, b) => a - b)) {
            now = 1_000_000 + moment * 1000
            const isWithin = moment >= afterSeconds && moment < afterSeconds + forSeconds
            expect(faults.take(faultKinds, launch) !== null).toBe(isWithin)
          }
          now += 100_000
          expect(faults.list()).toEqual([])
        },
      ),
    )
  })

  test('that begins later strikes once, as often as its count says, and leaves the way free before', () => {
    let now = 0
    const faults = createFaults(() => now)
    faults.add([{ kind: 'throttled', afterSeconds: 10 }, { kind: 'denied' }])
    expect(faults.take(faultKinds, launch)?.kind).toBe('denied')
    now = 10_000
    expect(faults.take(faultKinds, launch)?.kind).toBe('throttled')
    expect(faults.take(faultKinds, launch)).toBeNull()
  })

  test('that nobody knows is refused with the place where it is wrong', () => {
    expect(() => readFaults([{ kind: 'capacity' }, { kind: 'gremlins' }])).toThrow('1.kind')
    expect(() => readFaults([{ kind: 'capacity', colour: 'red' }])).toThrow('colour')
  })
})
