import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { exchangeOf, replyReader } from '../src/ssh-exchange.ts'

/** The bytes in pieces, cut at these places. */
const pieces = (bytes: Buffer, cuts: readonly number[]): readonly Buffer[] => {
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

describe('the reply of a script', () => {
  const mark = 'a'.repeat(32)
  const printed = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    // What looks like the beginning of the mark must not confuse.
    fc
      .array(fc.constantFrom('\n', 'a', mark, ` 7\n`, `\n${mark.slice(1)} 7\n`, 'ä'), { maxLength: 12 })
      .map(parts => parts.join('').replaceAll(new RegExp(`\n${mark} \\d`, 'g'), '.')),
  )

  test('is the same wherever it was cut, and what follows it does not count', () => {
    fc.assert(
      fc.property(
        printed,
        fc.integer({ min: 0, max: 255 }),
        fc.array(fc.nat()),
        fc.nat(300),
        fc.string(),
        (text, exitCode, cuts, limit, after) => {
          const reader = replyReader(mark, limit)
          const whole = Buffer.from(text)
          for (const piece of pieces(Buffer.from(`${text}\n${mark} ${exitCode}\n${after}`), cuts)) reader.add(piece)
          expect(reader.ended()).toEqual({ exitCode, output: new TextDecoder().decode(whole.subarray(0, limit)) })
        },
      ),
    )
  })

  test('has no end before the last byte of its mark', () => {
    fc.assert(
      fc.property(printed, fc.array(fc.nat()), fc.nat(), (text, cuts, cutOff) => {
        const whole = Buffer.from(`${text}\n${mark} 0\n`)
        const reader = replyReader(mark, 1_000)
        for (const piece of pieces(whole.subarray(0, whole.length - 1 - (cutOff % whole.length)), cuts))
          reader.add(piece)
        expect(reader.ended()).toBeUndefined()
      }),
    )
  })
})

describe('an exchange', () => {
  test('has nothing of the script in its command line', () => {
    const { command, head } = exchangeOf('echo canary', 0)
    expect(command).not.toContain('canary')
    expect(head.toString()).toContain('echo canary')
  })

  test('has a mark that no earlier one tells', () => {
    expect(exchangeOf('true', 0).mark).not.toBe(exchangeOf('true', 0).mark)
  })
})
