import { describe, expect, test } from '@jest/globals'
import { fixedParts, isQuoted, isSaid, sentencesOf } from '../src/contracts/sentences.ts'

const source = String.raw`
  throw new UserFault('It\'s wrong', ['input: is wrong'])
  throw new OutsideFault({ what: ${'`'}Ending ${'${'}ids.join(', ')${'}'} failed: ${'${'}a ? ${'`'}b${'`'} : ''${'}'}${'`'}, advice: 'Do something.' })
  const fault = new OutsideFault({
    what: [
      ${'`'}${'${'}count${'}'} are left${'`'},
`

describe('sentencesOf', () => {
  test('takes the first literal of each failure, whole, and no advice', () => {
    expect(sentencesOf(source)).toEqual([
      String.raw`It\'s wrong`,
      "Ending ${ids.join(', ')} failed: ${a ? `b` : ''}",
      '${count} are left',
    ])
  })

  test('finds none where a sentence is made elsewhere', () => {
    expect(sentencesOf('new OutsideFault({ what: words, advice })')).toEqual([])
  })
})

test('fixedParts gives what does not differ, the longest first', () => {
  expect(fixedParts("Ending ${ids.join(', ')} failed again: ${a ? `{b}` : ''}")).toEqual(['failed again:', 'Ending'])
  expect(fixedParts(String.raw`It\'s wrong`)).toEqual(["It's wrong"])
  expect(fixedParts('${a}: ${b}')).toEqual([])
})

test('isSaid joins pieces where a literal or a fixed part ends, and nowhere else', () => {
  const code = "const why = ['is locked for a while', 'Wait.']; say(`Logging in to ${pool} failed: ${why}; twice`)"
  expect(isSaid('Logging in to', code)).toBe(true)
  expect(isSaid('failed: is locked for a while; twice', code)).toBe(true)
  expect(isSaid('failed: is locked for ever', code)).toBe(false)
  expect(isSaid('Logging is locked for a while', code)).toBe(false)
  expect(isSaid('failed: locked for a while', code)).toBe(false)
})

test('isQuoted knows a sentence by what is the same in it each time', () => {
  const sentence = '${id} (${type}) ended while it was starting: ${code}\\nLast answer: ${reason}'
  expect(isQuoted(sentence, ['… ended while it was starting: Client.InternalError'])).toBe(true)
  expect(isQuoted(sentence, ['… ended', '… while it was starting'])).toBe(true)
  expect(isQuoted(sentence, ['… did not come within …', '…: …'])).toBe(false)
  expect(isQuoted('${what}: ${why}', [])).toBe(true)
})
