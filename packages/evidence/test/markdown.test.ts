import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { cell, dash, fenced, figure, link, plain, table } from '../src/markdown.ts'

/** Undoes what a Markdown reader undoes: a backslash before punctuation. */
const shown = (markdown: string): string => markdown.replace(/\\([!-/:-@[-`{-~])/g, '$1')
/** With a letter for every escaped character. */
const bare = (markdown: string): string => markdown.replace(/\\[!-/:-@[-`{-~]/g, 'x')

describe('text from a record', () => {
  test.each([
    ['g5.2xlarge', 'g5.2xlarge'],
    ['2026-08-17T10:00:00Z', '2026-08-17T10:00:00Z'],
    ['NVIDIA A10G', 'NVIDIA A10G'],
    ['us-west-2b', 'us-west-2b'],
  ])('%s stays readable', (text, markdown) => {
    expect(plain(text)).toBe(markdown)
  })

  test.each([
    ['a | b', 'a \\| b'],
    ['<img src=x onerror=alert(1)>', '\\<img src=x onerror=alert\\(1\\)\\>'],
    ['[click](javascript:x)', '\\[click\\]\\(javascript:x\\)'],
    ['`code`', '\\`code\\`'],
    ['https://evil.example', 'https\\://evil.example'],
    ['see www.evil.example', 'see www\\.evil.example'],
    ['# heading', '\\# heading'],
    ['- item', '\\- item'],
    ['&lt;b&gt;', '\\&lt;b\\&gt;'],
    ['@octocat', '\\@octocat'],
    [':tada:', '\\:tada:'],
    ['$x^2$', '\\$x\\^2\\$'],
    ['a\n\n## b', 'a \\#\\# b'],
  ])('%j cannot become markup', (text, markdown) => {
    expect(plain(text)).toBe(markdown)
  })

  test('nothing in it keeps a meaning, whatever it is', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...Array.from('ab1.:/\\`*_{}[]()#!|<>~&@$^-+=\n\r\t "\'\u001b\u202e\u2028w')) })
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), hostile), text => {
        const markdown = plain(text)
        expect(bare(markdown)).not.toMatch(/[\\`*_{}[\]()#!|<>~&@$^]|:\/|^[-+=]|^\d+[.)](\s|$)|\p{Cc}|[\u202a-\u202e\u2028]/u)
      }),
    )
  })

  test('a reader sees the words that were there', () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from('abc19.:/\\`*_{}[]()#!|<>~&@$^-+="\'w')), maxLength: 100 })
    fc.assert(
      fc.property(word, text => {
        expect(shown(plain(text))).toBe(text)
      }),
    )
  })

  test('is cut when it is long, never within a character', () => {
    expect(plain('😀'.repeat(500))).toBe(`${'😀'.repeat(300)}…`)
  })
})

test('an unknown value is a dash and never 0', () => {
  expect([cell(null), cell(undefined), cell(''), figure(null), figure(Number.NaN), figure(undefined)]).toEqual(
    Array(6).fill(dash),
  )
  expect([cell(0), figure(0)]).toEqual(['0', '0'])
})

test.each([
  [1234.567, 4, '1235'],
  [412.3, 4, '412.3'],
  [0.01234567, 3, '0.0123'],
  [99_999.4, 4, '99999'],
  [-5.5, 3, '-5.50'],
])('%d with %d digits reads %s', (value, digits, text) => {
  expect(figure(value, digits)).toBe(text)
})

test('a hostile cell stays one cell', () => {
  expect(table([['a', 'b'], [cell('x | y\n| z |'), '1']]).split('\n')).toHaveLength(3) // prettier-ignore
})

test('a link leads to http addresses only', () => {
  expect(link('the [run]', 'https://github.com/org/x/actions/runs/1')).toBe(
    '[the \\[run\\]](https://github.com/org/x/actions/runs/1)',
  )
  for (const url of ['javascript:alert(1)', 'https://x/a) [b](c', 'https://x/<y>', 'data:text/html,x', '']) {
    expect(link('words', url)).toBe('words')
  }
})

test('no line of fenced code closes the fence', () => {
  const block = fenced('a\n````\n# free\u001b[2J')
  expect(block.startsWith('`````sh\n')).toBe(true)
  expect(block.endsWith('\n`````')).toBe(true)
  expect(block).not.toContain('\u001b')
})
