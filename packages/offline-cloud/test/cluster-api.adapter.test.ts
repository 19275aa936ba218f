import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { cognito } from '../src/index.ts'
import { startRig, stopRigs, type Rig } from './cloud-fixture.ts'
import { agentOf, bearer, call, exchange, launchJob, logIn, register, resnet } from './cluster-fixture.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(stopRigs)

const create = (headers: Readonly<Record<string, string>>) =>
  call(rig, 'POST', '/v1/clusters', { headers, body: { name: 'ci-gpu-bench', region: 'us-west-2' } })

const status = async ({ id, user }: { id: string; user: Readonly<Record<string, string>> }) =>
  (await call(rig, 'GET', `/v1/clusters/${id}`, { headers: user })).body['status']

describe('The control plane', () => {
  test('answers a health check to anybody, and has nothing at a path that it does not know', async () => {
    for (const path of ['/health', '/', '']) expect(await call(rig, 'GET', path)).toMatchObject({ status: 200 })
    expect(await call(rig, 'GET', '/v1/nothing')).toMatchObject({ status: 404, body: { message: 'Not Found' } })
  })

  test("takes the id tokens of CI's and of the dashboard's client", async () => {
    for (const { id } of [cognito.clients.ci, cognito.clients.dashboard]) {
      const reply = await create(bearer((await logIn(rig, id)).idToken))
      expect(reply).toMatchObject({ status: 201, body: { name: 'ci-gpu-bench', status: 'pending' } })
      expect(reply.body['cluster_id']).toEqual(expect.any(String))
      expect(reply.body['tenant_id']).toEqual(expect.any(String))
    }
  })

  test('refuses what is not an id token of those clients as the JWT authorizer of an HTTP API does', async () => {
    const refused = async (headers: Readonly<Record<string, string>>) => {
      const { status: code, body, header } = await create(headers)
      return [code, body['message'], header('www-authenticate')]
    }
    const { idToken, accessToken } = await logIn(rig)
    const other = await logIn(rig, cognito.clients.other.id)
    const wrongKey = await logIn(await startRig())
    const because = (reason: string) => `Bearer scope="" error="invalid_token" error_description="${reason}"`
    expect(await refused({})).toEqual([401, 'Unauthorized', 'Bearer'])
    expect(await refused(bearer('nonsense'))).toEqual([401, 'Unauthorized', 'Bearer'])
    expect(await refused(bearer(wrongKey.idToken))).toEqual([401, 'Unauthorized', 'Bearer'])
    expect(await refused(bearer(other.idToken))).toEqual([
      401,
      'Unauthorized',
      because('the token does not have a valid audience'),
    ])
    expect(await refused(bearer(accessToken))).toEqual([403, 'Forbidden', null])
    await rig.advance(3601)
    expect(await refused(bearer(idToken))).toEqual([401, 'Unauthorized', because('the token has expired')])
    expect(rig.cloud.state().clusters).toEqual([])
  })

  test('says what is wrong with a body', async () => {
    const user = bearer((await logIn(rig)).idToken)
    expect(await call(rig, 'POST', '/v1/clusters', { headers: user, body: {} })).toMatchObject({ status: 422 })
    const broken = await fetch(`${rig.cloud.clusterApi}/v1/clusters`, { method: 'POST', headers: user, body: '{' })
    expect(broken.status).toBe(400)
  })

  test('deletes a cluster once, with its tokens and unfinished jobs', async () => {
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    await launchJob(rig, cluster)
    const remove = () => call(rig, 'DELETE', `/v1/clusters/${cluster.id}`, { headers: cluster.user })
    expect(rig.cloud.state().living.clusters).toBe(1)
    expect((await remove()).status).toBe(204)
    expect((await remove()).status).toBe(404)
    expect((await call(rig, 'GET', `/v1/clusters/${cluster.id}`, { headers: cluster.user })).status).toBe(404)
    expect((await agent.heartbeat()).status).toBe(404)
    const { living, clusters } = rig.cloud.state()
    expect(living.clusters).toBe(0)
    expect(clusters).toMatchObject([{ id: cluster.id, deleted: true, jobs: [{ status: 'cancelled' }] }])
  })

  test('keeps the policy of a cluster', async () => {
    const { id, user } = await register(rig)
    const path = `/v1/admin/clusters/${id}/policy`
    const defaults = await call(rig, 'GET', path, { headers: user })
    expect(defaults.body).toMatchObject({ cluster_id: id, max_gpu_jobs_per_user: 1, max_gpu_jobs_total: 100 })
    const changed = await call(rig, 'POST', path, { headers: user, body: { max_gpu_jobs_per_user: 2 } })
    expect(changed.body).toMatchObject({ max_gpu_jobs_per_user: 2, max_gpu_jobs_total: 100 })
  })

  test("has an installer that fails with the original's codes, and does not spend the token", async () => {
    const cluster = await register(rig)
    const path = `${rig.cloud.clusterApi}/v1/clusters/${cluster.id}/install.sh`
    expect((await fetch(path)).status).toBe(401)
    const script = await (await fetch(path, { headers: { 'X-Radix-One-Time-Token': cluster.oneTimeToken } })).text()
    expect(script).toContain('RADIX_INSTALLER_ERROR: ')
    expect(script).toContain('exit 20')
    expect((await exchange(rig, cluster)).status).toBe(200)
  })
})

