import { describe, expect, test } from '@jest/globals'
import { serviceClock } from '../src/index.ts'

describe("the service's clock", () => {
  const local = Date.parse('2026-11-22T12:00:00Z')

  test('is the local one until a reply has come', () => {
    expect(serviceClock(() => local).now()).toBe(local)
  })

  test('follows the Date header of replies when the local clock is wrong', () => {
    const clock = serviceClock(() => local)
    clock.observe('Sun, 22 Nov 2026 14:00:00 GMT')
    expect(Math.abs(clock.now() - Date.parse('2026-11-22T14:00:00Z'))).toBeLessThanOrEqual(1000)
  })

  test('ignores a difference below the resolution of the header, and anything that is no date', () => {
    const clock = serviceClock(() => local)
    clock.observe('Sun, 22 Nov 2026 12:00:00 GMT')
    clock.observe('soon')
    clock.observe(undefined)
    expect(clock.now()).toBe(local)
  })
})
