import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { launchFaults, mayHaveMachine, type LaunchFault } from '../src/index.ts'
import { attempt, offer } from './fixtures/examples.ts'
import { failure, startLaunch } from './fixtures/launching.ts'
import { jumpingClock } from './fixtures/jumping-clock.ts'

const six = ['a', 'b', 'c', 'd', 'e', 'f'].map(zone => offer(zone))
const dry = () => 'capacity' as const
const minutes = 60_000

const adviceIn = (error: unknown): string => (error instanceof OutsideFault ? error.advice : '')

describe('waiting for capacity', () => {
  test('has the machine within seconds of the moment at which the sixth of six offers comes free', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }), async draws => {
        let drawn = 0
        const random = (): number => draws[drawn++ % draws.length] ?? 0
        const clock = jumpingClock(undefined, random)
        const freeAt = clock.now() + 40_000
        const { launcher, world } = startLaunch(
          { answer: (one, now) => (one.zone === 'f' && now >= freeAt ? 'ok' : 'capacity') },
          six,
          { clock, maxWaitMs: 10 * minutes },
        )
        expect((await launcher.next()).offer.zone).toBe('f')
        expect(clock.now() - freeAt).toBeLessThan(8_000)
        expect(world.machines).toHaveLength(1)
      }),
      { numRuns: 25 },
    )
  })

  test('sends no more than five calls at once and two a second, whatever the jitter draws', async () => {
    for (const draw of [0, 0.5, 0.999]) {
      const { launcher, world, elapsed } = startLaunch({ answer: dry }, six, {
        maxWaitMs: 10 * minutes,
        random: () => draw,
      })
      await failure(launcher.next())
      const times = world.calls.map(call => call.at)
      for (const [from, first] of times.entries()) {
        const within = times.slice(from).filter(time => time - first < 10_000).length
        expect(within).toBeLessThanOrEqual(5 + 2 * 10)
      }
      expect(elapsed()).toBeGreaterThanOrEqual(10 * minutes)
      expect(elapsed()).toBeLessThan(10 * minutes + 5_000)
    }
  })

  test('is one round when there is no time to wait', async () => {
    const { launcher, world } = startLaunch({ answer: dry }, six)
    const error = await failure(launcher.next())
    expect(world.calls).toHaveLength(6)
    expect(String(error)).toContain('No capacity: none of 6 offers could be had in one round')
    expect(adviceIn(error)).toContain('max-wait')
  })

  test('says what was tried, how often and for how long, when the time is up', async () => {
    const { launcher } = startLaunch({ answer: dry }, six.slice(0, 2), { maxWaitMs: 2 * minutes })
    expect(String(await failure(launcher.next()))).toMatch(
      /No capacity: none of 2 offers could be had in \d+ rounds over 2m\w*\. Tried: g5\.2xlarge in a: capacity \(capacity\), \d+ times; g5\.2xlarge in b: capacity/,
    )
  })

  test('tells of the wait about every fifteen seconds, and not of every attempt', async () => {
    const { launcher, said } = startLaunch({ answer: dry }, six, { maxWaitMs: 5 * minutes })
    await failure(launcher.next())
    const rounds = said.filter(({ line }) => line.startsWith('Round '))
    expect(rounds[0]?.line).toMatch(
      /^Round 1: nothing free among 6 offers; next look in \d\.\ds, waiting until 2026-11-22T12:05:00\.000Z$/,
    )
    for (const [index, { at }] of rounds.slice(1).entries()) {
      expect(at - (rounds[index]?.at ?? 0)).toBeGreaterThanOrEqual(15_000)
    }
    expect(rounds.length).toBeGreaterThan(8)
    expect(said.length).toBeLessThan(rounds.length + 2 * six.length + 2)
  })

  test('ends at once when the job is cancelled while it waits', async () => {
    const controller = new AbortController()
    const clock = jumpingClock()
    const sleep = async (_: number, signal?: AbortSignal): Promise<void> => {
      controller.abort(new Error('cancelled'))
      signal?.throwIfAborted()
      throw new Error('a wait that cannot be cancelled')
    }
    const { launcher, world, elapsed } = startLaunch({ answer: dry }, six.slice(0, 2), {
      maxWaitMs: 10 * minutes,
      signal: controller.signal,
      clock: { ...clock, sleep },
    })
    expect(String(await failure(launcher.next()))).toContain('cancelled')
    expect(world.calls).toHaveLength(2)
    expect(elapsed()).toBeLessThan(1_000)
  })

  test('lets the time limit begin at the launch, not while it queues', async () => {
    const clock = jumpingClock()
    const start = clock.now()
    const { launcher, world } = startLaunch({ answer: (_, now) => (now - start >= 100_000 ? 'ok' : 'capacity') }, six, {
      clock,
      maxWaitMs: 10 * minutes,
    })
    const { attempt: made } = await launcher.next()
    expect(Date.parse(made.expiresAt ?? '')).toBeGreaterThanOrEqual(start + 2_700_000 + 95_000)
    expect(world.calls.at(-1)?.expiresAt).toBe(Date.parse(made.expiresAt ?? ''))
  })

  test('gives every attempt its round', async () => {
    const { launcher, saved } = startLaunch({ launch: ['capacity', 'capacity', 'capacity'] }, six.slice(0, 2), {
      maxWaitMs: minutes,
    })
    await launcher.next()
    expect(saved.attempts.map(({ number, round }) => [number, round])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
      [4, 2],
    ])
  })
})

