import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  endMachines,
  receiptMarkdown,
  receiptSentences,
  type EndingProvider,
  type Machine,
  type MachineUse,
  type Offer,
  type Receipt,
} from '../src/index.ts'
import { attempt, leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { createWorld, type World } from './fixtures/world.ts'

const storage = { what: 'storage', usdPerHour: 0.0137, source: 'a table', date: '2026-11-22' } as const
const address = { what: 'address', usdPerHour: 0.005, source: 'a table', date: '2026-11-22' } as const

interface Given {
  readonly one?: Partial<Offer>
  readonly livedMs?: number
  readonly use?: (bornAt: number) => Partial<MachineUse>
  /** The provider took it back so long after its launch, in milliseconds. */
  readonly takenAfterMs?: number
  readonly provider?: (world: World) => Partial<EndingProvider>
}

async function receiptFor({ one = {}, livedMs = 600_000, use, takenAfterMs, provider }: Given): Promise<Receipt> {
  const clock = jumpingClock()
  const world = createWorld({}, clock)
  const wanted = offer('a', { extras: [storage, address], ...one })
  const launched = attempt(1, { kind: 'launched', machines: ['m-1'] }, wanted)
  const bornAt = clock.now() - livedMs
  const machine = world.add(launched.token, wanted, { leaseId, owner }, bornAt)
  if (takenAfterMs !== undefined) machine.endedAt = bornAt + takenAfterMs
  const told = (shown: Machine): Machine =>
    takenAfterMs === undefined
      ? shown
      : {
          ...shown,
          stateReason: { code: 'TakenBack', message: '' },
          endedAt: new Date(bornAt + takenAfterMs).toISOString(),
        }
  return endMachines({
    provider: {
      ...world,
      find: async (...wish) => (await world.find(...wish)).map(told),
      remains: async machines => {
        const remains = await world.remains(machines)
        return { ...remains, machines: remains.machines.map(told) }
      },
      freeInterruptionSeconds: 3_600,
      isInterruption: shown => shown.stateReason?.code === 'TakenBack',
      ...provider?.(world),
    },
    clock,
    log: silentLog,
    search: { by: 'lease', repository: owner.repository, leaseId, tokens: [launched.token] },
    places: [],
    known: [],
    attempts: [launched],
    deadline: clock.now() + 240_000,
    isFinal: () => false,
    ...(use === undefined
      ? {}
      : { use: new Map([['m-1', { usableAt: null, from: null, until: null, ...use(bornAt) }]]) }),
  })
}

const micros = (usd: number, seconds: number): number => Math.round((usd * 1e6 * seconds) / 3600)

describe('what a receipt says of money', () => {
  test('is the machine and what was billed beside it, in whole micro-dollars', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40_000_000 }), async livedMs => {
        const { machines, costUsd, billedSeconds } = await receiptFor({ livedMs })
        const seconds = billedSeconds ?? Number.NaN
        expect(seconds).toBeGreaterThanOrEqual(Math.max(60, Math.floor(livedMs / 1000)))
        const whole = micros(1.212, seconds) + micros(0.0137, seconds) + micros(0.005, seconds)
        expect(Math.round((costUsd ?? Number.NaN) * 1e6)).toBe(whole)
        expect(machines[0]?.costUsd).toBe(costUsd)
      }),
      { numRuns: 50 },
    )
  })

  test('is without the machine when the provider took it back in its first hour', async () => {
    const taken = await receiptFor({ one: { market: 'spot' }, livedMs: 4_000_000, takenAfterMs: 3_599_000 })
    expect(taken.billedSeconds).toBe(3_599)
    expect(Math.round((taken.costUsd ?? 0) * 1e6)).toBe(micros(0.0137, 3_599) + micros(0.005, 3_599))
    expect(taken.machines[0]?.freeOfCharge).toBe(
      'the provider took it back after 59m59s: an interruption within the first 1h is not billed',
    )
    expect(receiptSentences(taken).join('\n')).toContain('is not billed')
  })

  test.each([
    ['after its first hour', { one: { market: 'spot' }, livedMs: 4_000_000, takenAfterMs: 3_600_000 }],
    ['in its first hour, but ended by us', { one: { market: 'spot' }, livedMs: 600_000 }],
    ['in its first hour, but not a spot machine', { livedMs: 600_000, takenAfterMs: 300_000 }],
  ] as const)('counts a machine that ended %s', async (_, given) => {
    const { costUsd, billedSeconds, machines } = await receiptFor(given)
    expect(machines[0]?.freeOfCharge).toBeNull()
    expect(Math.round((costUsd ?? 0) * 1e6)).toBeGreaterThanOrEqual(micros(1.212, billedSeconds ?? 0))
  })

  test('has no number for what was paid in advance, and says so', async () => {
    const receipt = await receiptFor({ one: { market: 'capacity-block', price: null } })
    expect(receipt.costUsd).toBeNull()
    expect(receipt.machines[0]).toMatchObject({
      costUsd: null,
      noCost: 'it was paid in advance, with its capacity block',
    })
    expect(receiptMarkdown(receipt)).toContain('paid in advance')
  })

  test('has no number for an unknown price, and says so', async () => {
    const receipt = await receiptFor({ one: { price: null } })
    expect(receipt.costUsd).toBeNull()
    expect(receiptSentences(receipt).join('\n')).toContain('cost unknown (its price is unknown)')
  })

  test('names every price with its source and its date', async () => {
    const receipt = await receiptFor({})
    for (const text of [receiptSentences(receipt).join('\n'), receiptMarkdown(receipt)]) {
      expect(text).toContain(
        '$1.212/h (a table, 2026-11-22) + storage $0.0137/h (a table, 2026-11-22) + address $0.005/h',
      )
    }
  })

  test('says that storage and address were not counted when their prices are unknown', async () => {
    const receipt = await receiptFor({ one: { extras: null } })
    expect(receipt.costUsd).not.toBeNull()
    expect(receiptSentences(receipt).join('\n')).toContain('storage and address not counted')
  })
})

