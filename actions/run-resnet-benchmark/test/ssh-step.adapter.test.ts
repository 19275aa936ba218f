import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { startSshServer, type SshServer } from '../../../packages/host/test/ssh-server.ts'
import { needsSshServer, withSshServer } from '../../../packages/host/test/with-ssh-server.ts'

jest.setTimeout(60_000)

const main = join(import.meta.dirname, '../src/main.ts')
const loader = join(import.meta.dirname, 'fixtures/programs-loader.mjs')

interface Step {
  readonly exitCode: number | null
  readonly log: string
  readonly temp: string
}

withSshServer(`the step, as a process of its own, over ssh with ${needsSshServer}`, () => {
  let server: SshServer
  let folder = ''
  beforeAll(async () => {
    server = await startSshServer()
    folder = await mkdtemp(join(tmpdir(), 'ssh-step-'))
  })
  afterAll(async () => {
    await server.remove()
    await rm(folder, { recursive: true, force: true })
  })

  /** Runs the action's main as the runner would. */
  async function step(
    more: Readonly<Record<string, string>>,
    onLog: (kill: () => void, log: string) => void = () => {},
  ) {
    const temp = await mkdtemp(join(folder, 'temp-'))
    const output = join(temp, 'output')
    await writeFile(output, '')
    const inputs = {
      'SSH-HOST': '127.0.0.1',
      'SSH-PORT': String(server.port),
      'SSH-USER': server.user,
      'SSH-KEY': server.privateKey,
      ...more,
    }
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', loader, main], {
      env: {
        PATH: process.env['PATH'] ?? '',
        RUNNER_TEMP: temp,
        GITHUB_OUTPUT: output,
        GITHUB_REPOSITORY: 'org/consumer',
        GITHUB_RUN_ID: '77',
        GITHUB_RUN_NUMBER: '7',
        GITHUB_RUN_ATTEMPT: '1',
        GITHUB_JOB: 'bench',
        ...Object.fromEntries(Object.entries(inputs).map(([id, text]) => [`INPUT_${id}`, text])),
      },
    })
    let log = ''
    const hear = (chunk: Buffer): void => {
      log += chunk.toString()
      onLog(() => child.kill('SIGINT'), log)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { exitCode, log, temp } satisfies Step
  }

  /** The log without the lines that tell the runner what to mask. */
  const shown = (log: string): string =>
    log
      .split('\n')
      .filter(line => !line.startsWith('::add-mask::'))
      .join('\n')

  const keyIsNowhere = async ({ log, temp }: Step): Promise<void> => {
    const secret = server.privateKey.split('\n').slice(1, -2)
    expect(secret.filter(line => shown(log).includes(line))).toEqual([])
    expect(log).toContain('::add-mask::')
    for (const name of await readdir(temp, { recursive: true })) expect(name).not.toMatch(/(^|\/)key$/)
  }

  test('looks for a Python on the host, and leaves a record in the run directory of the host', async () => {
    const ended = await step({ PYTHON: '/no/such/python' })
    expect(ended.exitCode).toBe(1)
    expect(ended.log).toMatch(/The host key of 127\.0\.0\.1 was taken as it came.*SHA256:/)
    expect(ended.log).toContain(`No Python on ${server.user}@127.0.0.1 port ${server.port} over ssh imports PyTorch`)
    const record = join(ended.temp, 'gpu-actions/host-127.0.0.1/result.json')
    expect(JSON.parse(await readFile(record, 'utf8'))).toMatchObject({ status: 'failed', device: null, leaseId: null })
    await keyIsNowhere(ended)
  })

  test('says what hinders the connection, and what to do', async () => {
    const ended = await step({ 'SSH-USER': 'nobody-here', 'SSH-HOST-KEY': server.hostKey })
    expect(ended.exitCode).toBe(1)
    expect(ended.log).toMatch(/::error.*127\.0\.0\.1 does not let nobody-here in with the private key SHA256:/)
    expect(ended.log).toContain('see whether nobody-here is the user')
    await keyIsNowhere(ended)
  })

  test('refuses what cannot be, all of it at once, and tells nothing of the key', async () => {
    const ended = await step({ 'SSH-KEY': 'canary-key', 'SSH-USER': '', 'SSH-HOST-KEY': 'MD5:00', LOCAL: 'true' })
    expect(ended.exitCode).toBe(1)
    for (const fault of ['ssh-host, local: ', 'ssh-user: is required', 'ssh-key: must be', 'ssh-host-key: must be'])
      expect(ended.log).toContain(fault)
    expect(shown(ended.log)).not.toContain('canary-key')
  })

  test('that is cancelled leaves no key behind', async () => {
    const slow = join(server.home, 'slow-python')
    await writeFile(slow, '#!/bin/sh\nsleep 600\n', { mode: 0o755 })
    const ended = await step({ PYTHON: slow }, (kill, log) => {
      if (log.includes('was taken as it came')) kill()
    })
    expect(ended.exitCode).not.toBe(0)
    await keyIsNowhere(ended)
  })
})
