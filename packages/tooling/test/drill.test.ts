import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { drillsOf } from '../src/drill/campaign.ts'
import { enderOf, judge, type DrillFacts, type MachineFact } from '../src/drill/judge.ts'
import { lastResort } from '../src/drill/last-resort.ts'
import { deaths, type Drill, type Strike, type WorkflowPlan } from '../src/drill/model.ts'
import { drillOf } from '../src/drill/plan.ts'
import { createRandom, seedOf } from '../src/drill/random.ts'
import { againCommand, closingLines, progressLines } from '../src/drill/report.ts'
import { rowsOf, tableOf } from '../src/drill/table.ts'
import { secretsOf, workflowFile } from '../src/drill/workflow-file.ts'

const anyDrill = fc.tuple(fc.string({ minLength: 1 }), fc.nat(5_000)).map(([seed, index]) => drillOf(seed, index))

describe('the plan of drills', () => {
  test('is the same for the same seed and index, whatever was drawn before', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(2_000), fc.nat(2_000), (seed, index, other) => {
        const first = drillOf(seed, index)
        drillOf(seed, other)
        expect(drillOf(seed, index)).toEqual(first)
      }),
    )
  })

  test('is another one for another seed', () => {
    const of = (seed: string) => Array.from({ length: 20 }, (_, index) => drillOf(seed, index).workflow)
    expect(of('1')).not.toEqual(of('2'))
  })

  test('has every death within sixty drills', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), seed => {
        const drawn = new Set(Array.from({ length: 60 }, (_, index) => drillOf(seed, index).strike.death))
        expect([...drawn].toSorted()).toEqual([...deaths].toSorted())
      }),
      { numRuns: 20 },
    )
  })

  test('is a workflow whose steps can be struck', () => {
    fc.assert(
      fc.property(anyDrill, drill => {
        const text = workflowFile(drill)
        const { jobs } = parse(text) as { jobs: Record<string, { steps: { id?: string; if?: string }[] }> }
        const steps = Object.values(jobs).flatMap(job => job.steps)
        const ids = steps.map(({ id }) => id)
        expect(ids).toContain('gpu')
        expect(ids).toContain('work')
        expect(ids.includes('teardown') || drill.strike.moment !== 'teardown').toBe(true)
        for (const step of steps.filter(({ id }) => id?.startsWith('teardown'))) expect(step.if).toBe('always()')
        for (const jobSteps of Object.values(jobs).map(job => job.steps.flatMap(({ id }) => id ?? [])))
          expect(new Set(jobSteps).size).toBe(jobSteps.length)
      }),
    )
  })

  test('never lets a machine that nobody can use hold up a workflow that nothing ends', () => {
    fc.assert(
      fc.property(anyDrill, ({ cloud, workflow, strike }) => {
        const unusable = cloud.guestBroken || cloud.faults.some(({ kind }) => kind === 'never-registers')
        if (!unusable || workflow.waitFor === 'running') return
        expect(['kill', 'cancel', 'runner-lost']).toContain(strike.death)
      }),
    )
  })

  test('loses outputs through a secret that every lease id holds', () => {
    const drill = firstOf('outputs-lost')
    expect(Object.values(secretsOf(drill, {}))).toEqual([String(drill.runId)])
    expect(secretsOf(firstOf('kill'), { a: 'b' })).toEqual({ a: 'b' })
  })

  test('can be narrowed to one death, and to one drill', () => {
    const campaign = { seed: 's', count: 5, concurrency: 1, only: 'kill', onlyIndex: null } as const
    expect(drillsOf(campaign).map(({ strike }) => strike.death)).toEqual(Array(5).fill('kill'))
    expect(drillsOf({ ...campaign, only: null, onlyIndex: 7 })).toEqual([drillOf('s', 7)])
  })

  test('picks evenly', () => {
    const random = createRandom(seedOf('even'))
    const drawn = Array.from({ length: 4_000 }, () => random.integer(0, 3))
    const counts = [0, 1, 2, 3].map(value => drawn.filter(each => each === value).length)
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })
})

