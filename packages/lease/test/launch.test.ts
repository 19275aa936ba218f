import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { createLauncher, launchBreaker, launchFaults, type Attempt, type Offer } from '../src/index.ts'
import { leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld, type Script } from './fixtures/world.ts'

function start(script: Script, offers: readonly Offer[], signal?: AbortSignal) {
  const clock = jumpingClock()
  const world = createWorld(script, clock)
  const saved: { attempts: readonly Attempt[] } = { attempts: [] }
  const unwritten: string[] = []
  const launcher = createLauncher(
    {
      provider: {
        ...world,
        launch: (one, intent) => {
          if (!saved.attempts.some(attempt => attempt.token === intent.token)) unwritten.push(intent.token)
          return world.launch(one, intent)
        },
      },
      clock,
      log: silentLog,
      leaseId,
      owner,
      deadline: clock.now(),
      expiryOf: () => clock.now() + 2_700_000,
      save: async attempts => void (saved.attempts = attempts),
      ...(signal === undefined ? {} : { signal }),
    },
    offers,
  )
  return { world, launcher, saved, unwritten, clock }
}

const failure = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('launching', () => {
  test('goes to the next offer when a zone has no capacity, does not offer the type, or has no addresses', async () => {
    const { launcher, world } = start(
      { launch: ['capacity', 'zone', 'subnet'] },
      ['a', 'b', 'c', 'd'].map(z => offer(z)),
    )
    expect((await launcher.next()).offer.zone).toBe('d')
    expect(world.machines).toHaveLength(1)
  })

  test('leaves out the whole market of the region when its quota is used up', async () => {
    const elsewhere = offer('x', { place: { account: '123456789012', region: 'us-east-1' } })
    const { launcher, world } = start({ launch: ['quota'] }, [
      offer('a'),
      offer('b'),
      offer('c', { instanceType: 'g6.xlarge' }),
      elsewhere,
    ])
    expect((await launcher.next()).offer.place.region).toBe('us-east-1')
    expect(world.calls).toHaveLength(2)
  })

  test('repeats the same call with the same token when the service is throttling', async () => {
    const { launcher, world } = start({ launch: ['throttled', 'throttled'] }, [offer('a'), offer('b')])
    const { attempt } = await launcher.next()
    expect(new Set(world.calls.map(call => call.token)).size).toBe(1)
    expect(attempt).toMatchObject({ number: 1, calls: 3, outcome: { kind: 'launched' } })
  })

  test('finds the one machine of a call whose reply was lost, and launches no second one', async () => {
    const { launcher, world } = start({ launch: ['lost'] }, [offer('a')])
    const launched = await launcher.next()
    expect(world.machines.map(machine => machine.id)).toEqual([launched.machineId])
    expect(world.calls).toHaveLength(1)
  })

  test('repeats with the same token when the machine of a lost reply is not visible yet', async () => {
    const { launcher, world } = start({ launch: ['lost', 'lost'], hiddenMs: 60_000 }, [offer('a')])
    await launcher.next()
    expect(world.machines).toHaveLength(1)
    expect(world.calls).toHaveLength(3)
  })

  test('does not go on to another offer while the outcome of one is unknown', async () => {
    const { launcher, world, saved } = start({ launch: Array.from({ length: 50 }, () => 'unsent' as const) }, [
      offer('a'),
      offer('b'),
    ])
    expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
    expect(new Set(world.calls.map(call => call.offer.zone))).toEqual(new Set(['a']))
    expect(saved.attempts).toMatchObject([{ outcome: { kind: 'unknown' } }])
  })

  test.each(['denied', 'invalid', 'account', 'credentials', 'token'] as const)(
    'stops at once when the call is %s',
    async fault => {
      const { launcher, world } = start({ launch: [fault] }, [offer('a'), offer('b')])
      expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
      expect(world.calls).toHaveLength(1)
    },
  )

  test('says what was tried when no offer can be had', async () => {
    const { launcher } = start({ launch: ['capacity', 'zone'] }, [offer('us-west-2a'), offer('us-west-2b')])
    expect(String(await failure(launcher.next()))).toContain(
      'g5.2xlarge in us-west-2a: capacity (capacity); g5.2xlarge in us-west-2b: zone (zone)',
    )
  })

  test('launches no fourth machine in the life of a lease', async () => {
    const { launcher, world } = start({}, [offer('a')])
    for (let count = 0; count < launchBreaker; count++) await launcher.next()
    expect(String(await failure(launcher.next()))).toContain('has launched 3 machines')
    expect(world.machines).toHaveLength(launchBreaker)
  })

  test('stops waiting when the job is cancelled, with the open intent on record', async () => {
    const controller = new AbortController()
    const { launcher, saved, world } = start(
      { launch: ['throttled', 'throttled', 'throttled'] },
      [offer('a')],
      controller.signal,
    )
    controller.abort(new Error('cancelled'))
    expect(String(await failure(launcher.next()))).toContain('cancelled')
    expect(world.calls).toHaveLength(0)
    expect(saved.attempts).toEqual([])
  })
})

const replies = fc.array(fc.constantFrom('ok' as const, 'lost' as const, 'unsent' as const, ...launchFaults), {
  maxLength: 40,
})

describe('launching, whatever the service answers', () => {
  test('every launched machine is named by an intent that was on record before its call, and there are at most three', async () => {
    await fc.assert(
      fc.asyncProperty(
        replies,
        fc.array(fc.constantFrom('ok' as const, 'fails' as const), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(0, 1_000, 20_000),
        fc.integer({ min: 0, max: 30 }),
        async (launch, find, offerCount, machinesWanted, hiddenMs, abortAfter) => {
          const controller = new AbortController()
          const offers = Array.from({ length: offerCount }, (_, index) => offer(`z${index}`))
          const { launcher, world, saved, unwritten } = start({ launch, find, hiddenMs }, offers, controller.signal)
          for (let count = 0; count < machinesWanted; count++) {
            if (world.calls.length >= abortAfter && abortAfter > 0) controller.abort(new Error('cancelled'))
            const launched = await launcher.next().catch(() => undefined)
            if (launched === undefined) break
          }
          const tokens = new Set(saved.attempts.map(attempt => attempt.token))
          expect(unwritten).toEqual([])
          expect(world.machines.every(machine => tokens.has(machine.token))).toBe(true)
          expect(world.machines.length).toBeLessThanOrEqual(launchBreaker)
          const offersByToken = new Map(world.calls.map(call => [call.token, call.offer]))
          expect(world.calls.every(call => offersByToken.get(call.token) === call.offer)).toBe(true)
          // A machine that no record knows as launched belongs to an attempt that whoever ends the lease looks up.
          for (const machine of world.machines) {
            const attempt = saved.attempts.find(({ token }) => token === machine.token)
            const isNamed = attempt?.outcome?.kind === 'launched'
            const isLookedUp =
              attempt?.outcome === null || attempt?.outcome?.kind === 'unknown' || (attempt?.calls ?? 0) > 1
            expect(isNamed || isLookedUp).toBe(true)
          }
        },
      ),
      { numRuns: 400 },
    )
  })
})
