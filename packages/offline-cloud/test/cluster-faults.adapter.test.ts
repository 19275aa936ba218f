import { afterEach, describe, expect, test } from '@jest/globals'
import type { Fault, Scenario } from '../src/index.ts'
import { startRig, stopRigs, type Rig } from './cloud-fixture.ts'
import { agentOf, call, exchange, launchJob, register, resnet, success, type Registered } from './cluster-fixture.ts'

afterEach(stopRigs)

const withShape = (clusterApi: NonNullable<Scenario['clusterApi']>) => startRig({ scenario: { clusterApi } })

const getCluster = (rig: Rig, { id, user }: Registered) => call(rig, 'GET', `/v1/clusters/${id}`, { headers: user })

/** A cluster with a job that its agent has run. */
async function ran(rig: Rig) {
  const cluster = await register(rig)
  const agent = await agentOf(rig, cluster)
  const reply = await call(rig, 'POST', `/v1/clusters/${cluster.id}/jobs`, { headers: cluster.user, body: resnet })
  const [order] = await agent.poll()
  const job = String(order?.['job_id'])
  await agent.complete(job)
  const read = (path = `/v1/jobs/${job}`) => call(rig, 'GET', path, { headers: cluster.user })
  return { cluster, agent, job, launched: reply.body, read }
}

describe('The shape of the replies can be chosen:', () => {
  test.each(['job.job_id', 'job_id', 'id', 'jobId'] as const)('the id of a job at .%s', async jobIdField => {
    const { launched, job } = await ran(await withShape({ jobIdField }))
    const found = jobIdField
      .split('.')
      .reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], launched)
    expect(found).toBe(job)
  })

  test.each(['status', 'state', 'job_status', 'job.status', 'job.state', 'job.job_status'] as const)(
    'the status of a job at .%s',
    async statusShape => {
      const { read } = await ran(await withShape({ statusShape }))
      const { body } = await read()
      const [outer = '', inner] = statusShape.split('.')
      const metrics = { metrics: success.metrics }
      expect(body).toMatchObject(
        inner === undefined ? { [outer]: 'succeeded', ...metrics } : { job: { [inner]: 'succeeded', ...metrics } },
      )
    },
  )

  test('flat metrics, other words, the id of a cluster as id, no tenant', async () => {
    const rig = await withShape({
      metricsShape: 'flat',
      statusWords: { succeeded: 'Completed', active: 'ACTIVE' },
      idField: 'id',
      tenantInReply: false,
    })
    const { cluster, agent, read } = await ran(rig)
    expect((await read()).body).toMatchObject({ status: 'Completed', throughput: 343.2, duration: 85.6 })
    await agent.heartbeat()
    const { body } = await getCluster(rig, cluster)
    expect(body).toMatchObject({ id: cluster.id, status: 'ACTIVE' })
    expect(body).not.toHaveProperty('tenant_id')
    expect(cluster.tenant).toBe('demo-tenant')
  })

  test('the one path that has the status of a job; the others do not exist, whoever asks', async () => {
    for (const statusPath of ['/v1/clusters/{id}/jobs/{job}', '/v1/jobs/{job}/status'] as const) {
      const { cluster, job, read } = await ran(await withShape({ statusPath }))
      const paths = ['/v1/jobs/{job}', '/v1/clusters/{id}/jobs/{job}', '/v1/jobs/{job}/status']
      for (const path of paths) {
        const { status } = await read(path.replace('{id}', cluster.id).replace('{job}', job))
        expect([path, status]).toEqual([path, path === statusPath ? 200 : 404])
      }
    }
  })

  test('success codes', async () => {
    const rig = await withShape({ successCodes: { CreateJob: 202, DeleteCluster: 200, Heartbeat: 204 } })
    const cluster = await register(rig)
    const options = { headers: cluster.user, body: resnet }
    expect((await call(rig, 'POST', `/v1/clusters/${cluster.id}/jobs`, options)).status).toBe(202)
    expect((await (await agentOf(rig, cluster)).heartbeat()).status).toBe(204)
    expect((await call(rig, 'DELETE', `/v1/clusters/${cluster.id}`, { headers: cluster.user })).status).toBe(200)
  })

  test('the members of a launch body', async () => {
    const rig = await withShape({ jobKindField: 'kind', jobParamsField: 'parameters' })
    const cluster = await register(rig)
    const path = `/v1/clusters/${cluster.id}/jobs`
    expect((await call(rig, 'POST', path, { headers: cluster.user, body: resnet })).status).toBe(422)
    await launchJob(rig, cluster, { kind: 'resnet50_benchmark', parameters: { epochs: 3 } })
    expect(await (await agentOf(rig, cluster)).poll()).toMatchObject([{ params: { epochs: 3 } }])
  })

  test('jobs that are given again until they are complete', async () => {
    const rig = await withShape({ redelivers: true })
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    const job = await launchJob(rig, cluster)
    for (const _ of [1, 2]) expect(await agent.poll()).toMatchObject([{ job_id: job }])
    await agent.complete(job)
    expect(await agent.poll()).toEqual([])
    expect(rig.cloud.state().clusters[0]?.jobs).toMatchObject([{ handedOut: 2, completions: 1 }])
  })

  test('a limit of jobs, which holds until the first one is done', async () => {
    const rig = await withShape({ limitsJobs: true })
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    const launch = () => call(rig, 'POST', `/v1/clusters/${cluster.id}/jobs`, { headers: cluster.user, body: resnet })
    const first = await launch()
    expect(await launch()).toMatchObject({ status: 409, body: { message: expect.stringContaining('limit of 1') } })
    await agent.poll()
    await agent.complete(String(first.body['job_id']))
    expect((await launch()).status).toBe(201)
  })
})

