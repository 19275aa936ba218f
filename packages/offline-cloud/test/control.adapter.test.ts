import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DescribeInstancesCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, describe, expect, test } from '@jest/globals'
import type { CloudState } from '../src/index.ts'
import {
  describeWithMachines,
  eventually,
  launch,
  launchInput,
  refusal,
  startRig,
  stopRigs,
  living,
} from './cloud-fixture.ts'

afterAll(stopRigs)

const stateOf = async (url: string): Promise<CloudState> =>
  (await fetch(`${url}/_offline/state`)).json() as Promise<CloudState>

describe('the state endpoint', () => {
  test('shows what lives and every call with its parameters and outcome', async () => {
    const rig = await startRig()
    const id = await launch(rig, { ClientToken: 'lease-1' })
    await refusal(rig.ec2.send(new DescribeInstancesCommand({ InstanceIds: ['i-0123456789abcdef0'] })))
    const state = await stateOf(rig.cloud.url)
    expect(state).toEqual(JSON.parse(JSON.stringify({ ...rig.cloud.state(), now: state.now })))
    expect(state.living).toEqual(living({ instances: 1, volumes: 1, interfaces: 1 }))
    expect(state.instances[0]).toMatchObject({
      id,
      type: 'g5.2xlarge',
      region: 'us-west-2',
      zone: 'us-west-2a',
      state: 'pending',
      clientToken: 'lease-1',
      terminatedAt: null,
      ssm: 'offline',
      userData: null,
    })
    expect(state.volumes[0]).toMatchObject({ instanceId: id, state: 'in-use' })
    expect(state.calls).toEqual({ 'ec2:RunInstances': 1, 'ec2:DescribeInstances': 1 })
    expect(state.callLog).toMatchObject([
      { service: 'ec2', operation: 'RunInstances', outcome: 'ok', parameters: { ClientToken: 'lease-1' } },
      { operation: 'DescribeInstances', outcome: 'InvalidInstanceID.NotFound' },
    ])
  })
})

describe('the clock endpoint', () => {
  test('moves the time that replies carry', async () => {
    const rig = await startRig()
    const before = Date.now()
    await rig.advance(86_400)
    const reply = await fetch(`${rig.cloud.url}/_offline/state`)
    expect(Date.parse(reply.headers.get('date') ?? '') - before).toBeGreaterThanOrEqual(86_399_000)
  })

  test('refuses to go back', async () => {
    const rig = await startRig()
    const reply = await fetch(`${rig.cloud.url}/_offline/clock`, { method: 'POST', body: '{"advanceSeconds": -1}' })
    expect(reply.status).toBe(400)
  })
})

test('A path that nobody serves is refused by name', async () => {
  const rig = await startRig()
  const reply = await fetch(`${rig.cloud.url}/bucket/key`)
  expect(reply.status).toBe(501)
  expect(await reply.json()).toEqual({ error: expect.stringContaining('/bucket/key') })
})

const main = join(import.meta.dirname, '../src/main.ts')
const node = process.env['GPU_ACTIONS_NODE'] ?? process.execPath
const run = (args: readonly string[], env: NodeJS.ProcessEnv = process.env) =>
  spawn(node, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })

describe('the command line', () => {
  test('prints where it answers, obeys its scenario, and ends with its machines on SIGTERM', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'offline-cli-'))
    const scenario = join(directory, 'scenario.yaml')
    await writeFile(
      scenario,
      'timings:\n  pendingSeconds: 0\nfaults:\n  - kind: throttled\n    operation: RunInstances\n',
    )
    const child = run(['--scenario', scenario])
    try {
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
      const { url, env } = JSON.parse(line) as { url: string; env: Record<string, string> }
      expect(env['AWS_ENDPOINT_URL']).toBe(url)
      const credentials = {
        accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      }
      const ec2 = new EC2Client({ endpoint: url, region: env['AWS_REGION'] ?? '', credentials, maxAttempts: 1 })
      const start = () => ec2.send(new RunInstancesCommand(launchInput()))
      expect(await refusal(start())).toBe('RequestLimitExceeded')
      await start()
      await eventually(async () => ((await stateOf(url)).instances[0]?.ssm === 'online' ? true : undefined))
      child.kill('SIGTERM')
      expect(await once(child, 'exit')).toEqual([0, null])
    } finally {
      child.kill('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    }
  }, 60_000)

  test('says what is wrong with a scenario and ends with 1', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'offline-cli-'))
    const scenario = join(directory, 'scenario.json')
    await writeFile(scenario, '{"timings":{"pendingSeconds":-1}}')
    const child = run(['--scenario', scenario])
    const errors: string[] = []
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    await rm(directory, { recursive: true, force: true })
    expect(code).toBe(1)
    expect(errors.join('')).toContain('timings.pendingSeconds')
  }, 30_000)
})

const commandLines = async (): Promise<readonly string[]> => {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  return Promise.all(pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

describeWithMachines('a cloud that is killed outright', () => {
  test('leaves no process of its machines behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'offline-cli-'))
    const child = run([], { ...process.env, TMPDIR: directory })
    try {
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
      const { url } = JSON.parse(line) as { url: string }
      const credentials = { accessKeyId: 'AKIAOFFLINE', secretAccessKey: 'x' }
      const ec2 = new EC2Client({ endpoint: url, region: 'us-west-2', credentials, maxAttempts: 1 })
      const mark = 1_000_000 + Math.floor(Math.random() * 1_000_000)
      const script = `#!/bin/sh\nsetsid sleep ${mark} &\n`
      await ec2.send(new RunInstancesCommand(launchInput({ UserData: Buffer.from(script).toString('base64') })))
      const count = async () => (await commandLines()).filter(words => words.includes(`sleep\0${mark}`)).length
      await eventually(async () => ((await count()) > 0 ? true : undefined))
      child.kill('SIGKILL')
      await eventually(async () => ((await count()) === 0 ? true : undefined))
      expect(await count()).toBe(0)
    } finally {
      child.kill('SIGKILL')
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    }
  }, 60_000)
})
