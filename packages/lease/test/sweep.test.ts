import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UserFault } from '@gpu-actions/action-kit/ports'
import {
  sweep,
  sweepFault,
  sweepMarkdown,
  sweepRecord,
  sweepSentences,
  type Place,
  type SweepReport,
} from '../src/index.ts'
import { offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld, type Living, type Script, type Trouble, type World } from './fixtures/world.ts'

const place = (region: string): Place => ({ account: '123456789012', region })
const [west, east] = [place('us-west-2'), place('us-east-1')]
const [minute, hour] = [60_000, 3_600_000]

interface Given {
  readonly alive?: (world: World, now: number) => void
  readonly dryRun?: boolean
  readonly places?: readonly Place[]
  /** What happens between the two looks. */
  readonly between?: (world: World, now: number) => void
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
  readonly provider?: (world: World) => Partial<World>
}

function sweeping(script: Script, given: Given) {
  const clock = jumpingClock()
  const world = createWorld(script, clock)
  given.alive?.(world, clock.now())
  const pauseMs = 10_000
  let waited = false
  const watched = {
    ...clock,
    sleep: async (ms: number, signal?: AbortSignal) => {
      await clock.sleep(ms, signal)
      if (ms === pauseMs && !waited) given.between?.(world, clock.now())
      waited ||= ms === pauseMs
    },
  }
  const report = sweep({
    provider: { ...world, ...given.provider?.(world) },
    clock: watched,
    log: silentLog,
    repository: owner.repository,
    places: given.places ?? [west],
    now: () => clock.now(),
    graceMs: 10 * minute,
    maxAgeMs: 24 * hour,
    dryRun: given.dryRun ?? false,
    deadline: clock.now() + (given.deadlineMs ?? 300_000),
    pauseMs,
    isFinal: error => error instanceof UserFault,
    ...(given.signal === undefined ? {} : { signal: given.signal }),
  })
  return { world, report, clock }
}

let leases = 0
/** A machine of a lease of its own. */
function machine(
  world: World,
  now: number,
  more: {
    readonly expiresInMs?: number
    readonly ageMs?: number
    readonly where?: Place
    readonly repository?: string
  } = {},
): Living {
  const number = ++leases
  return world.add(
    `token-${number}`,
    offer('z', { place: more.where ?? west }),
    {
      leaseId: `77-1-${String(number).padStart(8, '0')}`,
      owner: { ...owner, repository: more.repository ?? owner.repository },
      ...(more.expiresInMs === undefined ? {} : { expiresAt: now + more.expiresInMs }),
    },
    now - (more.ageMs ?? hour),
  )
}

const outcomesOf = ({ rows }: SweepReport): readonly string[] =>
  rows.map(row => `${row.id} ${row.verdict} ${row.outcome}`)

