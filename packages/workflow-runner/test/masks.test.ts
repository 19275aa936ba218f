import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createMasks } from '../src/masks.ts'

const masksOf = (...values: string[]) => {
  const masks = createMasks()
  for (const value of values) masks.add(value)
  return masks
}

describe('masks', () => {
  test('hide a value wherever it stands', () => {
    expect(masksOf('hunter2').hide('a hunter2, hunter2!')).toBe('a ***, ***!')
  })

  test('hide each line of a value that has several, trimmed', () => {
    const masks = masksOf('first\n  second  \r\nthird')
    expect(masks.hide('first|second|third')).toBe('***|***|***')
  })

  test('show one stretch for values that overlap or touch', () => {
    expect(masksOf('abc', 'cde').hide('xabcdex')).toBe('x***x')
    expect(masksOf('abc', 'def').hide('abcdef')).toBe('***')
  })

  test.each([
    ['JSON', '{"k":"p\\"w\\\\d"}'],
    ['a URI', 'https://host/?k=p%22w%5Cd'],
    ['XML', '<k>p&quot;w\\d</k>'],
  ])('hide a value inside %s', (_, text) => {
    expect(masksOf('p"w\\d').hide(text)).toContain('***')
  })

  test('hide a value inside base64 at any alignment', () => {
    const masks = masksOf('a-long-enough-secret')
    for (const prefix of ['', 'x', 'xy']) {
      const encoded = Buffer.from(`${prefix}a-long-enough-secret`).toString('base64')
      expect(masks.hide(encoded)).toContain('***')
    }
  })

  test('tell whether a text holds anything masked', () => {
    expect(masksOf('123456789012').touches('arn:aws:iam::123456789012:role/x')).toBe(true)
    expect(masksOf('123456789012').touches('arn')).toBe(false)
  })

  test('ignore an empty value', () => {
    expect(masksOf('', '\n').hide('text')).toBe('text')
  })

  test('leave no masked value in any text', () => {
    // Without asterisks, so that the replacement itself never forms a value.
    const word = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b', 'c', '"', '\\', '&', ' x') })
    const shownIn = (values: readonly string[], texts: readonly string[]) => {
      const hidden = masksOf(...values).hide([...texts, ...values].join(''))
      return values.filter(value => value.trim() !== '' && hidden.includes(value))
    }
    const words = fc.array(word, { maxLength: 4 })
    fc.assert(fc.property(words, words, (values, texts) => expect(shownIn(values, texts)).toEqual([])))
    expect(shownIn(['a'], ['b'])).toEqual([])
  })
})
