import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createLineReader } from '../src/commands.ts'

describe('lines of a step', () => {
  test('a command carries its properties and data unescaped', () => {
    const read = createLineReader()
    expect(read('::error title=A%3A b%2C c,file=x.ts::50%25%0Agone')).toEqual({
      kind: 'command',
      name: 'error',
      properties: { title: 'A: b, c', file: 'x.ts' },
      data: '50%\ngone',
    })
  })

  test('a command may be indented', () => {
    expect(createLineReader()('  ::group::one')).toMatchObject({ kind: 'command', name: 'group', data: 'one' })
  })

  test.each([
    '::set-output name=x::1',
    '::save-state name=x::1',
    '::unknown::x',
    'text ::error::x',
    '::error',
    ':: error::x',
  ])('%s is only text', line => {
    expect(createLineReader()(line)).toEqual({ kind: 'text', text: line })
  })

  test('between stop-commands and its token everything is text', () => {
    const read = createLineReader()
    read('::stop-commands::token-1')
    expect(read('::add-mask::x')).toEqual({ kind: 'text', text: '::add-mask::x' })
    expect(read('::stop-commands::token-2')).toEqual({ kind: 'text', text: '::stop-commands::token-2' })
    expect(read('::other::')).toEqual({ kind: 'text', text: '::other::' })
    read('::token-1::')
    expect(read('::add-mask::x')).toMatchObject({ kind: 'command', name: 'add-mask' })
  })

  test('a command is no token to stop with', () => {
    const read = createLineReader()
    expect(read('::stop-commands::error')).toMatchObject({ kind: 'command', name: 'error' })
    expect(read('::warning::x')).toMatchObject({ kind: 'command', name: 'warning' })
  })

  test('no text can end a stop without the token', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), lines => {
        const read = createLineReader()
        read('::stop-commands::the-secret-token')
        for (const line of lines) expect(read(line)).toEqual({ kind: 'text', text: line })
        for (const line of lines) expect(read(`::${line}::${line}`).kind).toBe('text')
      }),
    )
  })

  test('data that was escaped as GitHub escapes it comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('%', '\n', '\r', 'a', '0', 'A', ':', '2', '5', 'D') }), data => {
        const escaped = data.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
        expect(createLineReader()(`::notice::${escaped}`)).toMatchObject({ data })
      }),
    )
  })
})
