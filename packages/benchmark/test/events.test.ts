import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { lineReader, readLine, type Line } from '../src/events.ts'
import {
  block,
  environment,
  lines,
  plan,
  result,
  spotNotice,
  telemetry,
  throttled,
  twoRanks,
  wholeRun,
  xid,
} from './told.ts'

const readAll = (pieces: readonly string[]): readonly Line[] => {
  const reader = lineReader()
  return [...pieces.flatMap(piece => reader.push(piece)), ...reader.end()]
}

const textsOf = (read: readonly Line[]): readonly string[] =>
  read.flatMap(line => (line.kind === 'text' ? [line.text] : []))

/** Text cut at random places. */
const torn = (text: string): fc.Arbitrary<readonly string[]> =>
  fc.array(fc.nat(text.length), { maxLength: 30 }).map(cuts => {
    const places = [0, ...cuts.sort((a, b) => a - b), text.length]
    return places.slice(1).map((end, index) => text.slice(places[index], end))
  })

describe('the stream of a host', () => {
  test('gives the same lines however it is torn', () => {
    const text = `a library's greeting\n${lines(wholeRun)}no newline at the end`
    const whole = readAll([text])
    fc.assert(fc.property(torn(text), pieces => expect(readAll(pieces)).toEqual(whole)))
    expect(whole.filter(line => line.kind === 'event')).toHaveLength(wholeRun.length)
    expect(textsOf(whole)).toEqual(["a library's greeting", 'no newline at the end'])
  })

  test('loses no text and throws at nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), pieces => {
        const texts = textsOf(readAll(pieces))
        expect(texts.join('\n').replaceAll('\r', '')).toBe(pieces.join('').replace(/\n$/, '').replaceAll('\r', ''))
      }),
    )
  })

  test('is read with events between other lines', () => {
    fc.assert(
      fc.property(fc.array(fc.string().filter(text => !/[\n\r]/.test(text) && text !== '')), foreign => {
        const read = readAll([foreign.map(text => `${text}\n${JSON.stringify(plan)}\n`).join('')])
        expect(textsOf(read)).toEqual(foreign)
        expect(read).toHaveLength(2 * foreign.length)
      }),
    )
  })

  test('is handed over in pieces when it never ends a line', () => {
    const reader = lineReader()
    const piece = 'x'.repeat(1024 * 1024)
    const read = Array.from({ length: 40 }, () => reader.push(piece)).flat()
    expect(read.length).toBeGreaterThanOrEqual(2)
  })
})

describe('a line', () => {
  test('that is exactly an event is one, in camel case', () => {
    expect(readLine(JSON.stringify(block(3, [1.5])))).toEqual({
      kind: 'event',
      event: { event: 'block', index: 3, of: 5, stepMs: [1.5], wallMs: 1.5, lossFirst: 7, lossLast: 3 },
    })
  })

  test('keeps the names of environment variables', () => {
    const line = readLine(JSON.stringify(environment))
    expect(line).toMatchObject({ event: { flags: { OMP_NUM_THREADS: '2' }, torch: { gitVersion: 'd0f2af8' } } })
  })

  test.each([
    ['what the host says of itself', [telemetry, throttled, xid, spotNotice]],
    ['a run on two GPUs', twoRanks()],
  ])('of %s is an event', (_, events) => {
    for (const event of events) expect(readLine(JSON.stringify(event))).toMatchObject({ kind: 'event' })
  })

  test('has null for what telemetry could not read', () => {
    expect(readLine(JSON.stringify(telemetry))).toMatchObject({
      event: { gpus: [{ smClockMhz: null, pcieWidth: null }, { utilization: null }], memoryUsedBytes: null },
    })
  })

  test.each([
    ['a step time that is not positive', { ...block(1), step_ms: [0] }],
    ['a block without steps', { ...block(1), step_ms: [] }],
    ['a result without a clock', { ...result, clock: undefined }],
    ['a CPU with the name of a GPU', { ...plan, device: { backend: 'cpu', name: 'NVIDIA H100' } }],
    ['an unknown event', { event: 'set-output' }],
  ])('with %s is text', (_, event) => {
    expect(readLine(JSON.stringify(event)).kind).toBe('text')
  })

  test('is an event after text that lacked its newline', () => {
    expect(readLine(`Downloading 100 %${JSON.stringify(plan)}`).kind).toBe('event')
  })

  test('carries no control characters of the host into what is shown', () => {
    const line = readLine(
      JSON.stringify({ event: 'error', kind: 'internal', message: 'a\n::error::b\u001b[2J', faults: [] }),
    )
    expect(line).toMatchObject({ event: { message: 'a ::error::b [2J' } })
  })
})
