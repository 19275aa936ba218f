import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Records } from '@gpu-actions/action-kit/ports'
import {
  covers,
  endLease,
  endResources,
  provenEnd,
  receiptRecord,
  receiptSentences,
  resourceEnds,
  resourceReceipt,
  withResources,
  type Receipt,
  type Resource,
  type ResourceEnd,
} from '../src/index.ts'
import { attempt, leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld } from './fixtures/world.ts'

/** What a call answers: carried out, its reply lost, refused, refused for good. `ok` once the script has run out. */
type Answer = 'ok' | 'lost' | 'fails' | 'final'
interface Script {
  readonly end?: readonly Answer[]
  readonly look?: readonly Answer[]
  /** Looks until it disappears after the order. */
  readonly lingers?: number
}

interface Thing extends Resource {
  exists(): boolean
  readonly calls: string[]
}

function thing(id: string, script: Script = {}): Thing {
  const calls: string[] = []
  const count = { end: 0, look: 0 }
  let lingers = script.lingers ?? 0
  let state: 'there' | 'ending' | 'gone' = 'there'
  const answer = (kind: 'end' | 'look'): Answer => script[kind]?.[count[kind]++] ?? 'ok'
  const fail = (reply: Answer): void => {
    if (reply === 'lost' || reply === 'fails') throw new Error(`${id} did not answer`)
    if (reply === 'final') throw new RangeError(`${id} is refused for good`)
  }
  return {
    kind: 'cluster',
    id,
    name: `name of ${id}`,
    place: 'api.example.com',
    account: null,
    consoleLink: 'https://api.example.com',
    byHand: `end ${id}`,
    calls,
    exists: () => state !== 'gone',
    end: async () => {
      calls.push('end')
      const reply = answer('end')
      if ((reply === 'ok' || reply === 'lost') && state === 'there') state = lingers === 0 ? 'gone' : 'ending'
      fail(reply)
    },
    isGone: async () => {
      calls.push('look')
      fail(answer('look'))
      if (state === 'ending' && lingers-- <= 0) state = 'gone'
      return state === 'gone'
    },
    isFinal: error => error instanceof RangeError,
  }
}

const end = (things: readonly Resource[], deadlineMs = 60_000, waitUntilGone = true) => {
  const clock = jumpingClock()
  const setting = { clock, log: silentLog, deadline: clock.now() + deadlineMs, waitUntilGone }
  return endResources(things, setting)
}

const bare = (ends: readonly ResourceEnd[]): Receipt =>
  resourceReceipt({ leaseId, provider: 'memory', repository: owner.repository }, ends, { startedAt: 0, finishedAt: 1 })

describe('ending a resource', () => {
  test('says gone only after a read that showed it', async () => {
    const one = thing('c-1', { lingers: 3 })
    const [ended] = await end([one])
    expect(ended).toMatchObject({ left: null, resource: { problem: null, goneAt: expect.any(String) } })
    expect(one.exists()).toBe(false)
    expect(one.calls.at(-1)).toBe('look')
  })

  test('believes the read when the reply to the order was lost', async () => {
    const [ended] = await end([thing('c-1', { end: ['lost'] })])
    expect(ended?.left).toBeNull()
  })

  test('tries again until the deadline, and then says why', async () => {
    const never: Answer[] = Array.from({ length: 500 }, () => 'fails')
    const [ended] = await end([thing('c-1', { end: never, look: never })])
    expect(ended).toMatchObject({
      resource: { goneAt: null, problem: 'c-1 did not answer' },
      left: { kind: 'cluster', id: 'c-1', name: 'name of c-1', state: 'unknown', byHand: 'end c-1' },
    })
  })

  test('stops at once at a failure that no repetition overcomes', async () => {
    const one = thing('c-1', { end: ['final'] })
    const [ended] = await end([one])
    expect(ended?.left).toMatchObject({ state: 'still there' })
    expect(one.calls).toEqual(['end', 'look'])
  })

  test('holds up no other when it does not end', async () => {
    const never: Answer[] = Array.from({ length: 500 }, () => 'fails')
    const things = [thing('c-1', { end: never, look: never }), thing('c-2')]
    const ends = await end(things)
    expect(ends.map(({ left }) => left?.id)).toEqual(['c-1', undefined])
  })

  test('is only ordered to end when nobody is to wait', async () => {
    const one = thing('c-1', { lingers: 5 })
    const [ended] = await end([one], 60_000, false)
    expect(ended).toMatchObject({ left: { state: 'still there' } })
    expect(one.calls).toEqual(['end', 'look'])
  })

  test('is never said to be gone while it is there, whatever the service answers', async () => {
    const answers = fc.array(fc.constantFrom<Answer>('ok', 'lost', 'fails', 'final'), { maxLength: 30 })
    const script = fc.record({ end: answers, look: answers, lingers: fc.nat(6) })
    await fc.assert(
      fc.asyncProperty(fc.array(script, { maxLength: 3 }), fc.constantFrom(0, 5_000, 60_000), async (scripts, ms) => {
        const things = scripts.map((one, index) => thing(`c-${index}`, one))
        const receipt = bare(await end(things, ms))
        expect(receipt.remaining).toBe(receipt.left.length)
        for (const [index, { goneAt, problem }] of receipt.resources.entries()) {
          expect(goneAt !== null && things[index]?.exists() === true).toBe(false)
          expect(goneAt === null).toBe(problem !== null)
        }
        const left = receipt.resources.filter(({ goneAt }) => goneAt === null).map(({ id }) => id)
        expect(receipt.left.map(({ id }) => id)).toEqual(left)
        expect(covers(receipt, [])).toBe(left.length === 0)
      }),
      { numRuns: 300 },
    )
  })
})

