import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { endMachines, type Attempt, type LaunchOutcome, type Offer, type Place } from '../src/index.ts'
import { attempt, leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld, type Call, type Script, type Trouble, type World } from './fixtures/world.ts'

const place = (region: string): Place => ({ account: '123456789012', region })
const [west, east, north] = [place('us-west-2'), place('us-east-1'), place('eu-north-1')]
const offerIn = (where: Place, zone = `${where.region}a`): Offer => offer(zone, { place: where })

interface Given {
  readonly attempts?: readonly Attempt[]
  readonly places?: readonly Place[]
  readonly alive?: (world: World, now: number) => void
  readonly deadlineMs?: number
  readonly withoutStrays?: boolean
}

function end(script: Script, given: Given) {
  const clock = jumpingClock()
  const world = createWorld(script, clock)
  given.alive?.(world, clock.now())
  const attempts = given.attempts ?? []
  const { strays: _, endStrays: __, ...bare } = world
  const receipt = endMachines({
    provider: given.withoutStrays === true ? bare : world,
    clock,
    log: silentLog,
    search: { by: 'lease', repository: owner.repository, leaseId, tokens: attempts.map(one => one.token) },
    places: given.places ?? [],
    known: [],
    attempts,
    deadline: clock.now() + (given.deadlineMs ?? 240_000),
    isFinal: error => error instanceof UserFault,
  })
  return { world, receipt, clock }
}

const launched = (number: number, where: Place): Attempt =>
  attempt(number, { kind: 'launched', machines: [`m-${number}`] }, offerIn(where))
const open = (number: number, where: Place): Attempt => attempt(number, null, offerIn(where))
const birth =
  (...attempts: readonly Attempt[]) =>
  (world: World) => {
    for (const one of attempts) world.add(one.token, one.offer, { leaseId, owner })
  }
const failing =
  (region: string, trouble: Trouble, ...calls: readonly Call[]) =>
  (call: Call, where: Place): Trouble =>
    where.region === region && (calls.length === 0 || calls.includes(call)) ? trouble : 'ok'

