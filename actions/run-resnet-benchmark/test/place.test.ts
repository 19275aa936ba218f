import { expect, test } from '@jest/globals'
import type { RunDirectories } from '@gpu-actions/action-kit'
import { placeOf } from '../src/place.ts'

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

test('a record that is none of ours is passed over', async () => {
  const odd = directories({ a: undefined, b: 'text', c: { machines: 7 }, d: { machines: [null, { id: 7 }] } })
  expect(await placeOf({ instanceId }, odd)).toMatchObject({ leaseId: null })
})
