import { describe, expect, test } from '@jest/globals'
import type { RunDirectories } from '@gpu-actions/action-kit'
import { clusterPlaceOf, placeOf } from '../src/place.ts'

const directories = (records: Readonly<Record<string, unknown>>): RunDirectories => ({
  list: async () => Object.keys(records),
  open: id => ({
    path: `/run/${id}`,
    read: async () => records[id],
    write: async () => undefined,
    appendLog: async () => undefined,
  }),
})

const instanceId = 'i-0123456789abcdef0'
const two = directories({
  '7-1-aaaaaaaa': { machines: [{ id: 'i-0fedcba9876543210' }] },
  '7-1-bbbbbbbb': { machines: [{ id: 'i-00000000000000000' }, { id: instanceId }] },
})

test('the record goes to the lease that holds the instance, also among several', async () => {
  expect(await placeOf({ instanceId }, two)).toEqual({ id: '7-1-bbbbbbbb', leaseId: '7-1-bbbbbbbb' })
})

test('the record goes to the lease that was named', async () => {
  expect(await placeOf({ instanceId, leaseId: '7-1-aaaaaaaa' }, two)).toMatchObject({ id: '7-1-aaaaaaaa' })
})

test('a host that no lease of this job holds gets a directory of its own', async () => {
  const other = { instanceId: 'i-0aaaaaaaaaaaaaaaa' }
  expect(await placeOf(other, two)).toEqual({ id: 'host-i-0aaaaaaaaaaaaaaaa', leaseId: null })
  expect(await placeOf({}, two)).toEqual({ id: 'host-local', leaseId: null })
})

test('a host that is reached by ssh gets a directory under its name, unless a lease was named', async () => {
  expect(await placeOf({ sshHost: 'fe80::1' }, two)).toEqual({ id: 'host-fe80--1', leaseId: null })
  const leased = { sshHost: '10.0.0.1', leaseId: '7-1-aaaaaaaa' }
  expect(await placeOf(leased, two)).toMatchObject({ leaseId: '7-1-aaaaaaaa' })
})

test('a record that is none of ours is passed over', async () => {
  const odd = directories({ a: undefined, b: 'text', c: { machines: 7 }, d: { machines: [null, { id: 7 }] } })
  expect(await placeOf({ instanceId }, odd)).toMatchObject({ leaseId: null })
})

describe('the record of a job of a cluster', () => {
  const agent = { clusterId: 'c-1', host: instanceId, leaseId: '7-1-bbbbbbbb' }
  const withAgent: RunDirectories = {
    list: () => two.list(),
    open: id => ({
      ...two.open(id),
      read: async name => (name === 'agent.json' && id === '7-1-bbbbbbbb' ? agent : two.open(id).read(name)),
    }),
  }

  test('goes to where deploy-agent has recorded the cluster', async () => {
    expect(await clusterPlaceOf({ clusterId: 'c-1' }, withAgent)).toEqual({
      id: '7-1-bbbbbbbb',
      leaseId: '7-1-bbbbbbbb',
      host: instanceId,
    })
  })

  test('goes to the lease or the instance that was named, when no record names the cluster', async () => {
    expect(await clusterPlaceOf({ clusterId: 'c-2', leaseId: '7-1-aaaaaaaa' }, withAgent)).toMatchObject({
      id: '7-1-aaaaaaaa',
    })
    expect(await clusterPlaceOf({ clusterId: 'c-2', instanceId }, withAgent)).toMatchObject({ id: '7-1-bbbbbbbb' })
  })

  test('goes to a place of its own, which does not tell the id', async () => {
    const place = await clusterPlaceOf({ clusterId: 'canary-id' }, withAgent)
    expect(place).toMatchObject({ leaseId: null, host: null })
    expect(place.id).toMatch(/^host-cluster-[0-9a-f]{8}$/)
    expect(await clusterPlaceOf({ clusterId: 'other' }, withAgent)).not.toEqual(place)
  })
})