const firstOf = (death: Strike['death']): Drill => {
  const [drill] = drillsOf({ seed: 'x', count: 1, concurrency: 1, only: death, onlyIndex: null })
  if (drill === undefined) throw new Error('no drill')
  return drill
}

const drillWith = (workflow: Partial<WorkflowPlan>, strike: Partial<Strike>, guestBroken = false): Drill => {
  const drill = drillOf('base', 0)
  const plain = { layout: 'one-job', cleanup: 'records', onJobEnd: 'terminate', login: 'configure' } as const
  return {
    ...drill,
    workflow: { ...drill.workflow, ...plain, ...workflow },
    strike: { ...drill.strike, wholeRun: false, ...strike },
    cloud: { ...drill.cloud, guestBroken },
  }
}

describe('what must have ended a machine at the latest', () => {
  const apart = { layout: 'two-jobs', cleanup: 'run', onJobEnd: 'keep' } as const
  test.each([
    ['a killed provision leaves post', drillWith({}, { death: 'kill', moment: 'in-flight' }), 'job'],
    ['a killed teardown leaves post', drillWith({}, { death: 'kill', moment: 'teardown' }), 'job'],
    ['a killed clean-up job leaves the guest', drillWith(apart, { death: 'kill', moment: 'teardown' }), 'guest'],
    [
      'a killed post without teardown leaves the guest',
      drillWith({ cleanup: 'none' }, { death: 'kill', moment: 'post' }),
      'guest',
    ],
    ['a lost runner leaves the guest', drillWith({}, { death: 'runner-lost', moment: 'working' }), 'guest'],
    [
      'a lost runner with a clean-up job leaves that',
      drillWith(apart, { death: 'runner-lost', moment: 'working' }),
      'job',
    ],
    [
      'a lost job has no outputs for the clean-up job',
      drillWith({ ...apart, cleanup: 'ids' }, { death: 'runner-lost', moment: 'working' }),
      'guest',
    ],
    [
      'the loss of all runners leaves the guest',
      drillWith(apart, { death: 'runner-lost', moment: 'working', wholeRun: true }),
      'guest',
    ],
    ['a broken guest leaves the sweep', drillWith({}, { death: 'runner-lost', moment: 'starting' }, true), 'sweep'],
    ['a broken guest alone leaves the job', drillWith({}, { death: 'kill', moment: 'starting' }, true), 'job'],
    ['expired credentials leave the guest', drillWith({}, { death: 'credentials', moment: 'working' }), 'guest'],
    [
      'credentials that can be had again leave the job',
      drillWith({ login: 'role' }, { death: 'credentials', moment: 'working' }),
      'job',
    ],
    ['lost outputs leave the tags', drillWith(apart, { death: 'outputs-lost', moment: 'any' }), 'job'],
    [
      'lost ids leave the guest',
      drillWith({ ...apart, cleanup: 'ids' }, { death: 'outputs-lost', moment: 'any' }),
      'guest',
    ],
    [
      'a kept machine is left to the guest',
      drillWith({ cleanup: 'none', onJobEnd: 'keep' }, { death: 'nothing', moment: 'any' }),
      'guest',
    ],
  ] as const)('%s', (_, drill, resort) => {
    expect(lastResort(drill)).toBe(resort)
  })
})