describe('ending a lease in several places', () => {
  test.each(['fails', 'final'] as const)(
    'ends the machines of the others when one place %s, and counts the one that it cannot see',
    async trouble => {
      const [one, other] = [launched(1, west), launched(2, east)]
      const { world, receipt } = end(
        { trouble: failing('us-west-2', trouble) },
        { attempts: [one, other], alive: birth(one, other), deadlineMs: 60_000 },
      )
      expect(await receipt).toMatchObject({ remaining: 1, left: [{ kind: 'machine', id: 'm-1' }] })
      expect(world.machines.map(world.stateOf)).toEqual(['running', 'gone'])
      expect((await receipt).problems).toHaveLength(1)
    },
  )

  test.each(['fails', 'final'] as const)(
    'does not say 0 remaining when a place in which nothing is known to have been launched %s',
    async trouble => {
      const one = launched(1, west)
      const { receipt } = end(
        { trouble: failing('us-east-1', trouble) },
        { attempts: [one], alive: birth(one), places: [west, east], deadlineMs: 30_000 },
      )
      expect(await receipt).toMatchObject({
        remaining: 1,
        left: [{ kind: 'place', id: '123456789012/us-east-1', state: 'could not be asked' }],
        machines: [{ id: 'm-1', state: 'gone' }],
      })
    },
  )

  test('says what a launch may have left when its place could not be asked', async () => {
    const { receipt } = end(
      { trouble: failing('us-east-1', 'fails', 'find') },
      { attempts: [open(1, west), open(2, east)], deadlineMs: 60_000 },
    )
    expect(await receipt).toMatchObject({ remaining: 1, left: [{ kind: 'launch', place: east }] })
  })

  test('looks in every place that an attempt names, though nobody else does', async () => {
    const { world, receipt } = end({}, { attempts: [open(1, west), open(2, north)], alive: birth(open(2, north)) })
    expect((await receipt).places.map(({ region }) => region)).toEqual(['us-west-2', 'eu-north-1'])
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.map(world.stateOf)).toEqual(['gone'])
  })

  test('finds by its mark a machine that no record names', async () => {
    const { world, receipt } = end({}, { places: [west, east], alive: birth(open(1, east)) })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.map(world.stateOf)).toEqual(['gone'])
  })

  test('fails when nothing is known and no place answers, and when there is no place to ask', async () => {
    const { receipt } = end({ trouble: () => 'fails' }, { places: [west, east], deadlineMs: 10_000 })
    await expect(receipt).rejects.toThrow('did not answer')
    await expect(end({}, {}).receipt).rejects.toThrow('Nobody knows where to look')
  })

  test('does not take an early search for a late one: a machine that came to light afterwards is not gone', async () => {
    let searches = 0
    const trouble = (call: Call): Trouble => (call === 'find' && searches++ > 0 ? 'fails' : 'ok')
    const { world, receipt } = end(
      { trouble, hiddenMs: 5_000 },
      { attempts: [open(1, west)], alive: birth(open(1, west)) },
    )
    expect((await receipt).remaining).toBe(1)
    expect(world.machines.map(world.stateOf)).toEqual(['running'])
  })

  test('does not take one look that shows nothing for the end', async () => {
    let looks = 0
    const trouble = (call: Call): Trouble => (call === 'remains' && looks++ % 2 === 1 ? 'blind' : 'ok')
    const one = launched(1, west)
    const { world, receipt } = end({ trouble, endingMs: 60_000 }, { attempts: [one], alive: birth(one) })
    expect(await receipt).toMatchObject({ remaining: 0, ending: [] })
    expect(world.machines.map(world.stateOf)).toEqual(['gone'])
  })

  test('does not count looks from before the order to end, when the machine was not shown yet', async () => {
    let looks = 0
    const one = launched(1, west)
    const { world, receipt } = end(
      {
        // Two looks before it is shown, then an order, then one look that lags behind.
        trouble: (call): Trouble => (call === 'remains' && ++looks === 3 ? 'blind' : 'ok'),
        hiddenMs: 2_300,
        endingMs: 100_000,
      },
      { attempts: [one], alive: birth(one) },
    )
    expect(await receipt).toMatchObject({ remaining: 0, ending: [] })
    expect(world.machines.map(world.stateOf)).toEqual(['gone'])
    expect(looks).toBeGreaterThan(3)
  })

  test('does not take the volume of a machine that was seen gone for gone when one look shows nothing', async () => {
    let looks = 0
    const one = launched(1, west)
    const { world, receipt } = end(
      {
        trouble: (call): Trouble => (call === 'remains' && ++looks === 2 ? 'blind' : 'ok'),
        endingMs: 0,
        volumeMs: 60_000,
      },
      { attempts: [one], alive: birth(one) },
    )
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.map(world.hasVolume)).toEqual([false])
  })

  test('does not remember from a time when nothing was known that nothing is left', async () => {
    let searches = 0
    const trouble = (call: Call): Trouble =>
      call === 'remains' ? 'fails' : call === 'find' && searches++ === 0 ? 'blind' : 'ok'
    const { world, receipt } = end(
      { trouble, volumeMs: Number.POSITIVE_INFINITY },
      {
        attempts: [open(1, west)],
        deadlineMs: 60_000,
        alive: (there, now) => {
          there.add(open(1, west).token, offerIn(west), { leaseId, owner }, now - 100_000).endedAt = now - 50_000
        },
      },
    )
    expect((await receipt).remaining).toBe(1)
    expect(world.machines.map(world.hasVolume)).toEqual([true])
  })

  test('does not take one search that shows nothing for an answer where no record says what there was', async () => {
    let searches = 0
    const trouble = (call: Call): Trouble => (call === 'find' && searches++ === 0 ? 'blind' : 'ok')
    const { world, receipt } = end({ trouble }, { places: [west], alive: birth(open(1, west)) })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.map(world.stateOf)).toEqual(['gone'])
  })
})

describe('what a machine that is not shown any more has left behind', () => {
  const vanished = (world: World, now: number): void => {
    const one = world.add(open(1, west).token, offerIn(west), { leaseId, owner }, now - 7_200_000)
    one.endedAt = now - 7_000_000
  }
  const script: Script = { shownMs: 3_600_000, volumeMs: Number.POSITIVE_INFINITY }

  test('is found by the mark of the lease, ended, and seen gone', async () => {
    const { world, receipt } = end(script, { places: [west], alive: vanished })
    expect((await receipt).remaining).toBe(0)
    expect(world.machines.map(world.hasVolume)).toEqual([false])
  })

  test('is left when it cannot be ended', async () => {
    const { receipt } = end(
      { ...script, trouble: (call): Trouble => (call === 'endStrays' ? 'fails' : 'ok') },
      { places: [west], alive: vanished, deadlineMs: 30_000 },
    )
    expect(await receipt).toMatchObject({ remaining: 1, left: [{ kind: 'volume', id: 'vol-m-1' }] })
  })

  test('leaves the place when it cannot be asked for', async () => {
    const { receipt } = end(
      { ...script, trouble: (call): Trouble => (call === 'strays' ? 'fails' : 'ok') },
      { places: [west], alive: vanished, deadlineMs: 30_000 },
    )
    expect(await receipt).toMatchObject({ remaining: 1, left: [{ kind: 'place' }] })
  })

  test('is not asked for where every launch was refused', async () => {
    const refused = {
      kind: 'refused',
      fault: 'capacity',
      code: 'c',
      message: 'm',
      advice: 'a',
      requestId: null,
    } as const
    const calls: Call[] = []
    const trouble = (call: Call): Trouble => (calls.push(call), 'ok')
    await end({ trouble }, { attempts: [attempt(1, refused, offerIn(west))] }).receipt
    expect(calls).toEqual(['find'])
  })
})