describe('a sweep', () => {
  test('ends what has outlived its lease, and nothing else', async () => {
    const { world, report } = sweeping(
      {},
      {
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -11 * minute })
          machine(there, now, { expiresInMs: -9 * minute })
          machine(there, now, { expiresInMs: hour })
          machine(there, now, { expiresInMs: 99 * hour, ageMs: 25 * hour })
          machine(there, now, { ageMs: 25 * hour })
          machine(there, now, { expiresInMs: -hour, repository: 'org/consumer-fork' })
        },
      },
    )
    expect(outcomesOf(await report)).toEqual([
      'm-1 expired gone',
      'm-2 alive kept',
      'm-3 alive kept',
      'm-4 overaged gone',
      'm-5 overaged gone',
    ])
    expect(world.machines.map(world.stateOf)).toEqual(['gone', 'running', 'running', 'gone', 'gone', 'running'])
    expect((await report).totals).toMatchObject({ seen: 5, alive: 2, overdue: 3, ended: 3, spared: 0, left: 0 })
    expect(sweepFault(await report)).toBeNull()
    expect(sweepRecord.parse(JSON.parse(JSON.stringify(await report)))).toEqual(await report)
  })

  test('spares a machine whose time was moved between two looks', async () => {
    const { world, report } = sweeping(
      {},
      {
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour })
          machine(there, now, { expiresInMs: -hour })
        },
        between: (there, now) => {
          const [first] = there.machines
          if (first !== undefined) first.expiresAt = now + hour
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-1 alive spared', 'm-2 expired gone'])
    expect(world.machines.map(world.stateOf)).toEqual(['running', 'gone'])
    expect(sweepFault(await report)).toBeNull()
  })

  test('leaves what became overdue between two looks to the next sweep', async () => {
    const { world, report } = sweeping(
      {},
      {
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour })
          machine(there, now, { expiresInMs: -10 * minute + 5_000 })
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-1 expired gone', 'm-2 expired kept'])
    expect(world.machines.map(world.stateOf)).toEqual(['gone', 'running'])
  })

  test('shows in a dry run what it would end, and ends nothing', async () => {
    const { world, report, clock } = sweeping(
      {},
      {
        dryRun: true,
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour })
          machine(there, now, { expiresInMs: hour })
        },
      },
    )
    const before = clock.now()
    expect(outcomesOf(await report)).toEqual(['m-1 expired would-end', 'm-2 alive kept'])
    expect(world.machines.map(world.stateOf)).toEqual(['running', 'running'])
    expect(clock.now() - before).toBeLessThan(1_000)
    expect(sweepSentences(await report).at(-2)).toContain('2 seen, 1 alive, 1 would be ended (dry run)')
  })

  test('ends what a lease has left behind, but not what the machine of a lease may need', async () => {
    const { world, report } = sweeping(
      { shownMs: 0, volumeMs: Number.POSITIVE_INFINITY },
      {
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour, ageMs: 3 * hour }).endedAt = now - 2 * hour
          const alive = machine(there, now, { expiresInMs: hour })
          // An earlier machine of a lease that goes on: its volume is the lease's matter.
          there.add('earlier', offer('z'), { ...alive.intent, expiresAt: now - hour }, now - 3 * hour).endedAt =
            now - hour
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-2 alive kept', 'vol-m-1 expired gone'])
    expect(world.machines.map(world.hasVolume)).toEqual([false, true, true])
  })

  test.each(['fails', 'final'] as const)('sweeps the other places when one %s, names it, and fails', async trouble => {
    const { world, report } = sweeping(
      { trouble: (_, where) => (where.region === 'us-east-1' ? trouble : 'ok') },
      {
        places: [east, west],
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour, where: east })
          machine(there, now, { expiresInMs: -hour, where: west })
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-2 expired gone'])
    expect(world.machines.map(world.stateOf)).toEqual(['running', 'gone'])
    expect((await report).unasked).toMatchObject([{ place: east }])
    expect(sweepFault(await report)?.message).toContain('us-east-1 of account 123456789012')
    expect(sweepMarkdown(await report)).toContain('us-east-1 of account 123456789012 could not be asked')
  })

  test('does not end, and does not forget, what the second look could not ask for', async () => {
    let finds = 0
    const { world, report } = sweeping(
      { trouble: (call): Trouble => (call === 'find' && finds++ > 0 ? 'fails' : 'ok') },
      { alive: (there, now) => void machine(there, now, { expiresInMs: -hour }) },
    )
    expect(outcomesOf(await report)).toEqual(['m-1 expired left'])
    expect(world.machines.map(world.stateOf)).toEqual(['running'])
    expect(sweepFault(await report)?.advice).toContain('end m-1')
  })

  test('counts what ended by itself between two looks as gone', async () => {
    const { report } = sweeping(
      { endingMs: 0 },
      {
        alive: (there, now) => void machine(there, now, { expiresInMs: -hour }),
        between: (there, now) => {
          for (const one of there.machines) one.endedAt = now
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-1 expired gone'])
  })

  test('names what it could not end, with the command that does', async () => {
    const { report } = sweeping(
      { terminate: Array.from({ length: 500 }, () => 'protected' as const) },
      {
        deadlineMs: 30_000,
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour })
          machine(there, now, { expiresInMs: -hour })
        },
      },
    )
    expect(outcomesOf(await report)).toEqual(['m-1 expired left', 'm-2 expired gone'])
    expect((await report).problems).toEqual(['m-1 is protected'])
    expect(sweepFault(await report)?.advice).toBe('End it by hand: end m-1')
    expect(sweepMarkdown(await report)).toContain(
      '**machine m-1 (us-west-2) is left**: [console](https://console/m-1), or `end m-1`',
    )
  })

  test('ends nothing when it is cancelled between two looks', async () => {
    const controller = new AbortController()
    const { world, report } = sweeping(
      {},
      {
        signal: controller.signal,
        alive: (there, now) => void machine(there, now, { expiresInMs: -hour }),
        between: () => controller.abort(new Error('cancelled')),
      },
    )
    await expect(report).rejects.toThrow('cancelled')
    expect(world.machines.map(world.stateOf)).toEqual(['running'])
  })

  test('ends nothing without the exact marks, though the provider should show it', async () => {
    const { world, report } = sweeping(
      {},
      {
        alive: (there, now) => {
          machine(there, now, { expiresInMs: -hour, repository: 'Org/Consumer' })
          machine(there, now, { expiresInMs: -hour })
        },
        provider: there => ({
          find: async (search, places) => {
            const theirs = await there.find({ by: 'repository', repository: 'Org/Consumer' }, places)
            const ours = await there.find(search, places)
            return [...theirs, ...ours.map(one => ({ ...one, leaseId: null }))]
          },
        }),
      },
    )
    expect((await report).rows).toEqual([])
    expect(world.machines.map(world.stateOf)).toEqual(['running', 'running'])
  })

  test('says what overdue machines cost', async () => {
    const { report } = sweeping(
      {},
      { alive: (there, now) => void machine(there, now, { expiresInMs: -hour, ageMs: 10 * hour }) },
    )
    const { rows, totals } = await report
    expect(rows[0]).toMatchObject({ usdPerHour: 1.212, runId: '77', job: 'bench' })
    expect(rows[0]?.costUsd).toBeCloseTo(12.12, 1)
    expect(totals.overdueUsdPerHour).toBe(1.212)
    expect(sweepSentences(await report).at(-1)).toMatch(
      /^What was overdue had cost \$12\.\d+ so far and \$1\.212 an hour$/,
    )
  })

  test('stays readable, and quick, with ten thousand machines', async () => {
    const begun = performance.now()
    const { report, world } = sweeping(
      {},
      {
        alive: (there, now) => {
          for (let count = 0; count < 9_700; count++) machine(there, now, { expiresInMs: hour })
          for (let count = 0; count < 200; count++) machine(there, now, { expiresInMs: -hour })
          for (let count = 0; count < 100; count++) machine(there, now, { expiresInMs: -hour, repository: 'other/one' })
        },
      },
    )
    const markdown = sweepMarkdown(await report)
    expect((await report).totals).toMatchObject({ seen: 9_900, alive: 9_700, ended: 200, left: 0 })
    expect(world.machines.filter(one => one.endedAt !== null)).toHaveLength(200)
    expect(markdown.split('\n').filter(line => line.startsWith('| m-')).length).toBe(100)
    expect(markdown).toContain('… and 9800 more')
    expect(Buffer.byteLength(markdown)).toBeLessThan(100_000)
    expect(sweepSentences(await report).length).toBeLessThan(110)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })
})

