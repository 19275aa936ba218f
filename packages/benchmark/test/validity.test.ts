import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { doubtsOf, remarksOf } from '../src/judge.ts'
import type { Block } from '../src/result.ts'
import { seededRandom } from '../src/statistics.ts'
import { throttledOf, unknownConditions, type Conditions } from '../src/validity/conditions.ts'

interface Recorded {
  readonly foreign_cpu_share: number
  readonly block_cv: number
  readonly blocks: readonly {
    readonly step_ms: readonly number[]
    readonly loss_first: number | null
    readonly loss_last: number | null
  }[]
}

/** Written by fixtures/record_steps.py. */
const recorded = JSON.parse(readFileSync(new URL('fixtures/recorded-steps.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Recorded>
>

function recording(name: string): { readonly blocks: readonly Block[]; readonly conditions: Conditions } {
  const found = recorded[name]
  if (found === undefined) throw new RangeError(`nothing is recorded as ${name}`)
  return {
    blocks: found.blocks.map(({ step_ms, loss_first, loss_last }) => block(step_ms, loss_first, loss_last)),
    conditions: { ...unknownConditions, backend: 'cpu', foreignCpuShare: found.foreign_cpu_share },
  }
}

const block = (stepMs: readonly number[], lossFirst: number | null = 7, lossLast: number | null = 2): Block => ({
  stepMs,
  wallMs: stepMs.reduce((sum, ms) => sum + ms, 0),
  lossFirst,
  lossLast,
})

/** A run with normal noise between blocks and between steps, each block's step time multiplied by `times`. */
function simulated(
  random: () => number,
  blocks: number,
  blockCv: number,
  stepCv: number,
  times: (index: number) => number,
): readonly Block[] {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Array.from({ length: blocks }, (_, index) => {
    const level = 100 * (1 + blockCv * normal()) * times(index)
    return block(Array.from({ length: 20 }, () => level * (1 + stepCv * normal())))
  })
}

const onCpu: Conditions = { ...unknownConditions, backend: 'cpu' }
const onGpu: Conditions = { ...unknownConditions, backend: 'cuda', timedSeconds: 60 }
const steady = Array.from({ length: 5 }, () => block(Array.from({ length: 20 }, (_, i) => 100 + (i % 3) / 10)))
const doubts = (conditions: Conditions, blocks: readonly Block[] = steady): readonly string[] =>
  doubtsOf('completed', 'train', blocks, conditions)

describe('a recorded run on two shared CPUs', () => {
  test.each(['quiet host, one thread', 'quiet host, two threads'])(
    'is valid though its blocks differ by 7 %%: %s',
    name => {
      const { blocks, conditions } = recording(name)
      expect(recorded[name]?.block_cv).toBeGreaterThan(0.06)
      expect(doubts(conditions, blocks)).toEqual([])
    },
  )

  test('with three busy loops from the third block on says from which block and that others used the host', () => {
    const { blocks, conditions } = recording('three burners from block 3 on, one thread')
    const found = doubts(conditions, blocks)
    expect(found.join(' ')).toMatch(/From block 3 of 10 on, steps took \d+ times as long as before/)
    expect(found.join(' ')).toContain("Other programs used 96 % of the host's CPUs")
  })

  test('with busy loops is invalid by its step times alone', () => {
    const { blocks } = recording('three burners from block 3 on, one thread')
    expect(doubts(onCpu, blocks)[0]).toContain('From block 3 of 10 on')
  })

  test('with busy loops is told the block though the load went on growing', () => {
    const { blocks, conditions } = recording('burners from block 3 on among others that grew, two threads')
    expect(doubts(onCpu, blocks)[0]).toMatch(/^From block 3 of 10 on, steps took 3\.\d+ times/)
    expect(doubts(conditions, blocks)[0]).toContain('Other programs used 88 %')
  })

  test.each(['others until block 6, one thread', 'others from block 4 on, two threads'])(
    'that others disturbed for a while is invalid with and without CPU telemetry: %s',
    name => {
      const { blocks, conditions } = recording(name)
      expect(doubts(onCpu, blocks).length).toBeGreaterThan(0)
      expect(doubts(conditions, blocks).join(' ')).toContain('Other programs')
    },
  )

  test('that others disturbed without a visible jump is found by the CPU telemetry', () => {
    const { blocks, conditions } = recording('others at first, one thread')
    expect(doubts(onCpu, blocks)).toEqual([])
    expect(doubts(conditions, blocks)).toEqual(["Other programs used 44 % of the host's CPUs, more than 25 %."])
  })
})

describe('a change within the run', () => {
  const runs = 300
  const share = (blocks: (random: () => number) => readonly Block[], conditions: Conditions): number => {
    const random = seededRandom(11)
    const found = Array.from({ length: runs }, () => doubts(conditions, blocks(random)))
    return found.filter(sentences => sentences.some(text => /^From block|all along/.test(text))).length / runs
  }

  test.each([5, 8, 20])('is not seen in honest CPU runs of %i blocks that differ by 7 %%', blocks => {
    expect(share(random => simulated(random, blocks, 0.07, 0.08, () => 1), onCpu)).toBeLessThanOrEqual(0.01)
    expect(share(random => simulated(random, blocks, 0.07, 0.01, () => 1), onCpu)).toBeLessThanOrEqual(0.01)
  })

  test.each([5, 8, 20])('is not seen in honest GPU runs of %i blocks that differ by 0.5 %%', blocks => {
    expect(share(random => simulated(random, blocks, 0.005, 0.002, () => 1), onGpu)).toBeLessThanOrEqual(0.01)
  })

  test.each([5, 8, 20])('is seen when steps take twice as long from the third of %i blocks on', blocks => {
    const burnt = (random: () => number): readonly Block[] =>
      simulated(random, blocks, 0.07, 0.08, index => (index < 2 ? 1 : 2))
    expect(share(burnt, onCpu)).toBe(1)
  })

  test('is seen on a GPU that loses 4 % from its third block on, and called a drift where it creeps', () => {
    const jump = simulated(seededRandom(1), 8, 0.001, 0.002, index => (index < 2 ? 1 : 1.04))
    expect(doubts(onGpu, jump)[0]).toMatch(/^From block 3 of 8 on, steps took 1\.04 times/)
    const creep = simulated(seededRandom(1), 8, 0.001, 0.002, index => 1 + 0.01 * index)
    expect(doubts(onGpu, creep)[0]).toMatch(/became slower all along: by \d\.?\d* % from the first block to the last/)
  })

  test('does not depend on how fast the device is', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0.5, 2, 16), (seed, factor) => {
        const blocks = simulated(seededRandom(seed), 8, 0.05, 0.03, index => (index < 4 ? 1 : 1.25))
        const scaled = blocks.map(({ stepMs }) => block(stepMs.map(ms => ms * factor)))
        expect(doubts(onCpu, scaled)).toEqual(doubts(onCpu, blocks))
      }),
      { numRuns: 30 },
    )
  })
})