describe('A one-time token', () => {
  test('is exchanged once', async () => {
    const cluster = await register(rig)
    expect(await exchange(rig, cluster)).toMatchObject({ status: 200, body: { cluster_token: expect.any(String) } })
    expect(await exchange(rig, cluster)).toMatchObject({
      status: 401,
      body: { message: 'The one-time token was used before' },
    })
  })

  test('lives for an hour, or as long as was asked for', async () => {
    const long = await register(rig)
    const asked = await call(rig, 'POST', `/v1/clusters/${long.id}/onboarding-token`, {
      headers: long.user,
      body: { expires_in_seconds: 7200 },
    })
    await rig.advance(3601)
    expect((await exchange(rig, long)).body['message']).toBe('The one-time token has expired')
    expect((await exchange(rig, { ...long, oneTimeToken: String(asked.body['one_time_token']) })).status).toBe(200)
  })

  test('works for its own cluster and tenant only, and a missing header is named', async () => {
    const [mine, other] = [await register(rig), await register(rig)]
    expect((await exchange(rig, { ...mine, oneTimeToken: other.oneTimeToken })).status).toBe(401)
    expect((await exchange(rig, { ...mine, tenant: 'demo-tenant' })).status).toBe(403)
    const path = `/v1/clusters/${mine.id}/auth/exchange`
    expect((await call(rig, 'POST', path)).body['message']).toContain('X-Radix-One-Time-Token')
    const headers = { 'X-Radix-One-Time-Token': mine.oneTimeToken }
    expect((await call(rig, 'POST', path, { headers })).body['message']).toContain('X-Radix-Tenant-Id')
    expect((await exchange(rig, mine)).status).toBe(200)
  })
})

