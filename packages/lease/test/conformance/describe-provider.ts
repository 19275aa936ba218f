import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  clientToken,
  createLauncher,
  endMachines,
  sweep,
  teardownTimes,
  type Attempt,
  type Intent,
  type LaunchOutcome,
  type Machine,
  type Offer,
  type Owner,
  type Receipt,
} from '../../src/index.ts'
import { silentLog } from '../fixtures/jumping-clock.ts'
import type { ProviderWorld } from './provider-world.ts'

const owner: Owner = { repository: 'org/consumer', runId: '77', attempt: 1, job: 'bench' }
const leaseId = '77-1-0a1b2c3d'
const hourMs = 3_600_000

/** The suite's own words for what it does in a world. */
function within(world: ProviderWorld) {
  const { provider, clock } = world
  const [offer, other] = world.offers

  const intentFor = (wanted: Offer, number = 1, more: Partial<Intent> = {}): Intent => {
    const lease = more.leaseId ?? leaseId
    return {
      leaseId: lease,
      owner,
      number,
      token: clientToken(lease, number, wanted),
      offer: wanted,
      expiresAt: Math.floor(world.now() / 1000) * 1000 + hourMs,
      ...more,
    }
  }
  const attemptOf = (intent: Intent, outcome: LaunchOutcome | null): Attempt => ({
    number: intent.number,
    round: 1,
    token: intent.token,
    offer: intent.offer,
    expiresAt: new Date(intent.expiresAt).toISOString(),
    at: new Date(clock.now()).toISOString(),
    endedAt: null,
    calls: 1,
    waitedSeconds: 0,
    outcome,
  })
  const machinesAlive = async (): Promise<readonly string[]> =>
    (await world.living()).filter(({ kind }) => kind === 'machine').map(({ id }) => id)
  /** Asks until there is an answer, for five minutes of the world's time. */
  const until = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
    for (const end = clock.now() + 300_000; clock.now() < end; await clock.sleep(500)) {
      const answer = await ask()
      if (answer !== undefined) return answer
    }
    throw new Error('it did not come within five minutes')
  }
  const shown = (id: string, lease = leaseId): Promise<Machine> =>
    until(async () => {
      const search = { by: 'lease', repository: owner.repository, leaseId: lease, tokens: [] } as const
      return (await provider.find(search, world.places)).find(machine => machine.id === id)
    })
  const launched = async (intent: Intent): Promise<Machine> => {
    const outcome = await provider.launch(intent.offer, intent)
    if (outcome.kind !== 'launched') throw new Error(`not launched: ${JSON.stringify(outcome)}`)
    expect(outcome.machines).toHaveLength(1)
    return shown(outcome.machines[0] ?? '', intent.leaseId)
  }
  const times = { ...teardownTimes, settlingMs: Math.max(teardownTimes.settlingMs, world.lateMs + 10_000) }
  const end = (attempts: readonly Attempt[], forMs = 600_000): Promise<Receipt> =>
    endMachines({
      provider,
      clock,
      log: silentLog,
      search: { by: 'lease', repository: owner.repository, leaseId, tokens: attempts.map(({ token }) => token) },
      places: world.places,
      known: [],
      attempts,
      deadline: clock.now() + forMs,
      times,
      isFinal: () => false,
    })
  const launcher = (offers: readonly Offer[], saved: { attempts: readonly Attempt[] }) =>
    createLauncher(
      {
        provider,
        clock,
        log: silentLog,
        leaseId,
        owner,
        deadline: clock.now() + 120_000,
        expiryOf: () => intentFor(offer).expiresAt,
        save: async attempts => void (saved.attempts = attempts),
      },
      offers,
    )
  return { offer, other, intentFor, attemptOf, machinesAlive, until, shown, launched, end, launcher, times }
}

function can<T>(hook: T | undefined): T {
  if (hook === undefined) throw new Error('the world cannot do this: name it among what it lacks')
  return hook
}

const register: (title: string, work: () => Promise<void>) => void = test

/** What a world may lack. */
export type Hook = 'refuseNext' | 'loseNextCall' | 'interrupt' | 'leaveStray' | 'reuseId'

/**
 * What every provider must do, whatever its cloud is like.
 * @param open makes a fresh world for each test
 * @param lacks what the cloud has no notion of: what needs it is not tested
 */