describe('the class of a refusal', () => {
  const tried = async (fault: LaunchFault) => {
    const begun = startLaunch({ answer: one => (one.zone === 'a' ? fault : 'capacity') }, six.slice(0, 2), {
      maxWaitMs: minutes,
    })
    const error = await failure(begun.launcher.next())
    return { ...begun, error, triesOfA: begun.world.calls.filter(call => call.offer.zone === 'a').length }
  }

  test.each(['zone', 'price'] as const)('%s drops the offer for good', async fault => {
    expect((await tried(fault)).triesOfA).toBe(1)
  })

  test.each(['capacity', 'subnet'] as const)('%s lets later rounds try the offer again', async fault => {
    expect((await tried(fault)).triesOfA).toBeGreaterThan(5)
  })

  test('quota drops every offer of the same limit in the region, and none of another', async () => {
    const [spot, family] = ['L-3819A6DF', 'L-DB2E81BA']
    const region = { account: '123456789012', region: 'us-east-1' }
    const offers = [
      offer('a', { quota: spot, market: 'spot' }),
      offer('b', { quota: spot, market: 'spot', instanceType: 'vt1.3xlarge' }),
      offer('c', { quota: family, market: 'spot' }),
      offer('d', { quota: spot, market: 'spot', place: region }),
    ]
    const { launcher, world } = startLaunch({ answer: one => (one.quota === spot ? 'quota' : 'capacity') }, offers)
    await failure(launcher.next())
    expect(world.calls.map(call => call.offer.zone)).toEqual(['a', 'c', 'd'])
  })

  test('quota alone ends the wait with a sentence of its own, and one call', async () => {
    const { launcher, world, elapsed } = startLaunch({ answer: () => 'quota' }, six, { maxWaitMs: 10 * minutes })
    expect(String(await failure(launcher.next()))).toContain('The quota is used up')
    expect(world.calls).toHaveLength(1)
    expect(elapsed()).toBeLessThan(1_000)
  })

  test.each([
    ['denied', 'is not allowed'],
    ['invalid', 'cannot work as it was asked for'],
    ['account', 'The account cannot launch'],
    ['credentials', 'are not accepted'],
    ['token', 'was used before'],
  ] as const)('%s stops at once, in whatever round, with a sentence of its own', async (fault, sentence) => {
    const { launcher, world } = startLaunch({ launch: ['capacity', 'capacity', fault] }, six.slice(0, 2), {
      maxWaitMs: 10 * minutes,
    })
    expect(String(await failure(launcher.next()))).toContain(sentence)
    expect(world.calls).toHaveLength(3)
  })

  test('throttled is sat out until the deadline, with one token and one attempt', async () => {
    const { launcher, world, saved, elapsed } = startLaunch({ answer: () => 'throttled' }, six, {
      maxWaitMs: 5 * minutes,
    })
    expect(String(await failure(launcher.next()))).toContain('too many calls')
    expect(new Set(world.calls.map(call => call.token)).size).toBe(1)
    expect(saved.attempts).toHaveLength(1)
    expect(saved.attempts.some(mayHaveMachine)).toBe(false)
    expect(elapsed()).toBeGreaterThanOrEqual(5 * minutes - 10_000)
    expect(elapsed()).toBeLessThan(5 * minutes + 11_000)
  })

  test('throttled is sat out for a moment even when capacity is not waited for', async () => {
    const { launcher, world } = startLaunch({ launch: ['throttled', 'throttled', 'throttled'] }, six)
    await launcher.next()
    expect(world.machines).toHaveLength(1)
  })

  test('throttled lets the time limit begin later, but not once a call may have arrived', async () => {
    const later = startLaunch({ launch: ['throttled', 'throttled'] }, six)
    await later.launcher.next()
    expect(new Set(later.world.calls.map(call => call.expiresAt)).size).toBe(3)
    const open = startLaunch({ launch: ['unsent', 'throttled', 'throttled'] }, six)
    await open.launcher.next()
    expect(new Set(open.world.calls.map(call => call.expiresAt)).size).toBe(1)
    expect(later.unwritten).toEqual([])
  })

  test('names the quota in the advice when the others had no capacity', async () => {
    const offers = [offer('a', { quota: 'L-1' }), offer('b', { quota: 'L-2' })]
    const { launcher } = startLaunch({ answer: one => (one.zone === 'a' ? 'quota' : 'capacity') }, offers)
    expect(adviceIn(await failure(launcher.next()))).toContain('left out for a quota')
  })
})

