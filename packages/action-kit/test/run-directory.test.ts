import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { runDirectories } from '../src/run-directory.ts'

let temp: string
beforeEach(async () => {
  temp = await mkdtemp(join(tmpdir(), 'run-directory-'))
})
afterEach(() => rm(temp, { recursive: true }))

describe('run directories', () => {
  test('a record comes back as it was written, readable by this user alone', async () => {
    const records = runDirectories(temp).open('42-1-abcdefgh')
    await records.write('lease.json', { schema: 'gpu-actions/lease@1', region: 'us-west-2' } as { schema: string })
    expect(await records.read('lease.json')).toEqual({ schema: 'gpu-actions/lease@1', region: 'us-west-2' })
    expect((await stat(join(records.path, 'lease.json'))).mode & 0o777).toBe(0o600)
  })

  test('a record that nobody wrote is undefined, not a fault', async () => {
    expect(await runDirectories(temp).open('42-1-abcdefgh').read('receipt.json')).toBeUndefined()
  })

  test('what is no JSON is a fault, not a missing record', async () => {
    const records = runDirectories(temp).open('lease')
    await mkdir(records.path, { recursive: true })
    await writeFile(join(records.path, 'lease.json'), '{"schema":')
    await expect(records.read('lease.json')).rejects.toThrow(SyntaxError)
  })

  test('a write that fails leaves the old record and no name that a reader would take for one', async () => {
    const records = runDirectories(temp).open('lease')
    await records.write('lease.json', { schema: 'a@1' })
    const circle: { schema: string; self?: unknown } = { schema: 'b@1' }
    circle.self = circle
    await expect(records.write('lease.json', circle)).rejects.toThrow(TypeError)
    expect(await records.read('lease.json')).toEqual({ schema: 'a@1' })
    expect(await readdir(records.path)).toEqual(['lease.json'])
  })

  test('logs grow', async () => {
    const records = runDirectories(temp).open('lease')
    await records.appendLog('host.log', 'one\n')
    await records.appendLog('host.log', 'two\n')
    expect(await readFile(join(records.path, 'logs', 'host.log'), 'utf8')).toBe('one\ntwo\n')
  })

  test('every directory is listed once it was written to', async () => {
    const directories = runDirectories(temp)
    expect(await directories.list()).toEqual([])
    await directories.open('b').write('lease.json', { schema: 'a@1' })
    await directories.open('a').write('lease.json', { schema: 'a@1' })
    await writeFile(join(temp, 'gpu-actions', 'a-file'), '')
    expect(await directories.list()).toEqual(['a', 'b'])
  })

  test.each(['../x', '..', '.', '', 'a/b', 'a\\b', '/etc', '.hidden', 'a\0b', 'a\n'])(
    '%j is refused as a name',
    async name => {
      const directories = runDirectories(temp)
      expect(() => directories.open(name)).toThrow(RangeError)
      const records = directories.open('lease')
      await expect(records.write(name, { schema: 'a@1' })).rejects.toThrow(RangeError)
      await expect(records.read(name)).rejects.toThrow(RangeError)
      await expect(records.appendLog(name, 'x')).rejects.toThrow(RangeError)
    },
  )

  test('no name leads out of the folder of this job', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z./\\-]{1,12}$/)), name => {
        try {
          expect(runDirectories('/t').open(name).path).toMatch(/^\/t\/gpu-actions\/[^/\\]+$/)
        } catch (error) {
          if (!(error instanceof RangeError)) throw error
        }
      }),
    )
  })
})
