import { expect, test } from '@jest/globals'
import { readLine } from '../src/events.ts'
import { formatThroughput, progressTeller } from '../src/progress.ts'
import { block, environment, plan, warmup, wholeRun } from './told.ts'

const tell = (events: readonly object[]): readonly string[] => {
  const teller = progressTeller()
  return events.flatMap(event => {
    const line = readLine(JSON.stringify(event))
    if (line.kind === 'text') throw new Error(`not an event: ${line.text}`)
    return teller(line.event) ?? []
  })
}

test('the log follows a run from PyTorch to the last block', () => {
  expect(tell(wholeRun)).toEqual([
    'PyTorch loaded in 2.3s',
    'ResNet-50 training: batch 8, 64 px, fp32, channels_last; 5 blocks of 2 steps',
    'Warm-up: step 1 of 1, 0.4s',
    'Block 1 of 5: 76.2 images/s, about 0.8s left',
    'Block 2 of 5: 76.2 images/s, about 0.6s left',
    'Block 3 of 5: 76.2 images/s, about 0.4s left',
    'Block 4 of 5: 76.2 images/s, about 0.2s left',
    'Block 5 of 5: 76.2 images/s',
  ])
})

test('a warm-up of a hundred steps takes a dozen lines', () => {
  const steps = Array.from({ length: 100 }, (_, index) => ({ ...warmup, step: index + 1, of: 100 }))
  expect(tell(steps)).toHaveLength(11)
})

test('a batch that does not fit starts the count over', () => {
  const smaller = { ...plan, actual: { ...plan.actual, batch_size: 4 } }
  const told = tell([environment, plan, block(1), { event: 'batch-halved', from: 8, to: 4 }, smaller, block(1)])
  expect(told.slice(-3)).toEqual([
    'A batch of 8 does not fit into memory: trying 4',
    'ResNet-50 training: batch 4, 64 px, fp32, channels_last; 5 blocks of 2 steps',
    'Block 1 of 5: 38.1 images/s, about 0.8s left',
  ])
})

test('throughput is told with three digits', () => {
  expect([2470.4, 343.27, 31.84, 0.5].map(formatThroughput)).toEqual(['2,470', '343', '31.8', '0.5'])
})
