import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makeUserData, timeLimitBoothook, timeLimitUnits } from '../src/ec2/user-data.ts'

const run = promisify(execFile)
const expiresAt = Date.parse('2026-11-22T18:45:30Z')
const isCi = process.env['CI'] === 'true'

/** Runs where the tool is there; without it the suite is skipped, and fails in CI. */
const where = (isThere: boolean) => (isThere || isCi ? describe : describe.skip)

const cloudInitPython = process.env['GPU_ACTIONS_CLOUD_INIT'] ?? ''
const whereSystemd = where(spawnSync('systemd-analyze', ['--version']).status === 0)
const whereCloudInit = where(cloudInitPython !== '')

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'user-data-'))))
afterAll(() => rm(folder, { recursive: true }))

whereSystemd('the units of the time limit (needs systemd-analyze)', () => {
  test('are right in the eyes of systemd itself', async () => {
    const paths: string[] = []
    for (const [name, text] of Object.entries(timeLimitUnits(expiresAt))) {
      paths.push(join(folder, name))
      await writeFile(join(folder, name), text)
    }
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', ...paths])
    expect(stderr).not.toContain('gpu-actions-limit')
    const { stdout } = await run('systemd-analyze', ['calendar', '2026-11-22 18:45:30 UTC'])
    expect(stdout).toContain('2026-11-22 18:45:30 UTC')
  })
})

describe('the boothook', () => {
  test('is a script that sh can read', async () => {
    const path = join(folder, 'boothook')
    await writeFile(path, timeLimitBoothook(expiresAt))
    expect((await run('sh', ['-n', path])).stderr).toBe('')
  })
})

const reader = `
import json, sys
from cloudinit import user_data
message = user_data.UserDataProcessor({}).process(sys.stdin.buffer.read())
leaves = [part for part in message.walk() if part.get_content_maintype() != "multipart"]
print(json.dumps([(part.get_content_type(), part.get_payload(decode=True).decode()) for part in leaves]))
`

/** The parts as cloud-init would handle them: type and content. */
async function partsInCloudInit(text: string): Promise<readonly (readonly [string, string])[]> {
  const reading = run(cloudInitPython, ['-c', reader])
  reading.child.stdin?.end(text)
  return JSON.parse((await reading).stdout) as [string, string][]
}

whereCloudInit(
  'the user data in the eyes of cloud-init (needs GPU_ACTIONS_CLOUD_INIT, a Python that imports cloudinit)',
  () => {
    const own = '#!/bin/bash\necho "grüße" # with an umlaut\n'

    test('is the time limit first and the own script second, byte for byte', async () => {
      const parts = await partsInCloudInit(makeUserData(expiresAt, own))
      expect(parts.map(([type]) => type)).toEqual(['text/cloud-boothook', 'text/x-shellscript'])
      expect(parts[0]?.[1].trimEnd()).toBe(timeLimitBoothook(expiresAt).trimEnd())
      expect(parts[1]?.[1].trimEnd()).toBe(own.trimEnd())
    })

    test('keeps the parts of user data that is multipart by itself', async () => {
      const inner =
        'Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n\n--x\nContent-Type: text/cloud-config\n\n#cloud-config\na: 1\n--x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ntrue\n--x--\n'
      const parts = await partsInCloudInit(makeUserData(expiresAt, inner))
      expect(parts.map(([type]) => type)).toEqual(['text/cloud-boothook', 'text/cloud-config', 'text/x-shellscript'])
    })
  },
)
