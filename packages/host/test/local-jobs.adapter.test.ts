import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { localHost, type Host } from '../src/index.ts'

describe('a job on this machine', () => {
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gpu-actions-jobs-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))
  const host = (environment: Record<string, string> = {}): Host =>
    localHost({
      clock: systemClock,
      log: { warning: () => {}, debug: () => {} },
      environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...environment },
      directory,
    })

  // Only Linux names its boots.
  if (process.platform === 'linux')
    test('that began before a reboot is lost, with the reason', async () => {
      const command = ['/bin/sh', '-c', 'echo on; sleep 600']
      const job = await host().start({ name: 'before', command, timeoutMs: 60_000 })
      const controller = new AbortController()
      const reason = new Error('it runs')
      const begun = job.follow(() => controller.abort(reason), { signal: controller.signal })
      await expect(begun).rejects.toBe(reason)
      await writeFile(join(directory, 'jobs', job.id, 'boot'), 'another boot\n')
      expect(await job.follow(() => {})).toMatchObject({ how: 'lost', reason: expect.stringMatching(/rebooted/) })
      await job.cancel()
    })

  test('sees the environment that the host was given, and not that of this process', async () => {
    process.env['CANARY_OF_THIS_PROCESS'] = 'tweet'
    const job = await host({ GIVEN: 'yes' }).start({ name: 'env', command: ['env'], timeoutMs: 60_000 })
    const pieces: string[] = []
    await job.follow(text => pieces.push(text))
    expect(pieces.join('')).toContain('GIVEN=yes\n')
    expect(pieces.join('')).not.toContain('CANARY')
  })
})
