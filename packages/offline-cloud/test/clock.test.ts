import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createClock, type CloudClock } from '../src/clock.ts'

const clocks: CloudClock[] = []
const still = (): CloudClock => {
  const clock = createClock(() => 1_000_000)
  clocks.push(clock)
  return clock
}
afterEach(() => clocks.splice(0).forEach(clock => clock.stop()))

describe('the clock of the cloud', () => {
  test('runs what falls due in its order, each at its own moment', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 20 }), delays => {
        const clock = still()
        const start = clock.now()
        const seen: number[] = []
        for (const delay of delays) clock.after(delay, () => seen.push(clock.now() - start))
        clock.advance(50_000)
        expect(seen).toEqual(delays.filter(delay => delay <= 50_000).sort((a, b) => a - b))
        expect(clock.now()).toBe(start + 50_000)
        clock.stop()
      }),
    )
  })

  test('runs what was set off on the way, too', () => {
    const clock = still()
    const seen: string[] = []
    clock.after(1000, () => {
      seen.push('running')
      clock.after(1000, () => seen.push('registered'))
    })
    clock.advance(1999)
    expect(seen).toEqual(['running'])
    clock.advance(1)
    expect(seen).toEqual(['running', 'registered'])
  })

  test('forgets what was called off', () => {
    const clock = still()
    const seen: string[] = []
    const callOff = clock.after(10, () => seen.push('no'))
    callOff()
    clock.advance(100)
    expect(seen).toEqual([])
  })

  test('tells its listeners that it was moved', () => {
    const clock = still()
    const seen: number[] = []
    clock.onAdvance(() => seen.push(clock.now()))
    clock.advance(5000)
    expect(seen).toEqual([1_005_000])
  })

  test('runs what falls due at the same moment in the order in which it was set off, without what was called off', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ delay: fc.integer({ min: 0, max: 5 }), isCalledOff: fc.boolean() }), { maxLength: 60 }),
        entries => {
          const clock = still()
          const seen: number[] = []
          const offs = entries.map(({ delay }, index) => clock.after(delay, () => seen.push(index)))
          entries.forEach(({ isCalledOff }, index) => isCalledOff && offs[index]?.())
          clock.advance(5)
          const wanted = entries.map((entry, index) => ({ ...entry, index })).filter(({ isCalledOff }) => !isCalledOff)
          expect(seen).toEqual(wanted.sort((a, b) => a.delay - b.delay).map(({ index }) => index))
          clock.stop()
        },
      ),
    )
  })

  test('keeps a hundred thousand pending things without strain', () => {
    const clock = still()
    let ran = 0
    const began = performance.now()
    for (let index = 0; index < 100_000; index += 1) clock.after((index * 7919) % 100_000, () => (ran += 1))
    clock.advance(100_000)
    expect(ran).toBe(100_000)
    // Seconds on this computer where every step looks at all of them.
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})
