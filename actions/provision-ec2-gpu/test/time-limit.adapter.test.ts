import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { livingOf, machinesOf, quick, startJob, timings } from './fixtures/job.ts'

jest.setTimeout(60_000)

let cloud: OfflineCloud
beforeAll(async () => void (cloud = await startOfflineCloud({ scenario: { timings } })))
afterAll(() => cloud.stop())

const advance = (advanceSeconds: number): Promise<Response> =>
  fetch(`${cloud.url}/_offline/clock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ advanceSeconds }),
  })

/** Waits, with a deadline, until it holds. */
async function until(holds: () => boolean): Promise<boolean> {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(50)) if (holds()) return true
  return false
}

describe("the machine's own time limit", () => {
  test('ends it when runner, post and network are gone, and the receipt bills it until then', async () => {
    const job = await startJob(cloud)
    const step = await job.main('provision-ec2-gpu', { inputs: { ...quick, ttl: '20m' } })
    const lease = step.outputs['lease-id'] ?? ''
    const state = (): string | undefined => machinesOf(cloud.state(), lease)[0]?.state
    await advance(20 * 60)
    expect(await until(() => state() === 'terminated' && livingOf(cloud.state(), lease).length === 0)).toBe(true)
    expect(machinesOf(cloud.state(), lease)[0]?.stateReason?.code).toBe('Client.InstanceInitiatedShutdown')
    await advance(10 * 60)
    expect((await job.main('teardown')).exitCode).toBe(0)
    const receipt = await job.record(lease, 'receipt.json')
    expect(receipt).toMatchObject({ remaining: 0, machines: [{ state: 'gone' }] })
    expect(Number(receipt['billedSeconds'])).toBeGreaterThanOrEqual(20 * 60)
    expect(Number(receipt['billedSeconds'])).toBeLessThan(20 * 60 + 30)
    await job.end()
  })
})