export function describeProvider(name: string, open: () => Promise<ProviderWorld>, lacks: readonly Hook[] = []): void {
  /** A test that needs the world to be able to do something. */
  const testWith = (hook: Hook, title: string, work: () => Promise<void>): void => {
    if (!lacks.includes(hook)) register(title, work)
  }
  describe(`${name} as a provider of machines`, () => {
    let world: ProviderWorld
    let at: ReturnType<typeof within>
    beforeEach(async () => {
      world = await open()
      at = within(world)
    })
    afterEach(async () => {
      await world.close()
    })

    test('shows a machine with the marks of its lease, whichever way it is looked for', async () => {
      const intent = at.intentFor(at.offer)
      const machine = await at.launched(intent)
      expect(machine).toMatchObject({
        place: intent.offer.place,
        instanceType: intent.offer.instanceType,
        token: intent.token,
        leaseId,
        repository: owner.repository,
        runId: owner.runId,
        job: owner.job,
        expiresAt: new Date(intent.expiresAt).toISOString(),
      })
      const { repository, runId } = owner
      for (const search of [
        { by: 'lease', repository, leaseId, tokens: [intent.token] },
        { by: 'run', repository, runId },
        { by: 'id', repository, ids: [machine.id] },
        { by: 'repository', repository },
      ] as const) {
        expect((await world.provider.find(search, world.places)).map(({ id }) => id)).toEqual([machine.id])
      }
    })

    test('makes one machine of one token, however often it is called', async () => {
      const intent = at.intentFor(at.offer)
      const machine = await at.launched(intent)
      const again = await world.provider.launch(intent.offer, intent)
      expect(again).toEqual({ kind: 'launched', machines: [machine.id] })
      expect(await at.machinesAlive()).toEqual([machine.id])
    })

    test('makes exactly one machine when the reply of the launch call is lost', async () => {
      await world.loseNextReply()
      const saved = { attempts: [] as readonly Attempt[] }
      const { machineId } = await at.launcher([at.offer, at.other], saved).next()
      await world.clock.sleep(world.lateMs + 60_000)
      expect(await at.machinesAlive()).toEqual([machineId])
    })

    test('does not claim to know what came of a call whose reply was lost', async () => {
      await world.loseNextReply()
      const outcome = await world.provider.launch(at.offer, at.intentFor(at.offer))
      expect(['unknown', 'launched']).toContain(outcome.kind)
    })

    testWith('loseNextCall', 'makes one machine when a launch call never arrived and is repeated', async () => {
      await can(world.loseNextCall)()
      const { machineId } = await at.launcher([at.offer], { attempts: [] }).next()
      await world.clock.sleep(60_000)
      expect(await at.machinesAlive()).toEqual([machineId])
    })

    test('ends the machine of a caller that died while it waited for the reply', async () => {
      await world.loseNextReply()
      const intent = at.intentFor(at.offer)
      await world.provider.launch(at.offer, intent)
      expect(await at.end([at.attemptOf(intent, null)])).toMatchObject({ remaining: 0, ending: [] })
      await world.clock.sleep(world.lateMs + 60_000)
      expect(await world.living()).toEqual([])
    })

    test('ends everything of a lease, and what it says of it is true', async () => {
      const intents = [at.intentFor(at.offer, 1), at.intentFor(at.other, 2)]
      const attempts: Attempt[] = []
      for (const intent of intents) {
        const { id } = await at.launched(intent)
        attempts.push(at.attemptOf(intent, { kind: 'launched', machines: [id] }))
      }
      const receipt = await at.end(attempts)
      expect(receipt).toMatchObject({ remaining: 0, ending: [], problems: [] })
      expect(receipt.machines).toHaveLength(2)
      expect(receipt.machines.every(({ goneAt, billedSeconds }) => goneAt !== null && billedSeconds !== null)).toBe(
        true,
      )
      expect(await world.living()).toEqual([])
    })

    test('ends what only the mark of the lease tells of', async () => {
      await at.launched(at.intentFor(at.offer))
      expect((await at.end([])).remaining).toBe(0)
      expect(await world.living()).toEqual([])
    })

    testWith('refuseNext', 'refuses with the class of the fault, with advice, and leaves nothing behind', async () => {
      const faults = world.refusals ?? []
      expect(faults).toContain('capacity')
      for (const [index, fault] of faults.entries()) {
        await can(world.refuseNext)(fault)
        const outcome = await world.provider.launch(at.offer, at.intentFor(at.offer, index + 1))
        expect(outcome).toMatchObject({ kind: 'refused', fault })
        expect(outcome.kind === 'refused' && outcome.advice.length > 0 && outcome.code.length > 0).toBe(true)
      }
      expect(await world.living()).toEqual([])
    })

    testWith('refuseNext', 'goes to the next offer when the first has no capacity', async () => {
      await can(world.refuseNext)('capacity')
      const launched = await at.launcher([at.offer, at.other], { attempts: [] }).next()
      expect(launched.offer).toEqual(at.other)
    })

    test('neither shows nor ends what is not ours, however much it looks so', async () => {
      const foreign = await world.addForeign(owner.repository, leaseId)
      const { repository, runId } = owner
      for (const search of [
        { by: 'lease', repository, leaseId, tokens: [] },
        { by: 'run', repository, runId },
        { by: 'repository', repository },
      ] as const) {
        expect(await world.provider.find(search, world.places)).toEqual([])
      }
      await at.launched(at.intentFor(at.offer))
      expect((await at.end([])).remaining).toBe(0)
      expect([...(await at.machinesAlive())].toSorted()).toEqual([...foreign].toSorted())
    })

    test('does not end by its id what is not ours', async () => {
      const foreign = await world.addForeign(owner.repository, leaseId)
      const search = { by: 'id', repository: owner.repository, ids: foreign } as const
      const found = await world.provider.find(search, world.places).catch(() => [])
      expect(found).toEqual([])
      expect([...(await at.machinesAlive())].toSorted()).toEqual([...foreign].toSorted())
    })

    testWith('reuseId', 'does not touch a machine that was given the id of ours when ours had ended', async () => {
      const intent = at.intentFor(at.offer)
      const machine = await at.launched(intent)
      const attempts = [at.attemptOf(intent, { kind: 'launched', machines: [machine.id] })]
      await at.end(attempts)
      await can(world.reuseId)(machine.id)
      expect((await at.end(attempts)).remaining).toBe(0)
      expect(await at.machinesAlive()).toEqual([machine.id])
    })

    test('ends the others when one id is not known', async () => {
      const machine = await at.launched(at.intentFor(at.offer))
      const last = machine.id.endsWith('0') ? '1' : '0'
      const unknown = { ...machine, id: `${machine.id.slice(0, -1)}${last}` }
      const refusals = await world.provider.terminate([unknown, machine])
      expect(refusals.filter(({ id, fault }) => id !== unknown.id || fault !== 'not-found')).toEqual([])
      await at.until(async () => ((await at.machinesAlive()).length === 0 ? true : undefined))
    })

    test('ends a second time without complaint, and what has ended stays ended', async () => {
      const machine = await at.launched(at.intentFor(at.offer))
      await world.provider.terminate([machine])
      await at.until(async () => ((await world.living()).length === 0 ? true : undefined))
      const refusals = await world.provider.terminate([machine])
      expect(refusals.filter(({ fault }) => fault !== 'not-found')).toEqual([])
      expect((await at.end([])).remaining).toBe(0)
    })

    test('shows a machine as left for as long as it can cost', async () => {
      const machine = await at.launched(at.intentFor(at.offer))
      const before = await world.provider.remains([machine])
      expect(before.left.map(({ id }) => id)).toContain(machine.id)
      expect(before.left.every(({ consoleLink, byHand }) => consoleLink !== '' && byHand !== '')).toBe(true)
      await world.provider.terminate([machine])
      const clean = await at.until(async () => {
        const remains = await world.provider.remains([machine])
        return remains.left.length === 0 ? true : undefined
      })
      expect(clean).toBe(true)
      expect(await world.living()).toEqual([])
    })

    test('says that it could not look, instead of finding nothing', async () => {
      const intent = at.intentFor(at.offer)
      const machine = await at.launched(intent)
      await world.breakPlace(at.offer.place)
      const search = { by: 'lease', repository: owner.repository, leaseId, tokens: [] } as const
      await expect(world.provider.find(search, [at.offer.place])).rejects.toBeInstanceOf(Error)
      await expect(world.provider.remains([machine])).rejects.toBeInstanceOf(Error)
      const attempts = [at.attemptOf(intent, { kind: 'launched', machines: [machine.id] })]
      expect((await at.end(attempts, 20_000)).remaining).toBeGreaterThan(0)
      await world.mend()
      expect((await at.end(attempts)).remaining).toBe(0)
      expect(await world.living()).toEqual([])
    })

    test('says truly whether the end of the system inside ends the bill', async () => {
      const machine = await at.launched(at.intentFor(at.offer))
      await world.shutDownGuest(machine.id)
      if (world.provider.guestShutdown === 'terminates') {
        await at.until(async () => ((await world.living()).length === 0 ? true : undefined))
        return
      }
      await world.clock.sleep(60_000)
      expect(await at.machinesAlive()).toEqual([machine.id])
      expect((await world.provider.remains([machine])).left.map(({ id }) => id)).toContain(machine.id)
      expect((await at.end([])).remaining).toBe(0)
      expect(await world.living()).toEqual([])
    })

    testWith('interrupt', 'tells a machine that was taken back from one that we ended', async () => {
      const [taken, ended] = [
        await at.launched(at.intentFor(at.offer, 1)),
        await at.launched(at.intentFor(at.other, 2)),
      ]
      await can(world.interrupt)(taken.id)
      await world.provider.terminate([ended])
      const gone = async (id: string): Promise<Machine | undefined> => {
        const machine = await at.shown(id)
        return machine.state === 'gone' || machine.state === 'ending' ? machine : undefined
      }
      expect(world.provider.isInterruption?.(await at.until(() => gone(taken.id)))).toBe(true)
      expect(world.provider.isInterruption?.(await at.until(() => gone(ended.id)))).toBe(false)
    })

    testWith('leaveStray', 'finds and ends what a lease has left behind, and nothing that a machine uses', async () => {
      const machine = await at.launched(at.intentFor(at.offer))
      const inUse = (await world.living()).map(({ id }) => id)
      expect(await world.provider.strays(owner.repository, world.places)).toEqual([])
      const expiresAt = Math.floor(world.now() / 1000) * 1000
      const left = await can(world.leaveStray)(owner.repository, '77-1-ffffffff', expiresAt)
      const strays = await at.until(async () => {
        const found = await world.provider.strays(owner.repository, world.places)
        return found.length > 0 ? found : undefined
      })
      expect(strays).toMatchObject([{ kind: left.kind, id: left.id, leaseId: '77-1-ffffffff', expiresAt }])
      expect(await world.provider.endStrays(strays)).toEqual([])
      await at.until(async () => ((await world.living()).every(({ id }) => id !== left.id) ? true : undefined))
      expect((await world.living()).map(({ id }) => id).toSorted()).toEqual(inUse.toSorted())
      expect(inUse).toContain(machine.id)
    })

    test('a sweep ends what has outlived its lease, and only that', async () => {
      const foreign = await world.addForeign(owner.repository, leaseId)
      const soon = Math.floor(world.now() / 1000) * 1000 + 60_000
      await at.launched(at.intentFor(at.offer, 1, { expiresAt: soon }))
      const alive = await at.launched(at.intentFor(at.other, 1, { leaseId: '78-1-aaaaaaaa', expiresAt: soon + hourMs }))
      await world.clock.sleep(600_000)
      const report = await sweep({
        provider: world.provider,
        clock: world.clock,
        log: silentLog,
        repository: owner.repository,
        places: world.places,
        now: () => world.now(),
        graceMs: 60_000,
        maxAgeMs: 24 * hourMs,
        dryRun: false,
        deadline: world.clock.now() + 600_000,
        times: at.times,
        isFinal: () => false,
      })
      expect(report.unasked).toEqual([])
      expect(report.totals.left).toBe(0)
      expect(report.rows.filter(({ verdict }) => verdict === 'alive').map(({ id }) => id)).toEqual([alive.id])
      expect([...(await at.machinesAlive())].toSorted()).toEqual([...foreign, alive.id].toSorted())
    })
  })
}
