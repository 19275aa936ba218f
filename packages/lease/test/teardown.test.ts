import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { endMachines, type Attempt, type Receipt } from '../src/index.ts'
import { attempt, leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld, type Script, type World } from './fixtures/world.ts'

const refused = { kind: 'refused', fault: 'capacity', code: 'c', message: 'm', advice: 'a', requestId: null } as const

function end(
  script: Script,
  given: {
    readonly attempts: readonly Attempt[]
    readonly alive?: (world: World, now: number) => void
    readonly deadlineMs?: number
    readonly provider?: (world: World) => Partial<World>
    readonly waitUntilGone?: boolean
    /** How far the runner's clock is ahead of the provider's. */
    readonly aheadMs?: number
  },
): { readonly world: World; readonly receipt: Promise<Receipt>; readonly clock: ReturnType<typeof jumpingClock> } {
  const clock = jumpingClock()
  const { aheadMs = 0 } = given
  const world = createWorld(script, clock)
  given.alive?.(world, clock.now())
  const receipt = endMachines({
    provider: { ...world, ...given.provider?.(world), serviceNow: () => clock.now() },
    clock: { ...clock, now: () => clock.now() + aheadMs },
    log: silentLog,
    search: { by: 'lease', repository: owner.repository, leaseId, tokens: given.attempts.map(one => one.token) },
    places: [offer('a').place],
    known: [],
    attempts: given.attempts,
    deadline: clock.now() + aheadMs + (given.deadlineMs ?? 240_000),
    isFinal: error => error instanceof UserFault,
    ...(given.waitUntilGone === undefined ? {} : { waitUntilGone: given.waitUntilGone }),
  })
  return { world, receipt, clock }
}

const launched = attempt(1, { kind: 'launched', machines: ['m-1'] })
const birth = (world: World) => void world.add(launched.token, launched.offer, { leaseId, owner })

describe('ending a lease', () => {
  test('sees the machine and its volume gone before it says 0 remaining', async () => {
    const { world, receipt } = end({ volumeMs: 20_000 }, { attempts: [launched], alive: birth })
    expect(await receipt).toMatchObject({
      remaining: 0,
      ending: [],
      machines: [{ id: 'm-1', state: 'gone', volumes: ['vol-m-1'] }],
    })
    expect(world.machines.map(machine => world.stateOf(machine) === 'gone' && !world.hasVolume(machine))).toEqual([
      true,
    ])
  })

  test("counts seconds and moments by the clock of the provider, whose launches it bills, not by the runner's", async () => {
    const known = { attempts: [launched], alive: birth }
    const [right, ahead] = [await end({}, known).receipt, await end({}, { ...known, aheadMs: 2 * 3_600_000 }).receipt]
    expect(ahead.machines).toEqual(right.machines)
    expect(ahead.billedSeconds).toBeLessThanOrEqual(60)
  })

  test('finds and ends the machine of an intent that has no outcome', async () => {
    const { world, receipt } = end({}, { attempts: [attempt(1, null)], alive: birth })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.every(machine => world.stateOf(machine) === 'gone')).toBe(true)
  })

  test('waits for a machine that the provider does not show yet', async () => {
    const { world, receipt } = end({ hiddenMs: 20_000 }, { attempts: [attempt(1, null)], alive: birth })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.every(machine => world.stateOf(machine) === 'gone')).toBe(true)
  })

  test('does not take a launched machine that is not found for gone', async () => {
    const { world, receipt } = end({ hiddenMs: 20_000 }, { attempts: [launched], alive: birth })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.every(machine => world.stateOf(machine) === 'gone')).toBe(true)
  })

  test('asks nothing twice when every launch was refused', async () => {
    const { receipt, clock } = end({}, { attempts: [attempt(1, refused)] })
    const before = clock.now()
    expect(await receipt).toMatchObject({ remaining: 0, machines: [] })
    expect(clock.now() - before).toBeLessThan(1_000)
  })

  test('counts seconds from launch to the first sight of its end, and the price of its attempt', async () => {
    const { receipt } = end(
      { endingMs: 30_000 },
      {
        attempts: [launched],
        alive: (world, now) => void world.add(launched.token, launched.offer, { leaseId, owner }, now - 600_000),
      },
    )
    const { machines, billedSeconds, costUsd } = await receipt
    expect(billedSeconds).toBeGreaterThanOrEqual(600)
    expect(billedSeconds).toBeLessThan(610)
    expect(costUsd).toBeCloseTo((1.212 * (billedSeconds ?? 0)) / 3600, 6)
    expect(machines[0]?.endOfBilling).not.toBeNull()
  })

  test('bills the minimum for a machine that lived for seconds', async () => {
    expect((await end({}, { attempts: [launched], alive: birth }).receipt).billedSeconds).toBe(60)
  })

  test('calls a machine that is still ending at the deadline ending, not left', async () => {
    const { receipt } = end({ endingMs: 600_000 }, { attempts: [launched], alive: birth, deadlineMs: 30_000 })
    expect(await receipt).toMatchObject({
      remaining: 0,
      ending: ['m-1'],
      machines: [{ state: 'ending', goneAt: null }],
    })
  })

  test('ends the others when one is protected, and names the one that is left', async () => {
    const second = attempt(2, { kind: 'launched', machines: ['m-2'] }, offer('b'))
    const { world, receipt } = end(
      { terminate: Array.from({ length: 500 }, () => 'protected' as const) },
      {
        attempts: [launched, second],
        deadlineMs: 30_000,
        alive: world => {
          birth(world)
          world.add(second.token, second.offer, { leaseId, owner })
        },
      },
    )
    expect(await receipt).toMatchObject({
      remaining: 1,
      left: [{ kind: 'machine', id: 'm-1', byHand: 'end m-1' }],
      problems: ['m-1 is protected'],
    })
    expect(world.machines.map(machine => world.stateOf(machine))).toEqual(['running', 'gone'])
  })

  test('stops at once at a failure that no repetition overcomes, and counts what it could not look up', async () => {
    const foreign = async (): Promise<never> => {
      throw new UserFault('another account')
    }
    const { receipt, clock } = end(
      {},
      {
        attempts: [attempt(1, null)],
        alive: birth,
        provider: () => ({ find: foreign, remains: foreign, terminate: foreign }),
      },
    )
    const before = clock.now()
    expect(await receipt).toMatchObject({ remaining: 1, left: [{ kind: 'launch' }], problems: ['another account'] })
    expect(clock.now() - before).toBeLessThan(1_000)
  })

  test('fails when the search failed and no record says what there was', async () => {
    const { receipt } = end(
      { find: Array.from({ length: 500 }, () => 'fails' as const) },
      { attempts: [], deadlineMs: 10_000 },
    )
    await expect(receipt).rejects.toThrow('did not answer')
  })

  test('only gives the order when it is not to wait', async () => {
    const { receipt, world } = end({ endingMs: 60_000 }, { attempts: [launched], alive: birth, waitUntilGone: false })
    expect((await receipt).ending).toEqual(['m-1'])
    expect(world.machines.map(machine => world.stateOf(machine))).toEqual(['ending'])
  })
})

