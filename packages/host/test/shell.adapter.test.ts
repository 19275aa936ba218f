import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { execScript, quote } from '../src/shell.ts'

const sh = (script: string): string => execFileSync('/bin/sh', ['-c', script]).toString()
const odd = fc.constantFrom(
  "'",
  '"',
  '\\',
  '$',
  '`',
  '{',
  '}',
  '\n',
  '\r',
  ' ',
  '!',
  '*',
  '~',
  '-',
  'ä',
  '\u001b',
  '😀',
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).filter(value => !value.includes('\0')),
  fc.string({ unit: odd, maxLength: 20 }),
)

describe('what a real shell makes of quoted text', () => {
  test('is the same text, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), words => {
        expect(sh(`printf '%s\\0' ${words.map(quote).join(' ')}`)).toBe(words.map(word => `${word}\0`).join(''))
      }),
      { numRuns: 100 },
    )
  })

  test('reaches a program through variables and arguments', () => {
    fc.assert(
      fc.property(text, text, (value, argument) => {
        const command = ['sh', '-c', 'printf "%s\\0%s" "$ODD" "$1"', 'sh', argument]
        expect(sh(execScript({ command, environment: { ODD: value } }))).toBe(`${value}\0${argument}`)
      }),
      { numRuns: 50 },
    )
  })
})