describe('A fault of the cluster API', () => {
  test('that names no operation is not about it, unless its kind belongs to it alone', async () => {
    const rig = await startRig()
    const cluster = await register(rig)
    rig.cloud.addFaults([{ kind: 'server-error', count: null }])
    expect((await getCluster(rig, cluster)).status).toBe(200)
    rig.cloud.addFaults([{ kind: 'server-error', operation: 'cluster:*' }])
    expect((await getCluster(rig, cluster)).status).toBe(503)
    expect((await getCluster(rig, cluster)).status).toBe(200)
  })

  test.each([
    ['server-error', 503],
    ['throttled', 429],
    ['denied', 403],
  ] as const)('%s answers %d and carries nothing out', async (kind, code) => {
    const rig = await startRig()
    const cluster = await register(rig)
    rig.cloud.addFaults([{ kind, operation: 'cluster:DeleteCluster' }])
    const path = `/v1/clusters/${cluster.id}`
    expect((await call(rig, 'DELETE', path, { headers: cluster.user })).status).toBe(code)
    expect(rig.cloud.state().living.clusters).toBe(1)
    expect(rig.cloud.state().callLog.at(-1)).toMatchObject({ operation: 'DeleteCluster', outcome: kind })
  })

  test('lost-reply cuts the connection after, drop-request before the call is carried out', async () => {
    const rig = await startRig()
    const cluster = await register(rig)
    const remove = (fault: Fault) => {
      rig.cloud.addFaults([fault])
      return call(rig, 'DELETE', `/v1/clusters/${cluster.id}`, { headers: cluster.user })
    }
    await expect(remove({ kind: 'drop-request' })).rejects.toThrow('fetch failed')
    expect(rig.cloud.state().living.clusters).toBe(1)
    await expect(remove({ kind: 'lost-reply', operation: 'cluster:DeleteCluster' })).rejects.toThrow('fetch failed')
    expect(rig.cloud.state().living.clusters).toBe(0)
  })

  test('lost-reply at the exchange spends the token all the same', async () => {
    const rig = await startRig()
    const cluster = await register(rig)
    rig.cloud.addFaults([{ kind: 'lost-reply', operation: 'cluster:ExchangeToken' }])
    await expect(exchange(rig, cluster)).rejects.toThrow('fetch failed')
    expect((await exchange(rig, cluster)).body['message']).toBe('The one-time token was used before')
  })

  test('agent-never-active takes the heartbeats of one cluster, whose status stays', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'agent-never-active' }])
    const [stuck, next] = [await register(rig), await register(rig)]
    for (const cluster of [stuck, next]) {
      expect((await (await agentOf(rig, cluster)).heartbeat()).status).toBe(200)
      expect((await getCluster(rig, cluster)).body['status']).toBe(cluster === stuck ? 'pending' : 'active')
    }
  })

  test('job-stuck leaves a job running, whatever its agent reports', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'job-stuck' }])
    const { read } = await ran(rig)
    expect((await read()).body).toMatchObject({ status: 'running' })
    expect(rig.cloud.state().clusters[0]?.jobs).toMatchObject([{ completions: 1, status: 'running' }])
  })

  test('unknown-status puts a word that nobody knows into a reading', async () => {
    const rig = await startRig()
    const { cluster, read } = await ran(rig)
    rig.cloud.addFaults([
      { kind: 'unknown-status', count: 2 },
      { kind: 'unknown-status', operation: 'GetCluster' },
    ])
    expect((await read()).body['status']).toBe('warming')
    expect((await getCluster(rig, cluster)).body['status']).toBe('warming')
    expect((await read()).body['status']).toBe('warming')
    expect((await read()).body['status']).toBe('succeeded')
  })

  test('slow-reply lets a caller wait', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'slow-reply', operation: 'cluster:Health', seconds: 0.3 }])
    const before = performance.now()
    expect((await call(rig, 'GET', '/health')).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThan(290)
  })
})
