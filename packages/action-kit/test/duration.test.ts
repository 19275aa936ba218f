import { expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { formatDuration, parseDuration } from '../src/ports/duration.ts'

test.each([
  ['30s', 30_000],
  ['45m', 2_700_000],
  ['45', 2_700_000],
  ['1h30m', 5_400_000],
  ['2h', 7_200_000],
  ['1h0m5s', 3_605_000],
  ['0', 0],
])('%s is read', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', 'h', '1.5h', '30m1h', '-5m', '5 m', '1d', '1H', 'm30'])('%j is no duration', text => {
  expect(parseDuration(text)).toBeUndefined()
})

test.each([
  [0, '0s'],
  [400, '0.4s'],
  [1_000, '1s'],
  [9_940, '9.9s'],
  [9_960, '10s'],
  [59_600, '1m'],
  [95_000, '1m35s'],
  [3_600_000, '1h'],
  [3_605_000, '1h5s'],
])('%d ms reads %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('whole seconds survive being written and read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000 }), seconds => {
      expect(parseDuration(formatDuration(seconds * 1000))).toBe(seconds * 1000)
    }),
  )
})

test('what is shown is never further off than half of its last digit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 9_950, max: 100_000_000 }), ms => {
      expect(Math.abs((parseDuration(formatDuration(ms)) ?? Number.NaN) - ms)).toBeLessThanOrEqual(500)
    }),
  )
})

test('no text makes the reader throw or answer less than nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9hms]{0,8}$/)), text => {
      const ms = parseDuration(text)
      expect(ms === undefined || ms >= 0).toBe(true)
    }),
  )
})
