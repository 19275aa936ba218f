import { describe, expect, test } from '@jest/globals'
import { execScript, quote } from '../src/shell.ts'

describe('quote', () => {
  test('leaves plain words as they are', () => {
    expect(quote('/opt/pytorch/bin/python')).toBe('/opt/pytorch/bin/python')
  })

  test('never lets the Systems Manager see a parameter to replace', () => {
    expect(quote('{{ssm:secret}} and {{{x')).not.toContain('{{')
  })

  test('refuses NUL, which no argument can hold', () => {
    expect(() => quote('a\0b')).toThrow(RangeError)
  })
})

describe('execScript', () => {
  test('is readable: variables, folder, program', () => {
    const script = execScript({
      command: ['python3', '-c', "print('x')"],
      environment: { SIZE: '64 px' },
      workingDirectory: '/srv/my work',
    })
    expect(script).toBe(`export SIZE='64 px'\ncd '/srv/my work' || exit 127\nexec python3 -c 'print('\\''x'\\'')'\n`)
  })

  test('refuses an empty command and variables that sh cannot name', () => {
    expect(() => execScript({ command: [] })).toThrow(RangeError)
    expect(() => execScript({ command: ['true'], environment: { 'a b': '1' } })).toThrow(/a b/)
  })
})
