import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { appClients, cognito, startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { startJob, type Job, type StepOptions, type StepResult } from '../../provision-ec2-gpu/test/fixtures/job.ts'
import {
  advance,
  idTokenOf,
  loginInputs,
  recordAgent,
  register,
  serveOneJob,
  shown,
  success,
  type Cluster,
} from './fixtures/cluster.ts'

jest.setTimeout(90_000)

let cloud: OfflineCloud
let job: Job
let cluster: Cluster
beforeAll(async () => void (cloud = await startOfflineCloud({ python: null })))
afterAll(() => cloud.stop())
beforeEach(async () => {
  job = await startJob(cloud)
  cluster = await register(cloud)
})
afterEach(async () => {
  await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
  await job.end()
})

const place = '77-1-0a1b2c3d'
const jobsOf = (id: string) => cloud.state().clusters.find(one => one.id === id)?.jobs ?? []

async function run(more: Readonly<Record<string, string>> = {}, options: StepOptions = {}): Promise<StepResult> {
  await recordAgent(job.temp, place, cloud, { clusterId: cluster.id, leaseId: place })
  const inputs = { target: 'cluster', ...cluster.inputs, timeout: '40s', ...more }
  return job.main('run-resnet-benchmark', { ...options, inputs })
}
const result = () => job.record(place, 'result.json')

describe('a job of a cluster', () => {
  test('is told its epochs and its batch size, and leaves a record with null for what nobody told', async () => {
    const [step, given] = await Promise.all([run({ 'batch-size': '64' }), serveOneJob(cloud, cluster)])
    expect(step.exitCode).toBe(0)
    expect(given['params']).toEqual({ epochs: 1, batch_size: 64 })
    expect(step.outputs).toMatchObject({
      'job-id': given['job_id'],
      throughput: '343.2',
      'throughput-low': '',
      'latency-ms': '',
      'duration-seconds': '85.6',
      valid: '',
      device: '',
    })
    expect(await result()).toMatchObject({
      status: 'completed',
      leaseId: place,
      host: 'i-0123456789abcdef0',
      device: null,
      blocks: [],
      job: { id: given['job_id'], clusterId: cluster.id, status: 'succeeded', durationSeconds: 85.6, exitCode: 0 },
      metrics: { throughput: 343.2, latencyMs: null, durationSeconds: null },
      workload: { asked: { epochs: 1, batchSize: 64, stepsPerEpoch: null, imageSize: null } },
      validity: { valid: null },
      error: null,
    })
  })

  test('is told small sizes where they differ from the usual, and shows no id and no token in the log', async () => {
    const sizes = { 'steps-per-epoch': '2', 'image-size': '32', 'batch-size': '2', 'allow-cpu': 'true', epochs: '3' }
    const [step, given] = await Promise.all([run(sizes), serveOneJob(cloud, cluster)])
    expect(given['params']).toEqual({ epochs: 3, batch_size: 2, steps_per_epoch: 2, image_size: 32, allow_cpu: true })
    expect(shown(step.log)).not.toContain(cluster.id)
    expect(shown(step.log)).not.toContain(cluster.idToken)
  })

  test('lives through dropped requests, servers in trouble and words that nobody knows', async () => {
    cloud.addFaults([
      { kind: 'drop-request', operation: 'cluster:GetJob', count: 2 },
      { kind: 'server-error', operation: 'cluster:GetJob', count: 2 },
      { kind: 'unknown-status', count: 2 },
    ])
    const [step] = await Promise.all([run(), serveOneJob(cloud, cluster)])
    expect(step).toMatchObject({ exitCode: 0, outputs: { throughput: '343.2' } })
    expect(step.log).toContain('warming')
    expect(jobsOf(cluster.id)).toHaveLength(1)
  })

  test('that is said to have succeeded without a throughput has failed', async () => {
    const metrics = { ...success.metrics, throughput_images_per_sec: null }
    const [step] = await Promise.all([run(), serveOneJob(cloud, cluster, { ...success, metrics })])
    expect(step).toMatchObject({ exitCode: 1, outputs: { throughput: '', valid: 'false' } })
    expect(step.log).toContain('no throughput came with it')
    expect(await result()).toMatchObject({ status: 'failed', metrics: { throughput: null } })
  })

  test('that failed has the words of its agent', async () => {
    const report = {
      ...success,
      status: 'failed',
      metrics: { exit_code: 3 },
      error_message: 'Exit code 3: no GPU here',
    }
    const [step] = await Promise.all([run(), serveOneJob(cloud, cluster, report)])
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('Exit code 3: no GPU here')
    expect(await result()).toMatchObject({ status: 'failed', job: { exitCode: 3 } })
  })

  test('that never ends is given up after the timeout, and the log says that it goes on', async () => {
    cloud.addFaults([{ kind: 'job-stuck' }])
    const [step] = await Promise.all([run({ timeout: '10s' }), serveOneJob(cloud, cluster)])
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('did not end within 10s; it was running')
    expect(step.log).toContain('was not cancelled: the cluster API has no call for that')
    expect(await result()).toMatchObject({ status: 'timed-out', metrics: { throughput: null } })
  })

  test('of a step that is cancelled goes on, which the log says, and the record is there', async () => {
    const step = await run({}, { signal: 'SIGINT', killWhen: async () => jobsOf(cluster.id).length > 0 })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('the cluster API has no call for that')
    expect(step.log).toContain('Cancelled: ')
    expect(await result()).toMatchObject({ status: 'cancelled' })
  })

  test('is not started with a token of another app client', async () => {
    const step = await run({ 'id-token': await idTokenOf(cloud, appClients.other.id) })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('refused the id token')
    expect(jobsOf(cluster.id)).toEqual([])
    expect(await result()).toMatchObject({ status: 'failed', job: { id: null } })
  })

  test('names all wrong inputs at once, before anything is done', async () => {
    const step = await job.main('run-resnet-benchmark', { inputs: { target: 'cluster', python: 'python3' } })
    expect(step.exitCode).toBe(1)
    for (const input of ['cluster-id: ', 'api-base: ', 'id-token: ', 'python: ']) expect(step.log).toContain(input)
  })
})

describe('an id token that has expired', () => {
  beforeEach(() => advance(cloud, cognito.clients.ci.tokenSeconds + 60))

  test('is replaced by a new login', async () => {
    const fresh = { ...cluster, idToken: await idTokenOf(cloud) }
    const [step] = await Promise.all([run(loginInputs), serveOneJob(cloud, fresh)])
    expect(step).toMatchObject({ exitCode: 0, outputs: { throughput: '343.2' } })
    expect(step.log).toContain('logged in again')
    expect(shown(step.log)).not.toContain(loginInputs.password)
  })

  test('ends the step with what to do when it cannot log in', async () => {
    const step = await run()
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('refused the id token, and no new one could be got')
    expect(step.log).toContain('user-pool-id')
  })
})
