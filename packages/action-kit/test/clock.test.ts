import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { poll, systemClock, type Clock } from '../src/ports/clock.ts'

/** A clock on which sleeping takes no time; keeps the pauses that were asked for. */
function jumpingClock(random = 0.5): Clock & { readonly pauses: number[] } {
  const pauses: number[] = []
  let now = 1_000_000
  return {
    pauses,
    now: () => now,
    random: () => random,
    sleep: (ms, signal) => {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
      pauses.push(ms)
      now += ms
      return Promise.resolve()
    },
  }
}

describe('poll', () => {
  test('answers at once when the first look finds something', async () => {
    const clock = jumpingClock()
    expect(await poll(clock, () => Promise.resolve('here'), { firstMs: 10, maxMs: 10, deadline: 0 })).toBe('here')
    expect(clock.pauses).toEqual([])
  })

  test('looks less and less often, up to the longest pause', async () => {
    const clock = jumpingClock()
    let looks = 0
    const ask = () => Promise.resolve(++looks === 7 ? looks : undefined)
    expect(await poll(clock, ask, { firstMs: 100, maxMs: 400, deadline: Infinity })).toBe(7)
    expect(clock.pauses).toEqual([100, 150, 225, 337.5, 400, 400])
  })

  test('falsy answers are answers', async () => {
    expect(await poll(jumpingClock(), () => Promise.resolve(0), { firstMs: 1, maxMs: 1, deadline: 0 })).toBe(0)
  })

  test('takes its last look on the deadline and then gives up', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          random: fc.double({ min: 0, max: 0.999, noNaN: true }),
          firstMs: fc.integer({ min: 1, max: 5_000 }),
          maxMs: fc.integer({ min: 1, max: 20_000 }),
          limit: fc.integer({ min: 0, max: 100_000 }),
        }),
        async ({ random, firstMs, maxMs, limit }) => {
          const clock = jumpingClock(random)
          const deadline = clock.now() + limit
          const looks: number[] = []
          const ask = () => {
            looks.push(clock.now())
            return Promise.resolve(undefined)
          }
          expect(await poll(clock, ask, { firstMs, maxMs: Math.max(firstMs, maxMs), deadline })).toBeUndefined()
          expect(Math.abs((looks.at(-1) ?? 0) - deadline)).toBeLessThan(1)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a clock that jumps past the deadline ends it after the look in hand', async () => {
    const clock = { ...jumpingClock(), sleep: () => Promise.resolve() }
    let now = 0
    let looks = 0
    const ask = () => {
      looks++
      now = looks === 2 ? 3_600_000 : now
      return Promise.resolve(undefined)
    }
    await poll({ ...clock, now: () => now }, ask, { firstMs: 100, maxMs: 100, deadline: 1_000 })
    expect(looks).toBe(2)
  })

  test('an abort ends it before the next look, with the reason that was given', async () => {
    const cancel = new AbortController()
    let looks = 0
    const ask = () => {
      looks++
      cancel.abort(new Error('the job was cancelled'))
      return Promise.resolve(undefined)
    }
    const options = { firstMs: 1, maxMs: 1, deadline: Infinity, signal: cancel.signal }
    await expect(poll(jumpingClock(), ask, options)).rejects.toThrow('the job was cancelled')
    expect(looks).toBe(1)
  })

  test('what the look throws goes to the caller', async () => {
    const ask = () => Promise.reject(new Error('denied'))
    await expect(poll(jumpingClock(), ask, { firstMs: 1, maxMs: 1, deadline: Infinity })).rejects.toThrow('denied')
  })
})

describe('the system clock', () => {
  test('wakes a sleeper with the reason of the abort', async () => {
    const cancel = new AbortController()
    const sleeping = systemClock.sleep(3_600_000, cancel.signal)
    cancel.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
  })

  test('does not begin to sleep on a signal that has already aborted', async () => {
    await expect(systemClock.sleep(3_600_000, AbortSignal.abort(new Error('over')))).rejects.toThrow('over')
  })
})