describe('a machine that ended before it could be used', () => {
  test('makes the next offer the next one, and its own offer one of a later round', async () => {
    const { launcher, world } = startLaunch({ launch: ['ok', 'capacity', 'ok'] }, six.slice(0, 2), {
      maxWaitMs: minutes,
    })
    const { offer: first } = await launcher.next()
    launcher.drop(first)
    expect((await launcher.next()).offer.zone).toBe('a')
    expect(world.calls.map(call => call.offer.zone)).toEqual(['a', 'b', 'a'])
  })

  test('takes every offer of its quota with it when a quota ended it', async () => {
    const { launcher } = startLaunch({}, six, { maxWaitMs: minutes })
    const { offer: first } = await launcher.next()
    launcher.drop(first, 'quota')
    expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
  })
})

describe('what a later step must know of', () => {
  const refused = { kind: 'refused', fault: 'capacity', code: 'c', message: 'm', advice: 'a', requestId: null } as const
  test.each([
    ['no answer so far', attempt(1, null), true],
    ['a launch', attempt(1, { kind: 'launched', machines: ['m-1'] }), true],
    ['an unknown outcome', attempt(1, { kind: 'unknown', message: 'lost' }), true],
    ['a refusal of the only call', attempt(1, refused), false],
    ['a refusal after another call', attempt(1, refused, offer('a'), 2), true],
    ['a refusal after calls that were all answered', { ...attempt(1, refused, offer('a'), 9), lostCalls: 0 }, false],
    ['a refusal after a call without an answer', { ...attempt(1, refused, offer('a'), 9), lostCalls: 1 }, true],
  ] as const)('%s', (_, one, expected) => expect(mayHaveMachine(one)).toBe(expected))

  test('does not grow with refusals', async () => {
    const { launcher, saved } = startLaunch({ answer: dry }, six, { maxWaitMs: 10 * minutes })
    await failure(launcher.next())
    expect(saved.attempts.length).toBeGreaterThan(200)
    expect(saved.attempts.filter(mayHaveMachine)).toEqual([])
  })

  test('every class of fault is either waited for, dropped or final', async () => {
    for (const fault of launchFaults) {
      const { launcher, elapsed } = startLaunch({ answer: () => fault }, six, { maxWaitMs: minutes })
      expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
      expect(elapsed()).toBeLessThan(2 * minutes)
    }
  })
})
