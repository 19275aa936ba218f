import { expect, test } from '@jest/globals'
import { readLine } from '../src/events.ts'
import { alarmTeller, formatThroughput, progressTeller } from '../src/progress.ts'
import { block, environment, plan, telemetry, throttled, twoRanks, warmup, wholeRun } from './told.ts'

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
    'First step after 1.9s',
    'On one batch the loss went from 7.00 to 1.25 in 10 steps',
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

test('temperature and power stand beside the speed, where they are known', () => {
  expect(tell([plan, telemetry, block(5)]).at(-1)).toBe('Block 5 of 5: 76.2 images/s, 62 °C, 568 W')
  const blind = { ...telemetry, gpus: [{ index: 0 }] }
  expect(tell([plan, blind, block(5)]).at(-1)).toBe('Block 5 of 5: 76.2 images/s')
})

test('of two GPUs the speed is that of one while it is alone, then that of both', () => {
  const told = tell(twoRanks()).filter(line => line.startsWith('Block 5') || line.includes('GPU'))
  expect(told).toEqual([
    'ResNet-50 training: batch 8 on each of 2 GPUs, 64 px, fp32, channels_last; 5 blocks of 2 steps',
    'First one GPU alone, to see what each is worth among the others',
    'Block 5 of 5: 160 images/s',
    'All 2 GPUs together',
    'Block 5 of 5: 152 images/s',
  ])
})

test('compiling is told by its seconds', () => {
  expect(tell([{ event: 'first-step', seconds: 80, compile_seconds: 75, graphs: 1 }])).toEqual([
    'First step after 1m20s, 1m15s of it compiling',
  ])
})

test('a GPU at its power limit is no alarm', () => {
  const alarm = alarmTeller()
  const line = readLine(JSON.stringify({ ...throttled, reason: 'software_power_cap' }))
  if (line.kind === 'text') throw new Error('not an event')
  expect(alarm(line.event)).toBeUndefined()
})

test('throughput is told with three digits', () => {
  expect([2470.4, 343.27, 31.84, 0.5].map(formatThroughput)).toEqual(['2,470', '343', '31.8', '0.5'])
})
