import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { dialectWith, referenceDialect } from '../src/index.ts'
import { at, readCluster, readJob, readText } from '../src/reading.ts'

const read = (reply: unknown) => readJob(referenceDialect, 'j1', reply)

const { words, fields } = referenceDialect
const classes = { success: words.success, failure: words.failure, running: words.running }

/** An object with a value at a dotted path. */
const nested = (path: string, value: unknown): unknown =>
  path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)

/** Members of `b` are added to `a`, in depth. */
function merged(a: unknown, b: unknown): unknown {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return b
  const both: Record<string, unknown> = { ...a }
  for (const [name, value] of Object.entries(b)) both[name] = name in both ? merged(both[name], value) : value
  return both
}

describe('Reading a job', () => {
  test("takes the reference's minimal answer", () => {
    const reply = {
      job_id: 'j1',
      status: 'succeeded',
      metrics: { throughput_images_per_sec: 343.2, duration_seconds: 85.6, exit_code: 0 },
    }
    expect(read(reply)).toEqual({
      jobId: 'j1',
      word: 'succeeded',
      class: 'success',
      throughput: 343.2,
      durationSeconds: 85.6,
      exitCode: 0,
      error: null,
    })
  })

  test('finds status, throughput and duration wherever the API puts them, in any case and with spaces', () => {
    const placed = fc.record({
      status: fc.constantFrom(...fields.jobStatus),
      throughput: fc.constantFrom(...fields.throughput),
      duration: fc.constantFrom(...fields.duration),
      of: fc.constantFrom(...(Object.keys(classes) as (keyof typeof classes)[])),
      pick: fc.nat(),
      upper: fc.boolean(),
      figure: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
      asText: fc.boolean(),
    })
    fc.assert(
      fc.property(placed, ({ status, throughput, duration, of, pick, upper, figure, asText }) => {
        const word = classes[of][pick % classes[of].length] ?? ''
        const value = asText ? String(figure) : figure
        const reply = [
          nested(status, upper ? ` ${word.toUpperCase()} ` : word),
          nested(throughput, value),
          nested(duration, value),
        ].reduce(merged)
        expect(read(reply)).toMatchObject({ word, class: of, throughput: figure, durationSeconds: figure })
      }),
    )
  })

  test('never throws, whatever is answered, and never makes a figure of nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), reply => {
        const found = read(reply)
        expect(['success', 'failure', 'running', 'unknown']).toContain(found.class)
        for (const figure of [found.throughput, found.durationSeconds])
          expect(figure === null || (Number.isFinite(figure) && figure > 0)).toBe(true)
      }),
    )
  })

  test('reads null for figures that are missing, 0, negative, no numbers or infinite', () => {
    for (const figure of [undefined, null, 0, -3, '', 'fast', true, [], {}, '0', 'NaN', '1e999'])
      expect(read({ status: 'succeeded', throughput: figure, duration: figure })).toMatchObject({
        throughput: null,
        durationSeconds: null,
      })
  })

  test('goes on to the next place where the first holds no figure', () => {
    expect(read({ metrics: { throughput_images_per_sec: 0 }, throughput: 7 })).toMatchObject({ throughput: 7 })
  })

  test('calls what it does not know unknown', () => {
    for (const status of ['warming', '', '  ', null, 3, {}])
      expect(read({ status })).toMatchObject({ class: 'unknown' })
    expect(read('<html>')).toMatchObject({ word: '', class: 'unknown' })
  })

  test('takes other words and places from configuration', () => {
    const dialect = dialectWith({ words: { success: ['fertig'] }, fields: { jobStatus: ['zustand'] } })
    expect(readJob(dialect, 'j1', { zustand: 'FERTIG', status: 'failed' })).toMatchObject({ class: 'success' })
  })
})

describe('Reading a cluster', () => {
  test('says whether it is ready, ended, and which agent it has', () => {
    expect(readCluster(referenceDialect, { status: 'Active', agent_version: '0.1.0' })).toEqual({
      word: 'active',
      ready: true,
      ended: false,
      agentVersion: '0.1.0',
    })
    expect(readCluster(referenceDialect, { cluster: { status: 'deleted' } })).toMatchObject({ ended: true })
    expect(readCluster(referenceDialect, null)).toMatchObject({ word: '', ready: false, agentVersion: null })
  })
})

describe('Looking at a path', () => {
  test('does not find what objects inherit, nor inside of lists', () => {
    expect(at({}, 'constructor')).toBeUndefined()
    expect(at({}, '__proto__.toString')).toBeUndefined()
    expect(at([{ id: 'x' }], '0.id')).toBeUndefined()
  })

  test('takes the first path that holds text or a number', () => {
    expect(readText({ a: '', b: 7 }, ['x.y', 'a', 'b'])).toBe('7')
    expect(readText({ a: {} }, ['a'])).toBeNull()
  })
})
