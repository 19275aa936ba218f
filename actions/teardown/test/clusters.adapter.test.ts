import { createServer } from 'node:net'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { cognito, startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import {
  livingOf,
  quick,
  startJob,
  timings,
  type Job,
  type StepResult,
} from '../../provision-ec2-gpu/test/fixtures/job.ts'
import {
  advance,
  loginInputs,
  recordAgent,
  register,
  shown,
  type Cluster,
} from '../../run-resnet-benchmark/test/fixtures/cluster.ts'

jest.setTimeout(120_000)

let cloud: OfflineCloud
let job: Job
let cluster: Cluster
let leaseId: string
let provisioned: StepResult
beforeAll(async () => void (cloud = await startOfflineCloud({ scenario: { timings }, python: null })))
afterAll(() => cloud.stop())
beforeEach(async () => {
  job = await startJob(cloud)
  provisioned = await job.main('provision-ec2-gpu', { inputs: { ...quick, 'wait-for': 'running' } })
  leaseId = provisioned.outputs['lease-id'] ?? ''
  cluster = await register(cloud, `ci-gpu-bench-${leaseId}`)
})
afterEach(async () => {
  await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
  await job.end()
})

const parameter = () => `/gpu-actions/${leaseId}/onboarding-token`
const parameters = () => cloud.state().parameters.map(({ name }) => name)
const isDeleted = () => cloud.state().clusters.find(({ id }) => id === cluster.id)?.deleted
const receipt = () => job.record(leaseId, 'receipt.json')

/** What deploy-agent leaves when it was killed before it could remove the parameter. */
async function deployed(apiBase = cloud.clusterApi): Promise<void> {
  const credentials = {
    accessKeyId: cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  }
  const ssm = new SSMClient({ endpoint: cloud.url, region: 'us-west-2', credentials })
  await ssm.send(new PutParameterCommand({ Name: parameter(), Value: 'canary-token', Type: 'SecureString' }))
  await recordAgent(job.temp, leaseId, cloud, {
    leaseId,
    apiBase,
    clusterId: cluster.id,
    clusterName: cluster.name,
    token: { kind: 'ssm-parameter', name: parameter(), region: 'us-west-2' },
  })
}

describe('teardown of a cluster', () => {
  test('ends machine, cluster and token parameter, sees each gone, and puts them on the receipt', async () => {
    await deployed()
    const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
    expect([livingOf(cloud.state(), leaseId), isDeleted(), parameters()]).toEqual([[], true, []])
    expect(await receipt()).toMatchObject({
      remaining: 0,
      machines: [{ state: 'gone' }],
      resources: [
        { kind: 'cluster', id: cluster.id, name: cluster.name, goneAt: expect.any(String), problem: null },
        { kind: 'parameter', id: parameter(), place: 'us-west-2', goneAt: expect.any(String), problem: null },
      ],
    })
    expect(await job.record(leaseId, 'agent.json')).toMatchObject({ status: 'deleted', token: null })
    for (const secret of [cluster.id, cluster.idToken, 'canary-token']) expect(shown(step.log)).not.toContain(secret)
    expect(step.summary).toContain(cluster.name)
  })

  test('finds the parameter by the name of the lease when no record tells of it any more', async () => {
    await deployed()
    await recordAgent(job.temp, leaseId, cloud, { leaseId, clusterId: cluster.id, clusterName: cluster.name })
    const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { remaining: '0' } })
    expect(parameters()).toEqual([])
    expect(await receipt()).toMatchObject({ resources: [{ kind: 'cluster' }, { kind: 'parameter', problem: null }] })
  })

  test('ends machine and parameter while the cluster API is down, and names the cluster that is left', async () => {
    await deployed()
    cloud.addFaults([{ kind: 'server-error', operation: 'cluster:*', count: null }])
    const inputs = { 'id-token': cluster.idToken, timeout: '12s' }
    const step = await job.main('teardown', { inputs })
    expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '1', remaining: '1' } })
    expect([livingOf(cloud.state(), leaseId), isDeleted(), parameters()]).toEqual([[], false, []])
    expect(step.log).toContain('No machine is left')
    expect(step.log).toContain(`cluster ${cluster.name}`)
    expect(step.log).toContain('curl --fail -X DELETE')
    expect(await receipt()).toMatchObject({ remaining: 1, left: [{ kind: 'cluster', id: cluster.id }] })

    const post = await job.post('provision-ec2-gpu', { state: provisioned.state })
    expect(post.exitCode).toBe(1)
    expect(post.log).not.toContain('has ended already')
    expect(await receipt()).toMatchObject({
      remaining: 1,
      resources: [{ kind: 'cluster', goneAt: null }, { kind: 'parameter' }],
    })

    await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
    expect(await job.main('teardown', { inputs })).toMatchObject({ exitCode: 0, outputs: { remaining: '0' } })
    expect(isDeleted()).toBe(true)
    const again = await job.post('provision-ec2-gpu', { state: provisioned.state })
    expect(again).toMatchObject({ exitCode: 0 })
    expect(again.log).toContain('has ended already')
  })

  test('does not wait for an API that takes connections and never answers', async () => {
    const silent = createServer(() => {})
    const port = await new Promise<number>(resolve =>
      silent.listen(0, '127.0.0.1', () => {
        const address = silent.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      }),
    )
    try {
      await deployed(`http://127.0.0.1:${port}`)
      const began = Date.now()
      const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken, timeout: '10s' } })
      expect(Date.now() - began).toBeLessThan(25_000)
      expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '1', remaining: '1' } })
      expect(livingOf(cloud.state(), leaseId)).toEqual([])
      expect(step.log).toContain('did not answer in time')
    } finally {
      silent.close()
    }
  })

  test('ends the cluster while AWS does not let it end the machine', async () => {
    await deployed()
    cloud.addFaults([{ kind: 'denied', operation: 'TerminateInstances', count: null }])
    const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 1, outputs: { remaining: '1' } })
    expect(step.log).toContain('could not be ended and can still cost money')
    expect([isDeleted(), parameters()]).toEqual([true, []])
    await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
    expect((await job.main('teardown')).exitCode).toBe(0)
  })

  test('without token and login ends machine and parameter, and says what it would need', async () => {
    await deployed()
    const step = await job.main('teardown', { inputs: { username: 'ci@example.com' } })
    expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '1', remaining: '1' } })
    expect([livingOf(cloud.state(), leaseId), parameters()]).toEqual([[], []])
    expect(step.log).toContain(`There is no id token to end cluster ${cluster.name} with`)
    expect(step.log).toContain('user-pool-id, client-id, password not given')
  })

  test('is not kept from ending the machine by inputs for the cluster that are wrong', async () => {
    await deployed('http://api.example.com')
    const wrong = { ...loginInputs, 'user-pool-id': 'no pool', 'id-token': 'no token' }
    const step = await job.main('teardown', { inputs: wrong })
    expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '1', remaining: '1' } })
    expect(step.log).toContain('must begin with https://')
  })

  test('ends a cluster of another job by its id, and leaves a receipt for it', async () => {
    const cleaner = await startJob(cloud)
    const step = await cleaner.main('teardown', { inputs: cluster.inputs })
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '0', remaining: '0' } })
    expect(step.outputs['receipt-path']).toMatch(/host-cluster-[0-9a-f]{8}\/receipt\.json$/)
    expect(isDeleted()).toBe(true)
    expect(await cleaner.main('teardown', { inputs: cluster.inputs })).toMatchObject({ exitCode: 0 })
    await cleaner.end()
    await job.main('teardown')
  })

  test('says that nobody knows whether a cluster was registered whose id never came', async () => {
    await recordAgent(job.temp, leaseId, cloud, { leaseId, clusterName: cluster.name, status: 'registering' })
    const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '1', remaining: '1' } })
    expect(step.log).toContain(`Whether cluster ${cluster.name} was registered`)
  })

  test('misses nothing where the API had refused to register', async () => {
    await recordAgent(job.temp, leaseId, cloud, { leaseId, status: 'failed', error: 'refused' })
    expect(await job.main('teardown')).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
  })
})

describe('teardown after the id token has expired', () => {
  beforeEach(async () => {
    await deployed()
    await advance(cloud, cognito.clients.ci.tokenSeconds + 60)
  })

  test('logs in again', async () => {
    const step = await job.main('teardown', { inputs: { ...loginInputs, 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { remaining: '0' } })
    expect([isDeleted(), parameters()]).toEqual([true, []])
  })

  test('says exactly that when it cannot, and ends machine and parameter all the same', async () => {
    const step = await job.main('teardown', { inputs: { 'id-token': cluster.idToken } })
    expect(step).toMatchObject({ exitCode: 1, outputs: { remaining: '1' } })
    expect([livingOf(cloud.state(), leaseId), parameters(), isDeleted()]).toEqual([[], [], false])
    expect(step.log).toContain('refused the id token, and no new one could be got')
    expect(step.log).toContain('teardown logs in by itself')
  })
})