const outcomes = fc.constantFrom(
  'launched' as const,
  'null' as const,
  'unknown' as const,
  'refused-after-lost' as const,
  'refused' as const,
)
const flaky = <const T extends string>(...words: T[]) =>
  fc.array(fc.constantFrom('ok' as const, ...words), { maxLength: 60 })

describe('ending a lease, whatever the service answers', () => {
  test('a receipt with 0 remaining means that no machine of the lease lives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ outcome: outcomes, exists: fc.boolean(), ageMs: fc.constantFrom(0, 3_000, 100_000) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.record({
          find: flaky('fails'),
          terminate: flaky('fails', 'protected', 'not-found'),
          remains: flaky('fails'),
        }),
        fc.record({
          hiddenMs: fc.constantFrom(0, 2_000, 25_000),
          endingMs: fc.constantFrom(0, 10_000, 500_000),
          volumeMs: fc.constantFrom(0, 30_000),
        }),
        fc.constantFrom(0, 5_000, 60_000, 240_000),
        async (launches, script, times, deadlineMs) => {
          const made = launches.map((launch, index) => {
            const one = offer(`z${index}`)
            const bare = attempt(index + 1, null, one)
            return { ...launch, one, token: bare.token, number: index + 1 }
          })
          const ids = new Map<string, string>()
          let count = 0
          for (const one of made) {
            const exists = one.outcome === 'launched' || (one.outcome !== 'refused' && one.exists)
            if (exists) ids.set(one.token, `m-${++count}`)
          }
          const attempts = made.map(({ number, outcome, one, token }) => {
            if (outcome === 'launched')
              return attempt(number, { kind: 'launched', machines: [ids.get(token) ?? ''] }, one)
            if (outcome === 'unknown') return attempt(number, { kind: 'unknown', message: 'lost' }, one)
            if (outcome === 'refused-after-lost') return attempt(number, refused, one, 2)
            return attempt(number, outcome === 'refused' ? refused : null, one)
          })
          const { world, receipt } = end(
            { ...script, ...times },
            {
              attempts,
              deadlineMs,
              alive: (place, now) => {
                for (const { token, one, ageMs } of made) {
                  if (ids.has(token)) place.add(token, one, { leaseId, owner }, now - ageMs)
                }
                place.add('foreign', offer('z0'), {
                  leaseId: '1-1-ffffffff',
                  owner: { ...owner, repository: 'other/one' },
                })
              },
            },
          )
          const proof = await receipt
          const [ours, foreign] = [
            world.machines.filter(one => one.token !== 'foreign'),
            world.machines.filter(one => one.token === 'foreign'),
          ]
          expect(foreign.every(machine => machine.endedAt === null)).toBe(true)
          const states = ours.map(machine => world.stateOf(machine))
          const saysEnded = proof.remaining === 0
          const saysGone = saysEnded && proof.ending.length === 0
          expect(saysEnded && states.some(state => state !== 'ending' && state !== 'gone')).toBe(false)
          expect(saysGone && states.some(state => state !== 'gone')).toBe(false)
          expect(saysGone && ours.some(machine => world.hasVolume(machine))).toBe(false)
        },
      ),
      { numRuns: 250 },
    )
  })

  test('says 0 remaining in the end when the service comes back in time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          find: fc.array(fc.constantFrom('ok' as const, 'fails' as const), { maxLength: 6 }),
          terminate: fc.array(fc.constantFrom('ok' as const, 'fails' as const, 'not-found' as const), { maxLength: 6 }),
          remains: fc.array(fc.constantFrom('ok' as const, 'fails' as const), { maxLength: 6 }),
          hiddenMs: fc.constantFrom(0, 25_000),
        }),
        async script => {
          const { receipt } = end(script, { attempts: [attempt(1, null)], alive: birth })
          expect(await receipt).toMatchObject({ remaining: 0, ending: [], machines: [{ state: 'gone' }] })
        },
      ),
      { numRuns: 200 },
    )
  })
})
