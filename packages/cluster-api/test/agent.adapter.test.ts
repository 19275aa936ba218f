import { readFile, stat } from 'node:fs/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  agentTrouble,
  diagnose,
  installAgent,
  placeIn,
  removeAgent,
  waitForActive,
  waitForJob,
  type AgentSettings,
} from '../src/index.ts'
import { agentFile, hasty, python, quiet, startRig, type Rig } from './rig.ts'

const ports = { clock: hasty, log: quiet }

let rigs: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of rigs.reverse()) await stop()
  rigs = []
})

/** Stands for the benchmark, which the flow on a rented machine runs for real. */
const program = `import sys
print("Throughput: 12.5 images/sec", sys.argv[1:])
`

async function registered(more: Parameters<typeof startRig>[0] = {}) {
  const rig = await startRig(more)
  rigs.push(() => rig.stop())
  const cluster = await rig.api.register({ name: 'ci-gpu-bench', region: 'us-west-2' })
  const secret = await rig.api.onboardingToken(cluster.id)
  const place = placeIn(`${rig.folder}/agent`)
  const settings: AgentSettings = {
    apiBase: rig.cloud.clusterApi,
    clusterId: cluster.id,
    tenantId: cluster.tenantId,
    execution: 'process',
    pollSeconds: 0.1,
    heartbeatSeconds: 0.2,
    benchmark: { allowCpu: true },
  }
  const install = async (change: Partial<AgentSettings> = {}, token = secret) =>
    installAgent(
      rig.host,
      {
        agent: await agentFile(),
        program: new TextEncoder().encode(program),
        settings: { ...settings, ...change },
        token: { kind: 'secret', secret: token },
        python,
        place,
        lifetimeMs: 120_000,
      },
      quiet,
    )
  rigs.push(() => removeAgent(rig.host, place))
  return { rig, cluster, secret, place, install }
}

const state = ({ cloud }: Rig) => cloud.state().clusters[0]