describe('throttling', () => {
  const with_ = (throttled: Partial<Conditions['throttled']>): Conditions => ({
    ...onGpu,
    throttled: { ...throttledOf([]), ...throttled },
  })

  test('by hardware is a doubt above a thousandth of the timed part', () => {
    expect(doubts(with_({ hardwareThermal: 59_000 }))).toEqual([])
    expect(doubts(with_({ hardwareThermal: 90_000 }))).toEqual([
      'The GPU was slowed down by its hardware because it was hot for 0.15 % of the timed part (more than 0.1 %).',
    ])
  })

  test('by the driver is a doubt above a hundredth, and the power cap never is', () => {
    expect(doubts(with_({ softwareThermal: 599_000 }))).toEqual([])
    expect(doubts(with_({ softwareThermal: 900_000 }))[0]).toContain('slowed down by its driver')
    expect(doubts(with_({ softwarePowerCap: 60e6 }))).toEqual([])
  })

  test('that more of is never a smaller doubt', () => {
    const amount = fc.integer({ min: 0, max: 60e6 })
    fc.assert(
      fc.property(amount, amount, (one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        const count = (microseconds: number): number => doubts(with_({ powerBrake: microseconds })).length
        expect(count(more)).toBeGreaterThanOrEqual(count(less))
      }),
    )
  })

  test('of several GPUs is that of the worst, and unknown where nobody noticed any', () => {
    const notices = [10, 30, null, 20].map(microseconds => ({ reason: 'power_brake', microseconds }) as const)
    expect(throttledOf(notices)).toMatchObject({ powerBrake: 30, softwareThermal: null })
  })
})

describe('what else is a doubt', () => {
  test('errors of the GPU', () => {
    expect(doubts({ ...onGpu, eccUncorrected: 2, xids: [79, 79] })).toEqual([
      'The GPU reported errors during the timed part: 2 uncorrected memory errors; Xid 79.',
    ])
  })

  test('another process on the GPU', () => {
    expect(doubts({ ...onGpu, foreignGpuProcesses: 1 })).toEqual(['Another process used the GPU.'])
  })

  test('a spot machine that was taken back, in one sentence', () => {
    expect(doubtsOf('failed', 'train', [], { ...onGpu, spotNotice: true })).toEqual([
      'The run did not complete (failed): the spot machine was taken back.',
    ])
    expect(doubtsOf('interrupted', 'train', [])[0]).toContain('taken back')
  })

  test('nothing that is unknown, and no notice that the run outlived', () => {
    expect(doubts(unknownConditions)).toEqual([])
    expect(doubts({ ...onGpu, spotNotice: true, eccUncorrected: 0, xids: [], foreignGpuProcesses: 0 })).toEqual([])
  })
})

test('a batch that was halved is a remark: the run is another one, not a wrong one', () => {
  expect(remarksOf([])).toEqual([])
  expect(
    remarksOf([
      { from: 256, to: 128 },
      { from: 128, to: 64 },
    ])[0],
  ).toContain('halved from 256 to 64')
})
