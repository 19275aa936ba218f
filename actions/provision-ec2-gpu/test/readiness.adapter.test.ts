import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { readInputs, runDirectories, systemClock, type Clock, type Log } from '@gpu-actions/action-kit'
import { awsWorld, waitForRegistration } from '@gpu-actions/aws'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { action } from '../src/action.ts'
import { provision } from '../src/provision.ts'
import type { ProvisionContext } from '../src/setting.ts'
import type { GpuHost } from '../src/gpu-check.ts'
import { livingOf, timings } from './fixtures/job.ts'

jest.setTimeout(120_000)

/** A clock whose time, sleep and all, runs faster. */
function fastClock(times: number): Clock {
  const began = Date.now()
  return {
    now: () => began + (Date.now() - began) * times,
    random: () => systemClock.random(),
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  }
}

interface Rehearsal {
  readonly outputs: Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
  readonly error: unknown
}

let cloud: OfflineCloud
let temp: string
const saved = { ...process.env }
beforeAll(async () => {
  cloud = await startOfflineCloud({ scenario: { timings } })
  temp = await mkdtemp(join(tmpdir(), 'readiness-'))
  const stateFile = join(temp, 'state')
  await writeFile(stateFile, '')
  Object.assign(process.env, cloud.env, { GITHUB_STATE: stateFile })
})
afterAll(async () => {
  process.env = saved
  await cloud.stop()
  await rm(temp, { recursive: true, force: true })
})

/** Provisions within this process, so that time can run faster and a machine can have GPUs. */
async function rehearse(inputs: Readonly<Record<string, string>>, clock: Clock, host: GpuHost): Promise<Rehearsal> {
  const outputs: Record<string, unknown> = {}
  const lines: string[] = []
  const say = (message: string): void => void lines.push(message)
  const log: Log = {
    debug: say,
    info: say,
    notice: say,
    warning: say,
    error: say,
    untrusted: say,
    group: (title, work) => (say(title), work()),
  }
  const all: Readonly<Record<string, string>> = { 'instance-profile-name': 'gpu-bench-instance', ...inputs }
  const context: ProvisionContext = {
    inputs: readInputs(action, id => all[id] ?? ''),
    run: {
      repository: 'org/consumer',
      runId: '42',
      runNumber: '1',
      attempt: 1,
      job: 'bench',
      workflow: '',
      event: '',
      actor: '',
      sha: '',
      ref: '',
      serverUrl: 'https://github.com',
      temp,
    },
    runDirectories: runDirectories(temp),
    log,
    clock,
    signal: new AbortController().signal,
    idToken: () => Promise.reject(new Error('no role to take')),
    mask: () => {},
    setOutput: (id, value) => void (outputs[id] = value),
    summarize: async text => say(text),
  }
  const error: unknown = await provision(context, {
    world: awsWorld({ environment: { AWS_REGION: 'us-west-2' }, sessionName: 'test', clock }),
    hostFor: () => host,
    register: (clients, instanceId, options) => waitForRegistration({ clients, instanceId, clock, log }, options),
    newLeaseSuffix: () => Math.random().toString(36).slice(2, 10).padEnd(8, '0'),
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { outputs, lines, error }
}

const noGpu: GpuHost = { run: async () => ({ exitCode: 0, output: '' }) }

describe('readiness', () => {
  test('names the GPUs that the machine itself shows', async () => {
    const answer = { code: 0, count: 1, name: 'NVIDIA A10G', error: '' }
    const host: GpuHost = { run: async () => ({ exitCode: 0, output: `gpu-actions-gpu ${JSON.stringify(answer)}\n` }) }
    const { outputs, error } = await rehearse({}, systemClock, host)
    expect(error).toBeUndefined()
    expect(outputs).toMatchObject({ 'gpu-name': 'NVIDIA A10G', 'gpu-count': 1, 'instance-type': 'g5.2xlarge' })
  })

  test('that never comes ends the machine at once, and tells profile, addresses and what to check', async () => {
    cloud.addFaults([{ kind: 'never-registers' }])
    const { outputs, error, lines } = await rehearse({ 'wait-for': 'ssm' }, fastClock(60), noGpu)
    const words = `${String(error)} ${String(Reflect.get(Object(error), 'advice'))}`
    for (const part of ['did not register', 'gpu-bench-instance', 'Private address: 172.', 'instance-role.json']) {
      expect(words).toContain(part)
    }
    expect(lines.some(line => line.includes('ordered to end'))).toBe(true)
    const machine = cloud.state().instances.find(({ id }) => id === outputs['instance-id'])
    expect(['shutting-down', 'terminated']).toContain(machine?.state)
  })

  test('a machine whose GPUs do not answer is not handed over', async () => {
    const { outputs, error } = await rehearse({}, fastClock(60), noGpu)
    expect(String(error)).toContain('every GPU answers did not come')
    expect(outputs['gpu-name']).toBeUndefined()
    // Passed, failed or still under way: what EC2's own checks say, and what the machine says of its boot.
    expect(String(error)).toContain('checks')
    expect(String(error)).toContain('boot log')
    expect(
      livingOf(cloud.state(), String(outputs['lease-id'])).filter(id => id.startsWith('i-')).length,
    ).toBeLessThanOrEqual(1)
  })
})
