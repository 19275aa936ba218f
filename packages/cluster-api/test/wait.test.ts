import { describe, expect, test } from '@jest/globals'
import { OutsideFault, type Clock } from '@gpu-actions/action-kit/ports'
import fc from 'fast-check'
import { ApiFault, referenceDialect, waitForActive, waitForJob, type ClusterApi } from '../src/index.ts'
import { readCluster, readJob } from '../src/reading.ts'

/** Time that passes only by sleeping. */
function stillClock(): Clock {
  let now = 1_000_000
  return {
    now: () => now,
    random: () => 0.5,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted()
      now += ms
    },
  }
}

const none = (): never => {
  throw new Error('not to be called')
}

const dropped = new ApiFault({ kind: 'transport', cause: null, never: false }, 'The connection was closed', 'Wait.')
const answered = (code: number): ApiFault =>
  new ApiFault({ kind: 'answered', code, message: '' }, `Answered ${code}`, 'Ask.')

/** What a look finds: a reply, null for not found, or a fault. The last one stays. */
type Look = object | null | Error

function rig(looks: readonly Look[]) {
  const said: string[] = []
  const warned: string[] = []
  const left = [...looks]
  const next = (): object | null => {
    const found = (left.length > 1 ? left.shift() : left[0]) ?? null
    if (found instanceof Error) throw found
    return found
  }
  const api: ClusterApi = {
    host: 'api.example.com',
    dialect: referenceDialect,
    register: none,
    clusters: none,
    find: none,
    onboardingToken: none,
    startJob: none,
    delete: none,
    health: none,
    cluster: async () => {
      const reply = next()
      return reply === null ? null : readCluster(referenceDialect, reply)
    },
    job: async (_, id) => {
      const reply = next()
      return reply === null ? null : readJob(referenceDialect, id, reply)
    },
  }
  const log = { info: (words: string) => void said.push(words), warning: (words: string) => void warned.push(words) }
  return { api, said, warned, ports: { clock: stillClock(), log }, left }
}

const running = { status: 'running' }
const done = { status: 'succeeded', metrics: { throughput_images_per_sec: 343.2, duration_seconds: 85.6 } }
const job = { clusterId: 'c1', id: 'j1' }
const hour = 3_600_000

const end = (looks: readonly Look[], timeoutMs = hour) => {
  const made = rig(looks)
  return waitForJob(made.api, job, made.ports, { timeoutMs }).then(outcome => ({ ...made, outcome }))
}

