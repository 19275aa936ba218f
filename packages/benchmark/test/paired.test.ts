import { expect, test } from '@jest/globals'
import { readLine, type EventOf } from '../src/events.ts'
import { differenceOf, throughputPairs } from '../src/paired.ts'
import { seededRandom } from '../src/statistics.ts'
import { actual, environment } from './told.ts'

const { event: _, ...facts } = environment

/** A paired run whose head takes `slowdown` longer, with noise that both of a pair share, and some that they do not. */
function pairedRun(slowdown: number, batches: { readonly base: number; readonly head: number }, rounds = 0) {
  const random = seededRandom(3)
  const variant = (batch: number) => ({
    plan: [{ device: { backend: 'cpu', name: null }, actual: { ...actual, batch_size: batch } }],
    environment: [facts],
  })
  const pairs = Array.from({ length: 150 }, (_unused, index) => {
    const shared = 200 * (1 + 0.2 * random())
    const own = () => 1 + 0.02 * (random() - 0.5)
    return {
      round: rounds === 0 ? 0 : 1 + Math.floor((index * rounds) / 150),
      first: random() < 0.5 ? 'base' : 'head',
      base_ms: shared * own(),
      head_ms: shared * own() * (1 + slowdown) * (batches.head / batches.base),
    }
  })
  const line = readLine(
    JSON.stringify({
      event: 'paired-result',
      workload: { name: 'resnet50-v1.5', version: 2 },
      pair_steps: 1,
      order_seed: 7,
      variants: { base: variant(batches.base), head: variant(batches.head) },
      pairs,
    }),
  )
  if (line.kind === 'text') throw new Error('not an event')
  return line.event as EventOf<'paired-result'>
}

test('a slow-down of 5 % is found through noise that both of a pair share', () => {
  const found = differenceOf(pairedRun(0.05, { base: 8, head: 8 }))
  expect(found?.percent).toBeCloseTo(-4.76, 0)
  expect(found?.interval.high).toBeLessThan(0)
})

test('base against itself is no difference', () => {
  const found = differenceOf(pairedRun(0, { base: 8, head: 8 }))
  expect(found?.interval.low).toBeLessThan(0)
  expect(found?.interval.high).toBeGreaterThan(0)
})

test('variants of different batches are compared by images, not by steps', () => {
  const run = pairedRun(0, { base: 8, head: 16 })
  expect(throughputPairs(run)[0]?.base).toBeCloseTo(8000 / (run.pairs[0]?.baseMs ?? 1), 6)
  expect(Math.abs(differenceOf(run)?.percent ?? 100)).toBeLessThan(1)
})

test('pairs of processes that lived through all of them are one observation a round', () => {
  expect(differenceOf(pairedRun(0.05, { base: 8, head: 8 }, 3))).toBeNull()
  expect(differenceOf(pairedRun(0.05, { base: 8, head: 8 }, 25))).toMatchObject({ pairs: 25 })
})
