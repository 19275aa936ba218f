import { describe, expect, test } from '@jest/globals'
import {
  attemptsRecord,
  endLease,
  leaseRecord,
  receiptRecord,
  recordUse,
  useRecord,
  type Attempt,
  type Lease,
} from '../src/index.ts'
import { attempt, leaseId, offer, owner } from './fixtures/examples.ts'
import { jumpingClock, silentLog } from './fixtures/jumping-clock.ts'
import { memoryRecords } from './fixtures/records.ts'
import { createWorld, type World } from './fixtures/world.ts'

const launched = attempt(1, { kind: 'launched', machines: ['m-1'] })

const lease = (more: Partial<Lease> = {}): Lease => ({
  schema: 'gpu-actions/lease@1',
  id: leaseId,
  provider: 'memory',
  owner,
  places: [offer('a').place],
  createdAt: '2026-11-22T11:50:00.000Z',
  expiresAt: '2026-11-22T13:00:00.000Z',
  ttlSeconds: 4_200,
  guestShutdown: 'terminates',
  onJobEnd: 'terminate',
  budgetUsd: null,
  image: null,
  offer: offer('a'),
  machines: [],
  runningAt: null,
  reachableAt: null,
  readyAt: null,
  waitFor: 'gpu',
  gpus: null,
  ...more,
})

async function world() {
  const clock = jumpingClock()
  const cloud = createWorld({}, clock)
  const records = memoryRecords()
  cloud.add(launched.token, launched.offer, { leaseId, owner }, clock.now() - 600_000)
  const [machine] = await cloud.find({ by: 'lease', repository: owner.repository, leaseId, tokens: [] }, [
    offer('a').place,
  ])
  if (machine === undefined) throw new Error('no machine')
  return { clock, cloud, records, machine }
}

const end = (
  {
    clock,
    cloud,
    records,
  }: { clock: ReturnType<typeof jumpingClock>; cloud: World; records: ReturnType<typeof memoryRecords> },
  attempts: readonly Attempt[] = [],
) =>
  endLease({
    provider: cloud,
    clock,
    log: silentLog,
    records,
    leaseId,
    repository: owner.repository,
    places: [offer('a').place],
    attempts,
    deadline: clock.now() + 120_000,
    isFinal: () => false,
  })

describe('ending a lease by its records', () => {
  test('tells use from waste', async () => {
    const at = await world()
    const born = Date.parse(at.machine.launchedAt ?? '')
    const time = (seconds: number): string => new Date(born + seconds * 1000).toISOString()
    await leaseRecord.write(at.records, lease({ machines: [at.machine], readyAt: time(100) }))
    expect(await recordUse(at.records, { by: 'run-resnet-benchmark', startedAt: time(150), endedAt: time(300) })).toBe(
      true,
    )
    expect(await recordUse(at.records, { by: 'run-gpu-tests', startedAt: time(320), endedAt: time(500) })).toBe(true)
    const [machine] = (await end(at, [launched])).machines
    expect(machine?.wasteSeconds).toBe(150)
    const billedTo = (Date.parse(machine?.endOfBilling ?? '') - born) / 1000
    expect(machine?.idleSeconds).toBe(Math.round(billedTo - 500))
  })

  test('takes the time until it was usable for waste when nothing used it', async () => {
    const at = await world()
    const readyAt = new Date(Date.parse(at.machine.launchedAt ?? '') + 100_000).toISOString()
    await leaseRecord.write(at.records, lease({ machines: [at.machine], readyAt }))
    expect((await end(at)).machines[0]).toMatchObject({ wasteSeconds: 100, idleSeconds: null })
  })

  test.each(['lease.json', 'attempts.json'])(
    'ends the machine although %s cannot be read, and does not say 0 remaining',
    async file => {
      const at = await world()
      await leaseRecord.write(at.records, lease({ machines: [at.machine] }))
      await attemptsRecord.write(at.records, { schema: 'gpu-actions/attempts@1', leaseId, attempts: [launched] })
      at.records.files[file] = { schema: 'gpu-actions/of-another-version@9' }
      const receipt = await end(at)
      expect(at.cloud.machines.map(at.cloud.stateOf)).toEqual(['gone'])
      expect(receipt).toMatchObject({ remaining: 1, left: [{ kind: 'record', id: file }] })
      expect(receipt.problems.join('\n')).toContain(`${file} cannot be read`)
      expect(await receiptRecord.read(at.records)).toEqual(receipt)
    },
  )

  test('does not stop at a record of use that cannot be read', async () => {
    const at = await world()
    await leaseRecord.write(at.records, lease({ machines: [at.machine] }))
    at.records.files[useRecord.file] = new Error('it is no JSON')
    const receipt = await end(at)
    expect(receipt.remaining).toBe(0)
    expect(receipt.problems.join('\n')).toContain('use.json cannot be read')
  })

  test('does not take a receipt for the end when a record that may say more cannot be read', async () => {
    const at = await world()
    await leaseRecord.write(at.records, lease({ machines: [at.machine] }))
    expect((await end(at, [launched])).remaining).toBe(0)
    at.records.files[attemptsRecord.file] = { schema: 'gpu-actions/of-another-version@9' }
    expect((await end(at, [launched])).remaining).toBe(1)
  })

  test('makes no call when a receipt proves the end already', async () => {
    const at = await world()
    const first = await end(at, [launched])
    expect(first.remaining).toBe(0)
    const silent = { ...at, cloud: { ...at.cloud, find: () => Promise.reject(new Error('a call')) } }
    expect(await end(silent, [launched])).toEqual(first)
  })
})

describe('recording use', () => {
  test('writes nothing where the run directory belongs to no lease', async () => {
    const records = memoryRecords()
    const period = {
      by: 'run-resnet-benchmark',
      startedAt: '2026-11-22T12:00:00.000Z',
      endedAt: '2026-11-22T12:01:00.000Z',
    }
    expect(await recordUse(records, period)).toBe(false)
    expect(records.files).toEqual({})
  })
})
