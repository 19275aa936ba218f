import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Machine } from '@gpu-actions/lease'
import { account, startEc2Rig, type Ec2Rig } from './ec2-fixture.ts'

jest.setTimeout(120_000)

let rig: Ec2Rig
afterEach(async () => rig.stop())

const place = { account, region: 'us-west-2' }
const ours = { 'gpu-actions:repository': 'org/consumer', 'gpu-actions:lease': '7-1-{n}' }
const group = (count: number, tags: Readonly<Record<string, string>>, more: object = {}) => ({
  count,
  region: 'us-west-2',
  type: 'g5.xlarge',
  tags,
  ...more,
})

/** Repeats as the teardown loop does, while the account may not end more at once. */
async function endAll(machines: readonly Machine[]): Promise<void> {
  for (let rounds = 1; ; rounds++) {
    try {
      expect(await rig.provider.terminate(machines)).toEqual([])
      return
    } catch (error) {
      if (rounds > 30) throw error
      await rig.advance(5)
    }
  }
}

describe('ten thousand machines', () => {
  test('are looked through in few calls, and exactly ours end', async () => {
    rig = await startEc2Rig({
      instances: [
        group(200, ours),
        group(8_700, { Name: 'runner-{n}' }),
        group(900, { 'gpu-actions:repository': 'org/consumer-fork', 'gpu-actions:lease': '7-1-{n}' }),
        group(200, { 'gpu-actions:repository': 'org/consumer' }),
      ],
    })
    const machines = await rig.provider.find({ by: 'repository', repository: 'org/consumer' }, [place])
    expect(machines).toHaveLength(200)
    expect((await rig.provider.remains(machines)).left).toHaveLength(200)
    expect(await rig.provider.terminate(machines)).toEqual([])
    await rig.advance(10)
    expect((await rig.provider.remains(machines)).left).toEqual([])
    const { instances, callLog } = rig.cloud.state()
    expect(instances.filter(({ state }) => state === 'terminated')).toHaveLength(200)
    expect(callLog.length).toBeLessThanOrEqual(30)
    expect(callLog.every(({ outcome }) => outcome === 'ok')).toBe(true)
  })

  test('of which many are ours end as fast as the account allows, and no batch is too large', async () => {
    rig = await startEc2Rig({ instances: [group(1_150, ours)] })
    const machines = await rig.provider.find({ by: 'repository', repository: 'org/consumer' }, [place])
    await endAll(machines)
    await rig.advance(10)
    expect(rig.cloud.state().instances.every(({ state }) => state === 'terminated')).toBe(true)
    const calls = rig.cloud.state().callLog.filter(({ operation }) => operation === 'TerminateInstances')
    expect(calls.length).toBeLessThan(40)
  })

  test('of which some are protected and some unknown: the others end', async () => {
    rig = await startEc2Rig({ instances: [group(300, ours), group(2, ours, { protected: true })] })
    const machines = await rig.provider.find({ by: 'repository', repository: 'org/consumer' }, [place])
    const [first] = machines
    if (first === undefined) throw new Error('none')
    const unknown = { ...first, id: 'i-0123456789abcdef0' }
    const refusals = await rig.provider.terminate([unknown, ...machines])
    expect(refusals.map(({ fault }) => fault).toSorted()).toEqual(['not-found', 'protected', 'protected'])
    await rig.advance(10)
    expect(rig.cloud.state().instances.filter(({ state }) => state === 'running')).toHaveLength(2)
    const calls = rig.cloud.state().callLog.filter(({ operation }) => operation === 'TerminateInstances')
    expect(calls.length).toBeLessThan(60)
  })
})
