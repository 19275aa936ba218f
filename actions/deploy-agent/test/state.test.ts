import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { runDirectories } from '@gpu-actions/action-kit'
import { parseAgentRecord } from '@gpu-actions/cluster-api'
import { journal } from '../src/journal.ts'
import { placeOf } from '../src/place.ts'
import { deployState, type DeployState } from '../src/state.ts'

const record = parseAgentRecord({
  schema: 'gpu-actions/agent@1',
  leaseId: null,
  host: 'i-1 over SSM',
  clusterName: 'c',
  clusterId: null,
  apiBase: 'https://api.example.com',
  apiHost: 'api.example.com',
  agent: 'reference',
  agentVersion: null,
  activationSeconds: null,
  status: 'registering',
  error: null,
  token: null,
  jobId: null,
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
})
const begin: DeployState = { place: 'host-i-1', instanceId: 'i-1', region: 'us-west-2', record }

let temp: string
beforeEach(async () => void (temp = await mkdtemp(join(tmpdir(), 'deploy-state-'))))
afterEach(async () => {
  delete process.env['STATE_deploy']
  await rm(temp, { recursive: true, force: true })
})

describe('what a deployment writes down', () => {
  test('is in the state before it is in the run directory', async () => {
    const records = runDirectories(temp).open('host-i-1')
    const order: string[] = []
    const notes = journal(begin, { ...records, write: async () => void order.push('record') }, state =>
      order.push(`state ${state.record.status}`),
    )
    await notes.note({ clusterId: 'c-1', status: 'registered' })
    expect(order).toEqual(['state registered', 'record'])
    expect(notes.now()).toEqual({ ...record, clusterId: 'c-1', status: 'registered' })
  })

  test('is read back by post as it was', () => {
    process.env['STATE_deploy'] = JSON.stringify(begin)
    expect(deployState.load()).toEqual(begin)
  })

  test.each([
    [null, 'is no object'],
    [7, 'is no object'],
    [{}, 'has no place'],
    [{ ...begin, region: '' }, 'has no region'],
    [{ ...begin, record: { ...record, status: 'odd' } }, 'Invalid type'],
  ])('is refused by post when it is %j', (value, why) => {
    process.env['STATE_deploy'] = JSON.stringify(value)
    expect(() => deployState.load()).toThrow(why)
  })
})

describe('the place of a machine', () => {
  test('is the lease that was named, or one of its own when nobody here has rented it', async () => {
    const directories = runDirectories(temp)
    expect(await placeOf({ instanceId: 'i-1', leaseId: '1-1-abcdef01' }, directories)).toEqual({
      id: '1-1-abcdef01',
      leaseId: '1-1-abcdef01',
      lease: undefined,
    })
    await directories.open('1-1-abcdef01').write('lease.json', { schema: 'gpu-actions/lease@99' })
    expect(await placeOf({ instanceId: 'i-1' }, directories)).toEqual({
      id: 'host-i-1',
      leaseId: null,
      lease: undefined,
    })
  })
})