describe('Waiting for a job', () => {
  test('ends with its figures', async () => {
    const { outcome, said } = await end([{ status: 'queued' }, running, running, done])
    expect(outcome).toMatchObject({
      status: 'completed',
      fault: null,
      report: { throughput: 343.2, durationSeconds: 85.6 },
    })
    expect(said.map(words => words.replace(/ \(.*/, ''))).toEqual(['Job j1 is queued', 'Job j1 is running'])
  })

  test('lives through single failures of every kind that may pass', async () => {
    const { outcome, warned } = await end([dropped, running, answered(503), answered(429), running, dropped, done])
    expect(outcome.status).toBe('completed')
    expect(warned).toHaveLength(3)
  })

  test('fails at once when it is not allowed to ask', async () => {
    const { outcome, left } = await end([running, answered(401), done])
    expect(outcome).toMatchObject({ status: 'failed', report: { word: 'running' } })
    expect(outcome.fault?.message).toBe('Answered 401')
    expect(left).toEqual([done])
  })

  test('fails after five unknown words in a row, and forgets them when a known one comes', async () => {
    const odd = { status: 'warming' }
    const four = [odd, odd, odd, odd]
    expect((await end([...four, running, ...four, done])).outcome.status).toBe('completed')
    const { outcome } = await end([...four, odd, done])
    expect(outcome.fault?.message).toContain('5 times in a row it was warming')
    expect((await end([null, null, {}, null, null, done])).outcome.status).toBe('failed')
  })

  test('counts neither dropped requests nor known words as unknown', async () => {
    const look = fc.constantFrom<Look>(running, { state: 'PENDING' }, dropped, answered(500), { status: '?' })
    await fc.assert(
      fc.asyncProperty(fc.array(look, { maxLength: 40 }), async looks => {
        let row = 0
        let most = 0
        for (const one of looks) {
          if (one instanceof Error) continue
          row = one !== null && 'status' in one && one.status === '?' ? row + 1 : 0
          most = Math.max(most, row)
        }
        const { outcome } = await end([...looks, done])
        expect(outcome.status).toBe(most >= 5 ? 'failed' : 'completed')
      }),
    )
  })

  test('says success without a throughput is none', async () => {
    for (const metrics of [undefined, {}, { throughput_images_per_sec: 0 }]) {
      const { outcome } = await end([{ status: 'completed', metrics }])
      expect(outcome).toMatchObject({ status: 'failed', report: { throughput: null } })
      expect(outcome.fault?.message).toContain('no throughput')
    }
  })

  test("repeats the agent's words for a failed job", async () => {
    const { outcome } = await end([{ status: 'failed', error_message: 'Exit code 1: no GPU\nhere' }])
    expect(outcome.fault?.message).toBe('Job j1 ended as failed: Exit code 1: no GPU here')
    expect((await end([{ state: 'cancelled' }])).outcome.fault?.message).toContain('gives no reason')
  })

  test('ends at the deadline with what was last seen', async () => {
    const { outcome, said } = await end([running], 1_200_000)
    expect(outcome).toMatchObject({ status: 'timed-out', report: { word: 'running' } })
    expect(outcome.fault?.message).toContain('did not end within 20m; it was running')
    expect(said.length).toBeGreaterThan(10)
    expect((await end([dropped], 60_000)).outcome).toMatchObject({ status: 'timed-out', report: null })
  })

  test('ends with the reason of an abort', async () => {
    const { api, ports } = rig([running])
    const cancel = new AbortController()
    cancel.abort(new Error('cancelled by the user'))
    const waiting = waitForJob(api, job, ports, { timeoutMs: hour, signal: cancel.signal })
    await expect(waiting).rejects.toThrow('cancelled by the user')
  })

  test('does not hide a fault of our own', async () => {
    await expect(end([new RangeError('a bug')])).rejects.toThrow(RangeError)
  })
})

describe('Waiting for a cluster', () => {
  const cluster = { id: 'c1', name: 'ci-gpu-bench' }
  const wait = async (looks: readonly Look[], options: { trouble?: () => Promise<string | null> } = {}) => {
    const made = rig(looks)
    return { ...made, active: await waitForActive(made.api, cluster, made.ports, { timeoutMs: 600_000, ...options }) }
  }
  const pending = { status: 'pending' }

  test('ends when it is active, with the version of its agent and the time that it took', async () => {
    const { active, said } = await wait([pending, dropped, { status: 'ACTIVE', agent_version: '0.1.0' }])
    expect(active).toEqual({ agentVersion: '0.1.0', seconds: 2.5 })
    expect(said).toEqual([expect.stringContaining('is pending'), expect.stringContaining('is active after 2.5s')])
  })

  test('fails at the deadline with the last status, and with advice', async () => {
    const failed = wait([pending])
    await expect(failed).rejects.toThrow(OutsideFault)
    await expect(failed).rejects.toThrow('it is still pending after 10m')
  })

  test('fails when the cluster is gone, or was deleted', async () => {
    await expect(wait([pending, null])).rejects.toThrow('api.example.com does not know it any more')
    await expect(wait([{ status: 'deleting' }])).rejects.toThrow('it is deleting')
  })

  test('fails early when the agent on the machine has ended', async () => {
    let asked = 0
    const trouble = async () => (++asked === 2 ? 'the agent ended' : null)
    await expect(wait([pending], { trouble })).rejects.toThrow('did not become active: the agent ended')
  })

  test('does not wait where asking is refused', async () => {
    await expect(wait([answered(403)])).rejects.toThrow('Answered 403')
  })
})