describe('a sweep, whatever the service answers', () => {
  test('ends nothing but what both looks condemn, and what it says of it is true', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            expiresInMs: fc.constantFrom(-hour, -11 * minute, -9 * minute, hour),
            where: fc.constantFrom(west, east),
            ours: fc.boolean(),
            moved: fc.boolean(),
          }),
          { maxLength: 6 },
        ),
        fc.array(fc.constantFrom<Trouble>('ok', 'ok', 'ok', 'fails', 'final'), { maxLength: 60 }),
        fc.constantFrom(0, 20_000, 400_000),
        async (wanted, replies, endingMs) => {
          let calls = 0
          const made: { readonly one: Living; readonly wish: (typeof wanted)[number] }[] = []
          const { world, report } = sweeping(
            { endingMs, trouble: () => replies[calls++] ?? 'ok' },
            {
              places: [west, east],
              alive: (there, now) => {
                for (const wish of wanted) {
                  const repository = wish.ours ? owner.repository : 'other/one'
                  made.push({ one: machine(there, now, { ...wish, repository }), wish })
                }
              },
              between: (_, now) => {
                for (const { one, wish } of made) if (wish.moved) one.expiresAt = now + hour
              },
            },
          )
          const { rows, totals, unasked } = await report
          for (const { one, wish } of made) {
            const row = rows.find(({ id }) => id === one.id)
            const isDue = wish.expiresInMs <= -11 * minute
            const isAsked = !unasked.some(({ place: where }) => where.region === wish.where.region)
            const isOurs = row !== undefined
            expect(isOurs && !wish.ours).toBe(false)
            expect(!isOurs && wish.ours && isAsked).toBe(false)
            // Only what was ours and due in both looks may have ended.
            expect(one.endedAt !== null && (!wish.ours || !isDue || wish.moved)).toBe(false)
            expect(row?.outcome === 'gone' && world.stateOf(one) !== 'gone').toBe(false)
            expect(row?.outcome === 'ending' && one.endedAt === null).toBe(false)
            expect((row?.outcome === 'kept' || row?.outcome === 'spared') && one.endedAt !== null).toBe(false)
          }
          expect(totals.left).toBe(rows.filter(row => row.outcome === 'left').length)
          expect(sweepFault(await report) === null).toBe(totals.left === 0 && unasked.length === 0)
        },
      ),
      { numRuns: 150 },
    )
  })
})