describe('what a receipt says of waste', () => {
  test('is the time from launch to the first use, and from the last use to the end of billing', async () => {
    const use = (bornAt: number) => ({ usableAt: bornAt + 90_000, from: bornAt + 120_000, until: bornAt + 500_000 })
    const { machines } = await receiptFor({ use })
    const [machine] = machines
    expect(machine?.wasteSeconds).toBe(120)
    const end = Date.parse(machine?.endOfBilling ?? '') - Date.parse(machine?.launchedAt ?? '')
    expect(machine?.idleSeconds).toBe(Math.round((end - 500_000) / 1000))
  })

  test('is the time until it could be used when no use was recorded, and nothing is said of idling', async () => {
    const receipt = await receiptFor({ use: bornAt => ({ usableAt: bornAt + 90_000 }) })
    expect(receipt.machines[0]).toMatchObject({ wasteSeconds: 90, idleSeconds: null })
    expect(receiptSentences(receipt).join('\n')).toContain('unused 1m30s before its first use')
    expect(receiptMarkdown(receipt)).toContain('| 90 | – |')
  })

  test('is unknown when nothing was recorded', async () => {
    expect((await receiptFor({})).machines[0]).toMatchObject({ wasteSeconds: null, idleSeconds: null })
  })
})

describe('what is left on a receipt', () => {
  test('is a spot request that stays open when its machine is gone', async () => {
    const receipt = await receiptFor({
      one: { market: 'spot' },
      provider: world => ({
        remains: async machines => {
          const remains = await world.remains(machines)
          const [machine] = remains.machines
          if (machine === undefined) return remains
          const request = { kind: 'request', id: 'sir-1', place: machine.place, state: 'open' }
          return {
            machines: [{ ...machine, requests: ['sir-1'] }],
            left: [...remains.left, { ...request, consoleLink: 'https://console/sir-1', byHand: 'cancel sir-1' }],
          }
        },
      }),
    })
    expect(receipt).toMatchObject({ remaining: 1, left: [{ kind: 'request', id: 'sir-1' }] })
    expect(receipt.machines[0]).toMatchObject({ state: 'gone', goneAt: null, requests: ['sir-1'] })
  })

  test('is nothing once the request was closed, which is ordered again until it is', async () => {
    let orders = 0
    const receipt = await receiptFor({
      one: { market: 'spot' },
      provider: world => ({
        terminate: async machines => {
          orders++
          return world.terminate(machines)
        },
        remains: async machines => {
          const remains = await world.remains(machines)
          const [machine] = remains.machines
          if (machine === undefined) return remains
          const request = { kind: 'request', id: 'sir-1', place: machine.place, state: 'open' }
          const open = { ...request, consoleLink: 'https://console/sir-1', byHand: 'cancel sir-1' }
          // Only an order that comes after the machine's end closes it.
          const isOpen = machine.state !== 'gone' || orders < 4
          return { machines: [{ ...machine, requests: ['sir-1'] }], left: [...remains.left, ...(isOpen ? [open] : [])] }
        },
      }),
    })
    expect(receipt.remaining).toBe(0)
    expect(receipt.machines[0]?.goneAt).not.toBeNull()
  })
})