const machine: MachineFact = {
  id: 'i-1',
  leaseId: 'l-1',
  type: 'g5.xlarge',
  launchedAt: 1_000,
  endedAt: 61_000,
  reason: 'Client.UserInitiatedShutdown',
  orderedBy: 'teardown',
  usdPerHour: 3.6,
}
const clean: DrillFacts = {
  death: 'kill',
  struckAt: 'working',
  uselessFrom: 31_000,
  resort: 'job',
  machines: [machine],
  billedAfterJobs: [],
  billedAfterGuest: [],
  leftovers: [],
  harmed: [],
  receipts: [{ leaseId: 'l-1', remaining: 0, stillThere: [], at: 61_000 }],
  isControl: false,
  conclusion: 'failure',
  wantedLeases: 1,
  faults: [],
}
const problems = (changes: Partial<DrillFacts>) => judge({ ...clean, ...changes }).problems

describe('the judgement of a drill', () => {
  test('passes one whose machines ended in time', () => {
    expect(judge(clean)).toEqual({
      machines: [{ ender: 'teardown', leftoverSeconds: 30, usdLost: 0.03 }],
      problems: [],
    })
  })

  test('counts from the launch where that came after the death', () => {
    const [late] = judge({ ...clean, uselessFrom: 0 }).machines
    expect(late?.leftoverSeconds).toBe(60)
  })

  test('knows no loss where no price is known, and none of a machine that still runs', () => {
    expect(judge({ ...clean, machines: [{ ...machine, usdPerHour: null }] }).machines[0]?.usdLost).toBeNull()
    expect(judge({ ...clean, machines: [{ ...machine, endedAt: null }] }).machines[0]).toEqual({
      ender: 'nobody',
      leftoverSeconds: null,
      usdLost: null,
    })
  })

  test('finds a machine that outlived the layer that had to end it, though a later one did', () => {
    expect(problems({ billedAfterJobs: ['i-1'] })).toEqual([expect.stringContaining('outlived the workflow')])
    expect(problems({ resort: 'guest', billedAfterJobs: ['i-1'] })).toEqual([])
    expect(problems({ resort: 'guest', billedAfterGuest: ['i-1'] })).toEqual([expect.stringContaining('time limit')])
    expect(problems({ resort: 'sweep', billedAfterJobs: ['i-1'], billedAfterGuest: ['i-1'] })).toEqual([])
  })

  test('finds what is left after the sweep', () => {
    expect(problems({ leftovers: ['volume vol-1 (available)'] })).toEqual([
      'leak: volume vol-1 (available) is left after the sweep',
    ])
  })

  test('finds two machines of one lease, unless AWS itself took the first one back', () => {
    const second = { ...machine, id: 'i-2' }
    expect(problems({ machines: [machine, second] })).toEqual(['lease l-1 launched i-1 and i-2'])
    expect(problems({ machines: [machine, { ...second, leaseId: 'l-2' }] })).toEqual([])
    expect(problems({ machines: [{ ...machine, reason: 'Server.InternalError' }, second] })).toEqual([])
  })

  test('finds a machine of somebody else that was touched', () => {
    expect(problems({ harmed: ['i-9 is terminated'] })).toHaveLength(1)
  })

  test('finds a receipt that says 0 remaining while a machine ran, or before one was launched', () => {
    const [receipt] = clean.receipts
    const receiptProblems = (changes: object) =>
      problems({ receipts: receipt === undefined ? [] : [{ ...receipt, ...changes }] })
    expect(receiptProblems({ at: 60_000 })).toHaveLength(1)
    expect(receiptProblems({ at: 500 })).toHaveLength(1)
    expect(receiptProblems({ stillThere: ['vol-1 (in-use)'] })).toEqual([expect.stringContaining('vol-1')])
    expect(receiptProblems({ remaining: 1, at: 500 })).toEqual([])
    expect(receiptProblems({ leaseId: 'l-2', at: 500 })).toEqual([])
  })

  test('finds a control that did not succeed, or launched another number of machines', () => {
    expect(problems({ isControl: true, conclusion: 'failure' })).toHaveLength(1)
    expect(problems({ isControl: true, conclusion: 'success', wantedLeases: 2 })).toHaveLength(1)
    expect(problems({ isControl: true, conclusion: 'success' })).toEqual([])
  })

  test('finds faults of the drill itself', () => {
    expect(problems({ faults: ['the sweep ended with failure'] })).toEqual(['the sweep ended with failure'])
  })

  test.each([
    [{ endedAt: null }, 'nobody'],
    [{ reason: 'Client.InstanceInitiatedShutdown', orderedBy: null }, 'guest TTL'],
    // It had ended itself before the sweep came by.
    [{ reason: 'Client.InstanceInitiatedShutdown', orderedBy: 'sweep' }, 'guest TTL'],
    [{ reason: 'Server.SpotInstanceTermination', orderedBy: null }, 'spot interruption'],
    [{ reason: 'Server.InternalError', orderedBy: 'post' }, 'aws'],
    [{ orderedBy: 'post' }, 'post'],
    [{ orderedBy: 'sweep' }, 'sweep'],
    [{ orderedBy: null }, 'nobody'],
  ] as const)('says who ended a machine: %j', (changes, ender) => {
    expect(enderOf({ ...machine, ...changes })).toBe(ender)
  })

  test('finds a machine that ended without anybody having ended it', () => {
    expect(problems({ machines: [{ ...machine, orderedBy: null }] })).toHaveLength(1)
  })
})

