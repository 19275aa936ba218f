import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { launchBreaker, launchFaults, mayHaveMachine } from '../src/index.ts'
import { offer } from './fixtures/examples.ts'
import { startLaunch } from './fixtures/launching.ts'

const replies = fc.array(fc.constantFrom('ok' as const, 'lost' as const, 'unsent' as const, ...launchFaults), {
  maxLength: 60,
})
const maxWaits = [0, 20_000, 120_000] as const

describe('launching, whatever the service answers', () => {
  test('every machine is known to an intent that was on record before its call; there is one for a token and three in all', async () => {
    await fc.assert(
      fc.asyncProperty(
        replies,
        fc.constantFrom('ok' as const, 'capacity' as const, 'throttled' as const, 'unsent' as const, 'lost' as const),
        fc.array(fc.constantFrom('ok' as const, 'fails' as const), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom(...maxWaits),
        fc.constantFrom(0, 1_000, 20_000),
        fc.integer({ min: 0, max: 30 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (launch, afterwards, find, offerCount, maxWaitMs, hiddenMs, abortAfter, draw) => {
          const controller = new AbortController()
          const offers = Array.from({ length: offerCount }, (_, index) => offer(`z${index}`))
          let count = 0
          const { launcher, world, saved, unwritten, elapsed } = startLaunch(
            { answer: () => launch[count++] ?? afterwards, find, hiddenMs },
            offers,
            { maxWaitMs, signal: controller.signal, random: () => draw },
          )
          // Whoever goes on after a failure, after a drop or without one, gets no fourth machine either.
          for (let turn = 0; turn < 6; turn++) {
            if (abortAfter > 0 && world.calls.length >= abortAfter) controller.abort(new Error('cancelled'))
            const launched = await launcher.next().catch(() => undefined)
            if (launched !== undefined && turn % 2 === 0) launcher.drop(launched.offer)
          }
          expect(unwritten).toEqual([])
          expect(world.machines.length).toBeLessThanOrEqual(launchBreaker)
          expect(new Set(world.machines.map(machine => machine.token)).size).toBe(world.machines.length)
          for (const machine of world.machines) {
            const attempt = saved.attempts.find(({ token }) => token === machine.token)
            expect(attempt !== undefined && mayHaveMachine(attempt)).toBe(true)
          }
          const first = new Map(world.calls.map(call => [call.token, call]))
          expect(world.calls.every(call => first.get(call.token)?.offer === call.offer)).toBe(true)
          expect(world.calls.length).toBeLessThanOrEqual(5 + 2 * (elapsed() / 1000) + 1)
          // Six turns, each at most a wait, a throttling and calls that are not answered.
          expect(elapsed()).toBeLessThan(maxWaitMs + 6 * 120_000)
        },
      ),
      { numRuns: 200 },
    )
  })
})
