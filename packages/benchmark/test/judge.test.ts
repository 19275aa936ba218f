import { describe, expect, test } from '@jest/globals'
import { doubtsOf, metricsOf } from '../src/judge.ts'
import type { Block } from '../src/result.ts'

const block = (stepMs: readonly number[], more: Partial<Block> = {}): Block => ({
  stepMs,
  wallMs: stepMs.reduce((sum, ms) => sum + ms, 0),
  lossFirst: 7,
  lossLast: 2,
  ...more,
})
const five = (make: () => Block): readonly Block[] => Array.from({ length: 5 }, make)
const steady = five(() => block(Array.from({ length: 20 }, () => 100)))

describe('the metrics', () => {
  test('come from the raw step times', () => {
    const metrics = metricsOf({ blocks: steady, batchSize: 32, durationSeconds: 10.2, peakMemoryBytes: 5 })
    expect(metrics).toEqual({
      throughput: 320,
      throughputLow: 320,
      throughputHigh: 320,
      latencyMs: 100,
      durationSeconds: 10.2,
      images: 3200,
      peakMemoryBytes: 5,
    })
  })

  test('are null, never 0, when nothing was measured', () => {
    const metrics = metricsOf({ blocks: [], batchSize: 32, durationSeconds: null, peakMemoryBytes: null })
    expect(new Set(Object.values(metrics))).toEqual(new Set([null]))
  })
})

describe('a run', () => {
  test('that is steady and learns is valid', () => {
    expect(doubtsOf('completed', 'train', steady)).toEqual([])
  })

  test('that did not complete is not', () => {
    expect(doubtsOf('timed-out', 'train', steady)).toHaveLength(1)
  })

  test('of four blocks is too short', () => {
    expect(doubtsOf('completed', 'train', steady.slice(1))[0]).toContain('only 4 blocks')
  })

  test('whose steps vary by more than a quarter is unsteady', () => {
    const disturbed = five(() => block([100, 100, 150, 160]))
    expect(doubtsOf('completed', 'train', disturbed)[0]).toContain('unsteady')
  })

  test('whose loss is not finite was no training', () => {
    expect(doubtsOf('completed', 'train', [...steady, block([100], { lossLast: null })])[0]).toContain('not finite')
    expect(doubtsOf('completed', 'inference', [...steady, block([100], { lossLast: null })])).toEqual([])
  })

  test('whose loss does not fall in twenty steps on one batch was no training', () => {
    const stuck = five(() =>
      block(
        Array.from({ length: 20 }, () => 100),
        { lossLast: 6.9 },
      ),
    )
    expect(doubtsOf('completed', 'train', stuck)[0]).toContain('did not fall')
  })

  test('is not judged by its loss on blocks too short to learn', () => {
    expect(
      doubtsOf(
        'completed',
        'train',
        five(() => block([100, 100], { lossLast: 9 })),
      ),
    ).toEqual([])
  })
})