describe('the report of drills', () => {
  const drill = drillOf('seed', 3)
  const drilled = (changes: Partial<DrillFacts> = {}) => {
    const facts = { ...clean, ...changes }
    return { drill, facts, verdict: judge(facts), seconds: 1, log: ['a line of the log'] }
  }

  test('joins drills of one death and moment into a row', () => {
    const rows = rowsOf([
      drilled(),
      drilled({ machines: [{ ...machine, orderedBy: 'post', endedAt: 41_000 }], receipts: [] }),
      drilled({ struckAt: null, machines: [] }),
      drilled({ death: 'nothing', struckAt: 'any', leftovers: ['machine i-1 (running)'] }),
    ])
    expect(rows).toMatchObject([
      { death: 'nothing', moment: 'any', drills: 1, failed: 1 },
      {
        death: 'kill',
        moment: 'working',
        drills: 2,
        machines: 2,
        endedBy: { teardown: 1, post: 1 },
        median: 20,
        max: 30,
      },
      { death: 'kill', moment: null, drills: 1, machines: 0, median: null, max: null, usdLost: 0, unpriced: 0 },
    ])
    expect(rows[1]?.usdLost).toBeCloseTo(0.04)
    const table = tableOf(rows).split('\n')
    expect(table).toHaveLength(4)
    expect(table[2]).toMatch(/kill +working +2 +2 +teardown 1, post 1 +20\.0 +30\.0 +0\.0400 +0/)
  })

  test('shows an unknown loss as unknown', () => {
    const rows = rowsOf([drilled({ machines: [{ ...machine, usdPerHour: null }] })])
    expect(rows).toMatchObject([{ usdLost: 0, unpriced: 1 }])
    expect(tableOf(rows)).toContain('1 unknown')
  })

  test('shows the log of a drill that failed, and how to do it again', () => {
    const lines = progressLines({ done: 1, of: 2, last: drilled({ harmed: ['i-9 is terminated'] }) }).join('\n')
    expect(lines).toContain('a line of the log')
    expect(lines).toContain('i-9 is terminated')
    expect(lines).toContain('npm run drill -- --seed seed --only-index 3')
    expect(progressLines({ done: 1, of: 2, last: drilled() }).join('\n')).not.toContain('a line of the log')
  })

  test('counts a drill that broke as failed', () => {
    const campaign = { seed: 'seed', count: 1, concurrency: 1, only: null, onlyIndex: null }
    const lines = closingLines(campaign, [{ drill, error: 'no room' }], 10).join('\n')
    expect(lines).toContain('no room')
    expect(lines).toContain(againCommand(drill))
    expect(lines).toContain('1 drills in 10 s, 1 failed')
  })
})
