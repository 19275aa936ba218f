import { describe, expect, test } from '@jest/globals'
import { doubtsOfRecord, type Evidence } from '../src/doubts.ts'

const block = { stepMs: Array.from({ length: 20 }, () => 100), wallMs: 2000, lossFirst: 7, lossLast: 2 }
const evidence: Evidence = {
  status: 'completed',
  backend: 'cuda',
  blocks: Array.from({ length: 5 }, () => block),
  interrupted: null,
  notices: { throttled: [], xids: [] },
  sanity: { losses: [7, 6, 5, 4, 3, 2, 1.5, 1], seconds: 1 },
  scaling: null,
  metrics: {
    throughput: 320,
    throughputLow: 319,
    throughputHigh: 321,
    latencyMs: 100,
    durationSeconds: 10,
    images: 3200,
    peakMemoryBytes: null,
  },
}
const doubts = (more: Partial<Evidence>) => doubtsOfRecord({ ...evidence, ...more }, 'train')
const losses = (...found: readonly (number | null)[]) => ({ sanity: { losses: found, seconds: 1 } })

describe('a record', () => {
  test('of a clean run gives no doubt', () => {
    expect(doubts({})).toEqual([])
    expect(doubts({ sanity: null })).toEqual([])
  })

  test('whose loss did not fall on a fixed batch was no training', () => {
    expect(doubts(losses(7, 7, 6.9, 7, 7.1, 7, 6.8, 6.9))).toEqual([
      'The loss did not fall in 8 steps on a fixed batch: what ran was no training.',
    ])
  })

  test('whose loss was not finite at any step was no training', () => {
    expect(doubts(losses(7, null, 1, 1, 1, 1, 1, 1))[0]).toContain('not finite')
  })

  test('is not judged by a few steps, in which momentum overshoots', () => {
    expect(doubts(losses(7, 7, 9))).toEqual([])
  })

  test('with a throttled GPU says for how long', () => {
    const throttled = [
      { at: '2026-11-03T00:01:00Z', gpu: 0, reason: 'hardware_thermal', microseconds: 400_000 } as const,
    ]
    expect(doubts({ notices: { throttled, xids: [] } })[0]).toContain('4 % of the timed part')
  })

  test('of a run that was interrupted says only that', () => {
    expect(doubts({ status: 'interrupted' })).toEqual([
      'The run was interrupted: the spot machine was taken back. There is no figure to use.',
    ])
  })
})