describe('An agent on this machine, with the offline cluster API', () => {
  test('is installed, becomes active, runs a job, and is taken away with all that it had', async () => {
    const { rig, cluster, secret, place, install } = await registered()
    const { version, jobId } = await install()
    expect(jobId).toMatch(/^gpu-actions-agent-/)
    const active = await waitForActive(rig.api, cluster, ports, { timeoutMs: 60_000 })
    expect(active.agentVersion).toBe(version)
    const id = await rig.api.startJob(cluster.id, { epochs: 2, batchSize: 16 })
    const outcome = await waitForJob(rig.api, { clusterId: cluster.id, id }, ports, { timeoutMs: 60_000, firstMs: 200 })
    expect(outcome).toMatchObject({ status: 'completed', fault: null, report: { throughput: 12.5, exitCode: 0 } })
    const log = await readFile(place.log, 'utf8')
    for (const canary of [secret]) expect(log).not.toContain(canary)
    expect((await stat(place.config)).mode & 0o777).toBe(0o600)
    expect(await readFile(place.config, 'utf8')).not.toContain(secret)
    await expect(stat(`${place.folder}/one-time-token`)).rejects.toThrow('ENOENT')
    expect(await agentTrouble(rig.host, place)).toBeNull()
    await removeAgent(rig.host, place)
    await expect(stat(place.folder)).rejects.toThrow('ENOENT')
    await removeAgent(rig.host, place)
    expect(state(rig)?.jobs).toMatchObject([{ id, status: 'succeeded' }])
    expect(rig.masked).toEqual(expect.arrayContaining([cluster.id, cluster.tenantId, secret]))
  }, 60_000)

  test('survives a faulty API: nothing is lost, nothing runs twice, and one new login is made', async () => {
    const { rig, cluster, install } = await registered({ scenario: { clusterApi: { redelivers: true } } })
    await install()
    rig.cloud.addFaults([
      { kind: 'server-error', operation: 'cluster:Heartbeat', count: 2 },
      { kind: 'lost-reply', operation: 'cluster:CompleteJob', count: 1 },
      { kind: 'drop-request', operation: 'cluster:CompleteJob', count: 1 },
      { kind: 'drop-request', operation: 'cluster:GetJob', count: 3 },
      { kind: 'throttled', operation: 'cluster:PollJobs', count: 1 },
    ])
    await waitForActive(rig.api, cluster, ports, { timeoutMs: 60_000 })
    const id = await rig.api.startJob(cluster.id, { epochs: 1, batchSize: 8 })
    const outcome = await waitForJob(rig.api, { clusterId: cluster.id, id }, ports, { timeoutMs: 60_000 })
    expect(outcome.status).toBe('completed')
    expect(rig.cloud.state().callLog.filter(({ operation }) => operation === 'CompleteJob').length).toBeGreaterThan(1)
    await fetch(`${rig.cloud.url}/_offline/clock`, { method: 'POST', body: JSON.stringify({ advanceSeconds: 3601 }) })
    expect(rig.logins()).toBe(1)
    expect(await rig.api.job(cluster.id, id)).toMatchObject({ class: 'success' })
    expect(rig.logins()).toBe(2)
  }, 60_000)

  test('with a spent token ends, and the diagnosis says why without the token', async () => {
    const { rig, cluster, secret, place, install } = await registered()
    await fetch(`${rig.cloud.clusterApi}/v1/clusters/${cluster.id}/auth/exchange`, {
      method: 'POST',
      headers: { 'X-Radix-One-Time-Token': secret, 'X-Radix-Tenant-Id': cluster.tenantId },
    })
    await install()
    const trouble = () => agentTrouble(rig.host, place)
    const began = hasty.now()
    const waiting = waitForActive(
      rig.api,
      cluster,
      { ...ports, clock: { ...hasty, now: () => began + (Date.now() - began) * 20 } },
      { timeoutMs: 600_000, trouble },
    )
    await expect(waiting).rejects.toThrow('the agent ended, because its token is refused')
    const found = await diagnose(rig.host, { apiBase: rig.cloud.clusterApi, place, secrets: [cluster.id, secret] })
    expect(found.causes.join()).toContain('The one-time token was spent or had expired')
    expect(found.text).toContain('HTTP 200')
    for (const canary of [secret, cluster.id]) expect(found.text).not.toContain(canary)
  }, 60_000)

  test('that cannot reach the API says so at once, and is not started', async () => {
    const { install } = await registered()
    await expect(install({ apiBase: 'http://127.0.0.1:9' })).rejects.toThrow(
      'the cluster API cannot be reached from this machine',
    )
  }, 60_000)

  test('installed again is replaced, and keeps its token', async () => {
    const { rig, cluster, install } = await registered()
    const first = await install()
    await waitForActive(rig.api, cluster, ports, { timeoutMs: 60_000 })
    const second = await install()
    expect(second.jobId).not.toBe(first.jobId)
    const id = await rig.api.startJob(cluster.id, { epochs: 1, batchSize: 8 })
    const outcome = await waitForJob(rig.api, { clusterId: cluster.id, id }, ports, { timeoutMs: 60_000, firstMs: 200 })
    expect(outcome.status).toBe('completed')
    expect(rig.cloud.state().calls['cluster:ExchangeToken']).toBe(1)
  }, 60_000)
})

describe('Every shape of the reply', () => {
  test.each([
    { idField: 'id', jobIdField: 'jobId', statusShape: 'job.state', metricsShape: 'flat', tenantInReply: false },
    { jobIdField: 'job.job_id', statusShape: 'job_status', statusPath: '/v1/clusters/{id}/jobs/{job}' },
    {
      statusPath: '/v1/jobs/{job}/status',
      statusWords: { succeeded: 'COMPLETED' },
      successCodes: { CreateCluster: 202 },
    },
  ] as const)(
    'is understood: %j',
    async clusterApi => {
      const { rig, cluster, install } = await registered({ scenario: { clusterApi } })
      await install()
      await waitForActive(rig.api, cluster, ports, { timeoutMs: 60_000 })
      const id = await rig.api.startJob(cluster.id, { epochs: 1, batchSize: 8 })
      const outcome = await waitForJob(rig.api, { clusterId: cluster.id, id }, ports, {
        timeoutMs: 60_000,
        firstMs: 200,
      })
      expect(outcome).toMatchObject({ status: 'completed', report: { throughput: 12.5 } })
    },
    60_000,
  )
})