const refused = { kind: 'refused', fault: 'capacity', code: 'c', message: 'm', advice: 'a', requestId: null } as const
const outcomes: Readonly<Record<string, (id: string) => LaunchOutcome | null>> = {
  launched: id => ({ kind: 'launched', machines: [id] }),
  open: () => null,
  unknown: () => ({ kind: 'unknown', message: 'lost' }),
  refusedLater: () => refused,
  refused: () => refused,
}

describe('ending a lease in several places, whatever they answer', () => {
  const trouble = fc.constantFrom<Trouble>('ok', 'ok', 'fails', 'blind')

  test('0 remaining is true of the whole world, a foreign machine lives, and the calls are bounded', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            outcome: fc.constantFrom(...Object.keys(outcomes)),
            exists: fc.boolean(),
            where: fc.constantFrom(west, east, north),
            ageMs: fc.constantFrom(0, 3_000, 100_000, 4_000_000),
          }),
          { maxLength: 4 },
        ),
        fc.subarray([west, east, north]),
        fc.array(trouble, { maxLength: 150 }),
        fc.option(fc.record({ at: fc.nat(60), where: fc.constantFrom(west, east, north) }), { freq: 3 }),
        fc.record({
          hiddenMs: fc.constantFrom(0, 2_000, 25_000),
          endingMs: fc.constantFrom(0, 10_000, 500_000),
          volumeMs: fc.constantFrom(0, 30_000, Number.POSITIVE_INFINITY),
        }),
        fc.constantFrom(0, 5_000, 60_000, 240_000),
        fc.boolean(),
        async (launches, places, replies, final, times, deadlineMs, withoutStrays) => {
          const made = launches.map((launch, index) => {
            const one = offerIn(launch.where, `z${index}`)
            const exists = launch.outcome === 'launched' || (launch.outcome !== 'refused' && launch.exists)
            return { ...launch, exists, one, number: index + 1 }
          })
          let born = 0
          const attempts = made.map(({ outcome, exists, one, number }) =>
            attempt(
              number,
              outcomes[outcome]?.(exists ? `m-${++born}` : '') ?? null,
              one,
              outcome === 'refusedLater' ? 2 : 1,
            ),
          )
          let calls = 0
          const last = new Map<string, Trouble>()
          const answer = (call: Call, where: Place): Trouble => {
            const key = `${call} ${where.region}`
            const wish = replies[calls++] ?? 'ok'
            if (final !== null && calls > final.at && where === final.where) return 'final'
            // Reads that lag behind do so for one answered look; more could not be told from the truth.
            const isBlindAgain = wish === 'blind' && (last.get(key) === 'blind' || call === 'strays')
            const reply = isBlindAgain ? 'ok' : wish
            if (reply !== 'fails') last.set(key, reply)
            return reply
          }
          const { world, receipt } = end(
            { ...times, trouble: answer },
            {
              attempts,
              places,
              deadlineMs,
              withoutStrays,
              alive: (there, now) => {
                for (const [index, { exists, one, ageMs }] of made.entries()) {
                  if (exists) there.add(attempts[index]?.token ?? '', one, { leaseId, owner }, now - ageMs)
                }
                there.add('foreign', offerIn(west), { leaseId, owner: { ...owner, repository: 'other/one' } })
              },
            },
          )
          const proof = await receipt.catch(() => undefined)
          const foreign = world.machines.filter(({ token }) => token === 'foreign')
          const ours = world.machines.filter(({ token }) => token !== 'foreign')
          expect(foreign.every(({ endedAt }) => endedAt === null)).toBe(true)
          // Places × rounds × five kinds of call; a round takes at least 0.6 s.
          expect(calls).toBeLessThan(3 * 5 * (deadlineMs / 600 + 2))
          expect(proof === undefined && attempts.length > 0).toBe(false)
          if (proof === undefined) return
          const states = ours.map(machine => world.stateOf(machine))
          expect(proof.remaining).toBe(proof.left.length)
          if (proof.remaining > 0) return
          expect(states.every(state => state === 'ending' || state === 'gone')).toBe(true)
          if (proof.ending.length > 0) return
          expect(states.every(state => state === 'gone')).toBe(true)
          expect(ours.some(machine => world.hasVolume(machine))).toBe(false)
        },
      ),
      { numRuns: 400 },
    )
  })
})
