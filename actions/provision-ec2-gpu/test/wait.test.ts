import { describe, expect, test } from '@jest/globals'
import type { Clock, Log } from '@gpu-actions/action-kit'
import type { Machine } from '@gpu-actions/lease'
import {
  MachineEnded,
  stageLimits,
  waitUntilGpusAnswer,
  waitUntilReachable,
  waitUntilRunning,
  type Watched,
} from '../src/wait.ts'

const start = Date.parse('2026-11-22T12:00:00Z')

function jumping(): Clock {
  let now = start
  return {
    now: () => now,
    random: () => 0.5,
    sleep: async ms => void (now += ms),
  }
}

const log = (lines: string[]): Log => ({
  debug: () => {},
  info: message => void lines.push(message),
  notice: () => {},
  warning: () => {},
  error: () => {},
  group: (_, work) => work(),
  untrusted: () => {},
})

const machine = (state: Machine['state'], code?: string): Machine => ({
  id: 'i-1',
  place: { account: '1', region: 'us-west-2' },
  instanceType: 'g5.2xlarge',
  zone: 'us-west-2a',
  state,
  stateReason: code === undefined ? null : { code, message: '' },
  launchedAt: null,
  endedAt: null,
  token: null,
  leaseId: null,
  repository: null,
  privateIp: null,
  publicIp: null,
  runId: null,
  job: null,
  expiresAt: null,
  market: null,
  requests: [],
  extras: null,
  volumes: [],
  interfaces: [],
  price: null,
})

function watched(more: Partial<Watched>, lines: string[] = []): Watched & { readonly clock: Clock } {
  const clock = jumping()
  return {
    id: 'i-1',
    clock,
    log: log(lines),
    signal: new AbortController().signal,
    expiresAt: start + 45 * 60_000,
    look: async () => machine('running'),
    register: async () => undefined,
    diagnose: async () => ['EC2 shows it as running'],
    bootLog: async () => ['The end of its boot log is in the log above'],
    gpuHost: () => ({ run: async () => ({ exitCode: 0, output: '' }) }),
    ...more,
  }
}

const gpuLine = (answer: object): string => `gpu-actions-gpu ${JSON.stringify(answer)}`

describe('waiting for a machine', () => {
  test('is patient while EC2 does not show it yet', async () => {
    const looks = [undefined, undefined, machine('starting'), machine('running')]
    expect(await waitUntilRunning(watched({ look: async () => looks.shift() }))).toMatchObject({ state: 'running' })
  })

  test('notices that it runs within a second and a half in the median', async () => {
    const delays: number[] = []
    for (let runsAt = 500; runsAt < 30_000; runsAt += 370) {
      const one = watched({})
      await waitUntilRunning({
        ...one,
        look: async () => machine(one.clock.now() - start >= runsAt ? 'running' : 'starting'),
      })
      delays.push(one.clock.now() - start - runsAt)
    }
    const median = delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 2)]
    expect(median).toBeLessThanOrEqual(1_500)
  })

  test('ends with the reason of the provider when the machine ends', async () => {
    const ended = await waitUntilRunning(
      watched({ look: async () => machine('ending', 'Client.InvalidSnapshot.NotFound') }),
    ).catch((error: unknown) => error)
    expect(ended).toBeInstanceOf(MachineEnded)
    expect(ended).toMatchObject({ code: 'Client.InvalidSnapshot.NotFound', isCapacity: false })
  })

  test('has a deadline of its own, and says what is known then', async () => {
    const lines: string[] = []
    const one = watched({ look: async () => machine('starting') }, lines)
    await expect(waitUntilRunning(one)).rejects.toThrow(/did not come within 5m\nEC2 shows it as running/)
    expect(one.clock.now() - start).toBeLessThanOrEqual(stageLimits.running + 1_000)
    expect(lines.filter(line => line.startsWith('Still waiting')).length).toBeGreaterThan(5)
  })

  test('is not longer than the life of the machine', async () => {
    const one = watched({ look: async () => machine('starting'), expiresAt: start + 60_000 })
    await expect(waitUntilRunning(one)).rejects.toThrow('within 1m')
  })

  test('for its registration notices that it has died', async () => {
    const dead = watched({
      look: async () => machine('gone', 'Client.InstanceInitiatedShutdown'),
      register: async ({ hopeless }) => {
        const death = await hopeless()
        if (death !== undefined) throw death
      },
    })
    await expect(waitUntilReachable(dead)).rejects.toBeInstanceOf(MachineEnded)
  })
})

describe('waiting for GPUs', () => {
  test('is patient with 802 while the fabric manager starts', async () => {
    const answers = [802, 802, 0].map(code =>
      gpuLine({ code, count: code === 0 ? 8 : 0, name: 'NVIDIA H100', error: '' }),
    )
    const run = async () => ({ exitCode: 0, output: answers.shift() ?? '' })
    expect(await waitUntilGpusAnswer(watched({ gpuHost: () => ({ run }) }), 8)).toEqual({
      name: 'NVIDIA H100',
      count: 8,
    })
  })

  test('ends with the last answer when they do not come', async () => {
    const output = gpuLine({ code: null, count: 0, name: '', error: 'libcuda.so.1: no such file' })
    const one = watched({ gpuHost: () => ({ run: async () => ({ exitCode: 0, output }) }) })
    await expect(waitUntilGpusAnswer(one, 1)).rejects.toThrow('Last answer: no NVIDIA driver')
  })
})
