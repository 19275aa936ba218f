import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parsePairs, parsePaths } from '../src/file-commands.ts'

describe('file commands', () => {
  test('take name=value, with further equals signs in the value', () => {
    expect(parsePairs('a=1\n\nb=x=y\r\nc=')).toEqual([
      ['a', '1'],
      ['b', 'x=y'],
      ['c', ''],
    ])
  })

  test('take a heredoc, whose value may hold anything but its delimiter', () => {
    expect(parsePairs('a<<EOF\none\n=two\n\nEOF\nb=1\n')).toEqual([
      ['a', 'one\n=two\n'],
      ['b', '1'],
    ])
    expect(parsePairs('a<<EOF\nEOF')).toEqual([['a', '']])
    expect(parsePairs('a<<EOF\r\none\r\nEOF\r\n')).toEqual([['a', 'one']])
  })

  test('an equals sign before the arrows is a plain value', () => {
    expect(parsePairs('a=b<<c')).toEqual([['a', 'b<<c']])
  })

  test.each([
    ['a delimiter that is not found', 'a<<EOF\nvalue\n', 'Matching delimiter not found'],
    ['a value whose last line has no newline', 'a<<EOF\nvalueEOF', 'Matching delimiter not found'],
    ['no name', '=x', 'Name must not be empty'],
    ['no name before a heredoc', '<<EOF\nx\nEOF\n', 'Name must not be empty'],
    ['no delimiter', 'a<<\nx\n', 'delimiter must not be empty'],
    ['no equals sign', 'text', "Invalid format 'text'"],
  ])('refuse %s', (_, text, message) => {
    expect(() => parsePairs(text)).toThrow(message)
  })

  test('give back what a heredoc with a fresh delimiter was given', () => {
    const name = fc.stringMatching(/^[a-z_-]{1,8}$/)
    const value = fc.string({ unit: fc.constantFrom('a', '=', '<', '\n', '\r\n', ' ', 'EOF') })
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), pairs => {
        const text = pairs.map(([key, content]) => `${key}<<~delimiter~\n${content}\n~delimiter~\n`).join('')
        expect(parsePairs(text)).toEqual(pairs)
      }),
    )
  })

  test('paths are one a line', () => {
    expect(parsePaths('/a\n\n /b c \r\n')).toEqual(['/a', '/b c'])
  })
})