/** A run directory in memory. */
function memory(): Records & { readonly files: Map<string, unknown> } {
  const files = new Map<string, unknown>()
  return {
    path: '/run',
    files,
    read: async name => files.get(name),
    write: async (name, record) => void files.set(name, JSON.parse(JSON.stringify(record))),
    appendLog: async () => {},
  }
}

describe('a receipt with resources', () => {
  const launched = attempt(1, { kind: 'launched', machines: ['m-1'] })
  const never: Answer[] = Array.from({ length: 500 }, () => 'fails')

  async function endMachine(records: Records) {
    const clock = jumpingClock()
    const world = createWorld({}, clock)
    world.add(launched.token, launched.offer, { leaseId, owner })
    return endLease({
      provider: world,
      clock,
      log: silentLog,
      records,
      leaseId,
      repository: owner.repository,
      places: [offer('a').place],
      attempts: [launched],
      deadline: clock.now() + 240_000,
      isFinal: () => false,
    })
  }

  test('proves no end while a resource is left, though the machine is gone', async () => {
    const records = memory()
    const receipt = withResources(await endMachine(records), await end([thing('c-1', { end: never, look: never })]))
    await receiptRecord.write(records, receipt)
    expect(receipt).toMatchObject({ remaining: 1, machines: [{ state: 'gone' }] })
    expect(await provenEnd(records, [launched])).toBeUndefined()
  })

  test('is not made whole by a later look at the machines alone', async () => {
    const records = memory()
    const left = await end([thing('c-1', { end: never, look: never })])
    await receiptRecord.write(records, withResources(await endMachine(records), left))
    const later = await endMachine(records)
    expect(later).toMatchObject({ remaining: 1, left: [{ kind: 'cluster', id: 'c-1' }], resources: [{ goneAt: null }] })
    expect(await provenEnd(records, [launched])).toBeUndefined()
  })

  test('proves the end once the resource was seen gone, also after one that says it was left', async () => {
    const records = memory()
    const one = thing('c-1', { end: ['fails'], look: ['fails'] })
    const failed = withResources(await endMachine(records), await end([one], 0))
    expect(failed.remaining).toBe(1)
    await receiptRecord.write(records, withResources(failed, await end([one])))
    expect(await provenEnd(records, [launched], [{ kind: 'cluster', id: 'c-1' }])).toMatchObject({ remaining: 0 })
  })

  test('proves nothing about a resource that it does not name', async () => {
    const records = memory()
    await endMachine(records)
    expect(await provenEnd(records, [launched])).toBeDefined()
    expect(await provenEnd(records, [launched], [{ kind: 'cluster', id: 'c-1' }])).toBeUndefined()
  })

  test('without the list, as it was written before there were resources, still reads', async () => {
    const { resources: _, ...old } = await endMachine(memory())
    expect(receiptRecord.parse(old)).toEqual({ ...old, resources: [] })
    expect(resourceEnds(receiptRecord.parse(old))).toEqual([])
  })

  test('names a resource by its name in sentences, and keeps its id in the record', async () => {
    const receipt = bare(await end([thing('c-1', { end: never, look: never })]))
    const words = receiptSentences(receipt).join('\n')
    expect(words).toContain('cluster name of c-1 (api.example.com): c-1 did not answer')
    expect(words).toContain('1 REMAINING')
    expect(receipt.left[0]?.id).toBe('c-1')
  })

  test('that cannot be read does not keep anybody from ending the machine', async () => {
    const records = memory()
    records.files.set(receiptRecord.file, { schema: 'gpu-actions/receipt@9' })
    expect(await endMachine(records)).toMatchObject({ remaining: 0, machines: [{ state: 'gone' }] })
  })
})