describe('An agent', () => {
  test('makes its cluster active with the first heartbeat', async () => {
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    expect(await status(cluster)).toBe('pending')
    expect((await agent.heartbeat()).status).toBe(200)
    expect(await status(cluster)).toBe('active')
    const [seen] = rig.cloud.state().clusters
    expect(seen).toMatchObject({ agentVersion: '1.0.0', capabilities: { cpu_count: 8 } })
    expect(seen?.lastHeartbeat).toEqual(expect.any(String))
  })

  test('needs the token of its own cluster', async () => {
    const [mine, other] = [await register(rig), await register(rig)]
    const agent = await agentOf(rig, mine)
    const beat = (id: string, headers: Readonly<Record<string, string>>) =>
      call(rig, 'POST', `/v1/clusters/${id}/heartbeat`, { headers, body: { status: 'active' } })
    expect((await beat(other.id, agent.headers)).status).toBe(401)
    expect((await beat(mine.id, mine.user)).status).toBe(401)
    expect((await beat(mine.id, { ...agent.headers, 'X-Radix-Tenant-Id': 'other' })).status).toBe(403)
  })

  test('gets each job once, oldest first, and its report is what the status then says', async () => {
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    const [first, second] = [await launchJob(rig, cluster), await launchJob(rig, cluster)]
    const read = (job: string) => call(rig, 'GET', `/v1/jobs/${job}`, { headers: cluster.user })
    expect((await read(first)).body).toMatchObject({ job_id: first, status: 'queued' })
    expect(await agent.poll()).toMatchObject([
      { job_id: first, job_kind: 'resnet50_benchmark', params: resnet.params, orchestration: { num_gpus: 1 } },
    ])
    expect((await read(first)).body).toMatchObject({ status: 'running' })
    expect((await read(first)).body['metrics']).toBeUndefined()
    expect(await agent.poll(5)).toMatchObject([{ job_id: second }])
    expect(await agent.poll(5)).toEqual([])
    expect((await agent.complete(first)).status).toBe(200)
    expect((await read(first)).body).toMatchObject({
      status: 'succeeded',
      metrics: { throughput_images_per_sec: 343.2, duration_seconds: 85.6, exit_code: 0 },
    })
    await agent.complete(second, { status: 'failed', metrics: {}, error_message: 'no CUDA' })
    expect((await read(second)).body).toMatchObject({ status: 'failed', error_message: 'no CUDA' })
  })

  test('may report twice; the first report counts', async () => {
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    const job = await launchJob(rig, cluster)
    expect((await agent.complete(job)).status).toBe(409)
    await agent.poll()
    await agent.complete(job)
    expect((await agent.complete(job, { status: 'failed' })).status).toBe(200)
    expect(rig.cloud.state().clusters[0]?.jobs).toMatchObject([{ status: 'succeeded', handedOut: 1, completions: 2 }])
  })

  test('never gets a job that another one has, however they poll', async () => {
    const cluster = await register(rig)
    const again = await call(rig, 'POST', `/v1/clusters/${cluster.id}/onboarding-token`, { headers: cluster.user })
    const one = await agentOf(rig, cluster)
    const two = await agentOf(rig, { ...cluster, oneTimeToken: String(again.body['one_time_token']) })
    const jobs = await Promise.all(Array.from({ length: 9 }, () => launchJob(rig, cluster)))
    const given = await Promise.all([one, two, one, two, one, two].map(agent => agent.poll(2)))
    const ids = given.flat().map(order => String(order['job_id']))
    expect(ids.toSorted()).toEqual(jobs.toSorted())
  })

  test('gets a container job with its image and command', async () => {
    const cluster = await register(rig)
    const agent = await agentOf(rig, cluster)
    await call(rig, 'POST', '/v1/jobs', {
      headers: cluster.user,
      body: { cluster_id: cluster.id, image: 'nvidia/cuda:12', command: ['nvidia-smi'], gpu_count: 1 },
    })
    expect(await agent.poll()).toMatchObject([
      { job_kind: 'container', image: 'nvidia/cuda:12', command: ['nvidia-smi'], orchestration: { num_gpus: 1 } },
    ])
  })
})

test('No token and no output of a job is kept where it can be read', async () => {
  const cluster = await register(rig)
  const agent = await agentOf(rig, cluster)
  const job = await launchJob(rig, cluster)
  await agent.poll()
  await agent.complete(job)
  const state = JSON.stringify(rig.cloud.state())
  const secrets = [cluster.user.authorization, cluster.oneTimeToken, agent.headers['X-Radix-Cluster-Token']]
  for (const secret of [...secrets, 'canary-output']) expect(state).not.toContain(secret)
  expect(rig.cloud.state().calls).toMatchObject({
    'cluster:CreateCluster': 1,
    'cluster:CreateOnboardingToken': 1,
    'cluster:ExchangeToken': 1,
    'cluster:CompleteJob': 1,
  })
})
