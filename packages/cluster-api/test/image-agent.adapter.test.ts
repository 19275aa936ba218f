import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { imageAgentScript } from '../src/index.ts'

const secret = 'ott-canary-77'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpu-actions-image-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function tool(name: string, script: string): Promise<void> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}

const script = imageAgentScript({
  image: 'example/agent:1',
  apiBase: 'https://api.example.com',
  clusterId: "c'1",
  tenantId: 't 1',
  parameter: { name: '/gpu-actions/l1/token', region: 'us-west-2' },
})

/** Runs the script with stand-ins for docker and aws, which note their arguments and what the env-file holds. */
async function run(token: string) {
  await tool('aws', `echo "aws $*" >>${folder}/calls\ncase "$*" in *get-parameter*) echo '${token}' ;; esac`)
  await tool(
    'docker',
    `echo "docker $*" >>${folder}/calls
while [ $# -gt 0 ]; do
  if [ "$1" = --env-file ]; then cp "$2" ${folder}/seen; stat -c %a "$2" >${folder}/mode; echo "$2" >${folder}/path; fi
  shift
done`,
  )
  const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, TMPDIR: folder }
  const ended = await promisify(execFile)('/bin/sh', ['-c', script], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  )
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8').catch(() => '')
  return {
    ...ended,
    calls: await read('calls'),
    seen: await read('seen'),
    mode: await read('mode'),
    path: await read('path'),
  }
}

test("The container's agent gets its token in a private env-file that is gone afterwards, and nowhere else", async () => {
  const { code, output, calls, seen, mode, path } = await run(secret)
  expect(code).toBe(0)
  expect(seen.trim().split('\n')).toEqual([
    'RADIX_API_BASE=https://api.example.com',
    'RADIX_TENANT_ID=t 1',
    "RADIX_CLUSTER_ID=c'1",
    `RADIX_ONE_TIME_TOKEN=${secret}`,
  ])
  expect(mode.trim()).toBe('600')
  await expect(readFile(path.trim())).rejects.toThrow('ENOENT')
  expect(output + calls).not.toContain(secret)
  expect(
    calls
      .trim()
      .split('\n')
      .map(line => line.split(' ').slice(0, 3).join(' ')),
  ).toEqual([
    'aws ssm get-parameter',
    'docker pull --quiet',
    'docker rm --force',
    'docker run -d',
    'aws ssm delete-parameter',
  ])
})

test('An empty parameter starts no container', async () => {
  const { code, output, calls } = await run('')
  expect(code).toBe(5)
  expect(output).toContain('is empty')
  expect(calls).not.toContain('docker run')
})
