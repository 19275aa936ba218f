import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Drill, type Strike, type WorkflowPlan } from '../src/drill/model.ts'
import { drillOf } from '../src/drill/plan.ts'
import { runDrill, type Drilled, type Equipment } from '../src/drill/run-drill.ts'
import { releaseTree } from './demo/chain.ts'

const minutes = 60_000

let folder = ''
/** The actions without their safety net: provision has no post. */
let withoutPost = ''

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'gpu-actions-drills-'))
  withoutPost = path.join(folder, 'without-post')
  await cp(releaseTree, withoutPost, { recursive: true })
  const file = path.join(withoutPost, 'provision', 'action.yml')
  const text = await readFile(file, 'utf8')
  const changed = text.replace(/^ {2}post: .*\n/m, '')
  if (changed === text) throw new Error('provision has no post to take away')
  await writeFile(file, changed)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const equipment: Equipment = { releaseTree, timeScale: 3 }

/** One job on a quick cloud without faults. */
function drill(
  strike: Partial<Strike>,
  workflow: Partial<WorkflowPlan> = {},
  cloud: Partial<Drill['cloud']> = {},
): Drill {
  const base = drillOf('planted', 0)
  const timings = {
    pendingSeconds: 0.1,
    registrationSeconds: 0.1,
    shutdownSeconds: 0.2,
    releaseSeconds: 0.1,
    consistencySeconds: 0.1,
  }
  return {
    ...base,
    workflow: {
      ...base.workflow,
      layout: 'one-job',
      cleanup: 'records',
      onJobEnd: 'terminate',
      login: 'configure',
      waitFor: 'running',
      market: 'on-demand',
      regions: ['us-west-2'],
      workSeconds: 0.5,
      timeoutSeconds: null,
      evidence: false,
      teardownSeconds: null,
      ...workflow,
    },
    strike: {
      ...base.strike,
      death: 'nothing',
      moment: 'any',
      delaySeconds: 0.05,
      lateSeconds: 0.5,
      launchCall: 1,
      victim: 0,
      wholeRun: true,
      ...strike,
    },
    cloud: { timings, faults: [], reservations: [], guestBroken: false, ...cloud },
  }
}

const enders = ({ verdict }: Drilled) => verdict.machines.map(({ ender }) => ender)

/** With the log, so that a failure can be read. */
const passed = (drilled: Drilled) => {
  if (drilled.verdict.problems.length > 0) throw new Error(drilled.log.join('\n'))
  return drilled
}

describe('a drill', () => {
  test(
    'in which nothing dies ends by teardown, and touches nobody else',
    async () => {
      const drilled = passed(await runDrill(drill({}), equipment))
      expect(enders(drilled)).toEqual(['teardown'])
      expect(drilled.facts).toMatchObject({ isControl: true, conclusion: 'success', harmed: [] })
      expect(drilled.facts.receipts).toMatchObject([{ remaining: 0 }])
    },
    2 * minutes,
  )

  test(
    'of a provision that dies while its launch call is under way ends by post, with one machine',
    async () => {
      const drilled = passed(
        await runDrill(drill({ death: 'kill', moment: 'in-flight' }, { cleanup: 'none' }), equipment),
      )
      expect(drilled.facts.struckAt).toBe('in-flight')
      expect(enders(drilled)).toEqual(['post'])
    },
    2 * minutes,
  )

  test(
    'of a runner that is lost ends by the machine itself, and the money that this took is counted',
    async () => {
      const drilled = passed(await runDrill(drill({ death: 'runner-lost', moment: 'working' }), equipment))
      expect(enders(drilled)).toEqual(['guest TTL'])
      const [machine] = drilled.verdict.machines
      // 90 minutes less the seconds until the work had begun.
      expect(machine?.leftoverSeconds).toBeGreaterThan(5_300)
      expect(machine?.leftoverSeconds).toBeLessThan(5_430)
      expect(machine?.usdLost).toBeCloseTo(1.006 * 1.5, 1)
    },
    2 * minutes,
  )

  test(
    'of a runner that is lost over a guest that never boots ends by the sweep',
    async () => {
      const cloud = {
        guestBroken: true,
        faults: [{ kind: 'slow-boot', count: null, seconds: 10_000_000 }],
      } as const
      const drilled = passed(await runDrill(drill({ death: 'runner-lost', moment: 'working' }, {}, cloud), equipment))
      expect(enders(drilled)).toEqual(['sweep'])
    },
    2 * minutes,
  )
})

describe('a drill finds a planted leak:', () => {
  const killed = drill({ death: 'kill', moment: 'in-flight' }, { cleanup: 'none' })

  test(
    'nobody ends the machine at all',
    async () => {
      const drilled = await runDrill(killed, {
        ...equipment,
        releaseTree: withoutPost,
        withoutGuestLimit: true,
        withoutSweep: true,
      })
      expect(enders(drilled)).toEqual(['nobody'])
      expect(drilled.verdict.problems.join('\n')).toMatch(/outlived the workflow.*\n.*leak: machine i-\w+ \(running\)/s)
    },
    2 * minutes,
  )

  test(
    'the machine ends by its own limit, although post should have ended it',
    async () => {
      const drilled = await runDrill(killed, { ...equipment, releaseTree: withoutPost })
      expect(enders(drilled)).toEqual(['guest TTL'])
      expect(drilled.verdict.problems).toEqual([expect.stringContaining('outlived the workflow')])
    },
    2 * minutes,
  )

  test(
    'the sweep ends what the machine itself should have ended',
    async () => {
      // The guest never boots, and nobody said that this is how it is to be.
      const broken = { faults: [{ kind: 'slow-boot', count: null, seconds: 10_000_000 }] } as const
      const lost = drill({ death: 'runner-lost', moment: 'working' }, {}, broken)
      const drilled = await runDrill(lost, equipment)
      expect(enders(drilled)).toEqual(['sweep'])
      expect(drilled.verdict.problems).toEqual([expect.stringContaining('time limit')])
    },
    2 * minutes,
  )
})
