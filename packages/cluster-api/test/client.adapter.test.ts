import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { OutsideFault, systemClock, type Clock } from '@gpu-actions/action-kit/ports'
import { ApiFault, clusterApi, dialectWith, waitForJob, type ClusterApiOptions } from '../src/index.ts'
import { misbehavingServer, type MisbehavingServer } from './misbehaving-server.ts'

/** Backs off a hundred times as fast. */
const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) }

let server: MisbehavingServer
beforeEach(async () => {
  server = await misbehavingServer()
})
afterEach(() => server.stop())

function rig(more: Partial<ClusterApiOptions> = {}) {
  const masked: string[] = []
  const lines: string[] = []
  const keep = (line: string): void => void lines.push(line)
  const api = clusterApi({
    base: `${server.base}/`,
    token: () => Promise.resolve('token-1'),
    clock: hasty,
    log: { debug: keep, info: keep, warning: keep },
    mask: secret => void masked.push(secret),
    requestMs: 2_000,
    ...more,
  })
  return { api, masked, lines }
}

const clusters = 'POST /v1/clusters'
const made = { code: 201, body: { cluster_id: 'c-1', tenant_id: 't-1' } }
const wish = { name: 'ci-gpu-bench', region: 'us-west-2' }

describe('Registering', () => {
  test('sends name and region, masks both ids, and takes any success code', async () => {
    for (const code of [200, 201, 202]) {
      server.on(clusters, { ...made, code })
      const { api, masked } = rig()
      expect(await api.register(wish)).toEqual({ id: 'c-1', name: 'ci-gpu-bench', tenantId: 't-1' })
      expect(masked).toEqual(['c-1', 't-1'])
    }
    expect(server.received[0]).toMatchObject({ body: wish, authorization: 'Bearer token-1' })
  })

  test('takes the id under its other name, and the usual tenant where none is told', async () => {
    server.on(clusters, { code: 200, body: { id: 7 } })
    expect(await rig().api.register({ name: 'x' })).toEqual({ id: '7', name: 'x', tenantId: 'demo-tenant' })
    expect(server.received[0]?.body).toEqual({ name: 'x' })
  })

  test('says what it looked for when there is no id, or no JSON', async () => {
    server.on(clusters, { code: 200, body: {} })
    await expect(rig().api.register(wish)).rejects.toThrow('names no cluster id (looked for cluster_id, id')
    server.on(clusters, { code: 200, body: '<html>' })
    await expect(rig().api.register(wish)).rejects.toThrow('is not JSON')
  })

  test('whose reply was lost is found by name where the API lists clusters, and not repeated', async () => {
    server.on('GET /v1/clusters', {
      code: 200,
      body: {
        clusters: [
          { name: 'other', id: 'c-0' },
          { name: wish.name, id: 'c-9' },
        ],
      },
    })
    server.on(clusters, { cut: true })
    server.on('GET /v1/clusters/c-9', { code: 200, body: { status: 'pending', tenant_id: 'tenant-9' } })
    const { api, masked } = rig()
    expect(await api.register(wish)).toMatchObject({ id: 'c-9', tenantId: 'tenant-9' })
    expect(server.count(clusters)).toBe(1)
    expect(masked).toContain('c-9')
  })

  test('is repeated with a warning and the same key where the API does not list', async () => {
    server.on(clusters, { cut: true }, { code: 502 }, made)
    const { api, lines } = rig()
    expect((await api.register(wish)).id).toBe('c-1')
    expect(lines.filter(line => line.includes('may have been done nevertheless'))).toHaveLength(2)
    const keys = server.received
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => headers['idempotency-key'])
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('Requests', () => {
  const status = 'GET /v1/clusters/c-1'
  const active = { code: 200, body: { status: 'active' } }

  test.each([
    ['a closed connection', [{ cut: true }, active]],
    ['servers in trouble', [{ code: 500 }, { code: 503 }, { code: 502 }, active]],
    ['throttling', [{ code: 429, headers: { 'retry-after': '1' } }, active]],
  ] as const)('live through %s', async (_, events) => {
    server.on(status, ...events)
    expect(await rig().api.cluster('c-1')).toMatchObject({ ready: true })
  })

  test('live through a restart of the server', async () => {
    server.on(status, active)
    await server.stop()
    const asked = rig({
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 5, signal) },
    }).api.cluster('c-1')
    await server.start()
    expect(await asked).toMatchObject({ ready: true })
  })

  test('do not wait for a server that does not answer', async () => {
    server.on(status, { silent: true }, active)
    expect(await rig({ requestMs: 200 }).api.cluster('c-1')).toMatchObject({ ready: true })
  })

  test('wait as long as the server wants', async () => {
    const slept: number[] = []
    const clock: Clock = { ...systemClock, random: () => 0.5, sleep: async ms => void slept.push(ms) }
    server.on(status, { code: 429, headers: { 'retry-after': '7' } }, { code: 503 }, active)
    await rig({ clock }).api.cluster('c-1')
    expect(slept).toEqual([7_000, 1_000])
  })

  test('end with words of their own for each kind of failure', async () => {
    const { host } = new URL(server.base)
    const words = async (event: Parameters<MisbehavingServer['on']>[1]) => {
      server.on(status, event)
      const fault: unknown = await rig({ requestMs: 100 })
        .api.cluster('c-1')
        .catch((error: unknown) => error)
      if (!(fault instanceof ApiFault)) throw new Error(`no fault: ${String(fault)}`)
      return [
        fault.message.replace('Asking how the cluster stands failed: ', '').replace(host, 'HOST'),
        fault.advice,
      ] as const
    }
    const said = [
      await words({ code: 401, body: { message: 'Unauthorized' } }),
      await words({ code: 403, body: 'not for you' }),
      await words({ code: 429 }),
      await words({ code: 503 }),
      await words({ code: 302, headers: { location: 'https://elsewhere.example.com' } }),
      await words({ code: 422, body: { detail: 'name: too long' } }),
      await words({ code: 409, body: { message: 'limit' } }),
      await words({ cut: true }),
      await words({ silent: true }),
    ]
    expect(said.map(([message]) => message)).toEqual([
      'HOST refused the id token, and no new one could be got (401: Unauthorized)',
      'HOST does not allow it (403: not for you)',
      'HOST throttled it until the end (429)',
      'HOST is in trouble (503)',
      'HOST sends elsewhere (302)',
      'HOST did not accept it (422: name: too long)',
      'HOST says that it conflicts with what there is (409: limit)',
      'HOST gave no answer, the connection was closed',
      'HOST gave no answer, it did not answer in time',
    ])
    expect(said.every(([, advice]) => advice.length > 20)).toBe(true)
    await server.stop()
    const refused = rig().api.cluster('c-1')
    await expect(refused).rejects.toThrow('nothing listens there')
    await server.start()
  })

  test('end at once when they are aborted', async () => {
    server.on(status, { silent: true })
    const cancel = new AbortController()
    const asked = rig().api.cluster('c-1', { signal: cancel.signal })
    cancel.abort(new Error('cancelled'))
    await expect(asked).rejects.toThrow('cancelled')
  })

  test('carry no token to another address', async () => {
    const other = await misbehavingServer()
    server.on(status, { code: 307, headers: { location: `${other.base}/v1/clusters/c-1` } })
    await expect(rig().api.cluster('c-1')).rejects.toThrow('sends elsewhere')
    expect(other.received).toEqual([])
    await other.stop()
  })
})

describe('A refused id token', () => {
  const status = 'GET /v1/clusters/c-1'
  const refused = { code: 401, body: { message: 'Unauthorized' } }

  test('leads to one new login', async () => {
    server.on(status, refused, { code: 200, body: { status: 'active' } })
    let token = 'old'
    const { api, lines } = rig({
      token: async last => {
        if (last === 'old') token = 'new'
        return token
      },
    })
    expect(await api.cluster('c-1')).toMatchObject({ ready: true })
    expect(server.received.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new'])
    expect(lines.join()).not.toMatch(/old|new$/)
  })

  test('is a failure that says so when the new one is refused, too', async () => {
    server.on(status, refused)
    let logins = 0
    const { api } = rig({ token: async last => (last === undefined ? `token-${logins}` : `token-${++logins}`) })
    await expect(api.cluster('c-1')).rejects.toThrow('refused the id token again after a new login')
    expect([logins, server.count(status)]).toEqual([1, 2])
  })

  test('is a failure with the words of the login when that fails', async () => {
    server.on(status, refused)
    const login = new OutsideFault({ what: 'The password is wrong', advice: 'Rotate it.' })
    const { api } = rig({ token: last => (last === undefined ? Promise.resolve('t') : Promise.reject(login)) })
    const failed = api.cluster('c-1')
    await expect(failed).rejects.toMatchObject({ advice: 'Rotate it.' })
    await expect(failed).rejects.toThrow('The password is wrong')
    server.on(status, { code: 403 })
    await expect(api.cluster('c-1')).rejects.toThrow('does not allow it')
  })
})

describe('A job', () => {
  const jobs = 'POST /v1/clusters/c-1/jobs'
  const [first, second, third] = ['GET /v1/jobs/j-1', 'GET /v1/clusters/c-1/jobs/j-1', 'GET /v1/jobs/j-1/status']
  const sizes = { epochs: 1, batchSize: 128 }
  const done = { code: 200, body: { state: 'completed', throughput: 343.2 } }

  test.each([
    { job: { job_id: 'j-1', id: 'no' } },
    { job_id: 'j-1', id: 'no' },
    { id: 'j-1', jobId: 'no' },
    { jobId: 'j-1' },
  ])('is started with its sizes, and its id found in %j', async body => {
    server.on(jobs, { code: 202, body })
    expect(await rig().api.startJob('c-1', sizes)).toBe('j-1')
    expect(server.received[0]?.body).toEqual({
      job_kind: 'resnet50_benchmark',
      params: { epochs: 1, batch_size: 128 },
    })
  })

  test('gets the body that configuration asks for', async () => {
    server.on(jobs, { code: 200, body: { job_id: 'j-1' } })
    const dialect = dialectWith({ bodies: { job: { kind: 'r', batch: '{batchSize}', steps: '{steps}' } } })
    await rig({ dialect }).api.startJob('c-1', { ...sizes, more: { steps: 3 } })
    expect(server.received[0]?.body).toEqual({ kind: 'r', batch: 128, steps: 3 })
  })

  test('beyond the limit of jobs is refused with words about the limit', async () => {
    server.on(jobs, { code: 409, body: { message: 'The limit is reached' } })
    await expect(rig().api.startJob('c-1', sizes)).rejects.toMatchObject({ advice: expect.stringContaining('limit') })
    expect(server.count(jobs)).toBe(1)
  })

  test.each([first, second, third])('is found at %s, which is asked alone from then on', async path => {
    server.on(path, { code: 200, body: { status: 'running' } }, done)
    const { api } = rig()
    expect(await api.job('c-1', 'j-1')).toMatchObject({ class: 'running' })
    const before = server.received.length
    expect(await api.job('c-1', 'j-1')).toMatchObject({ class: 'success', throughput: 343.2 })
    expect(server.received.slice(before).map(({ method, path: asked }) => `${method} ${asked}`)).toEqual([path])
  })

  test('is looked for on other paths after 404 and lost connections only', async () => {
    server.on(first, { cut: true })
    server.on(second, done)
    expect(await rig().api.job('c-1', 'j-1')).toMatchObject({ class: 'success' })
    for (const code of [401, 403, 400, 500, 429]) {
      const before = server.count(second)
      server.on(first, { code })
      await expect(rig().api.job('c-1', 'j-1')).rejects.toThrow(String(code))
      expect(server.count(second)).toBe(before)
    }
  })

  test('that no path knows is null; when one path was not reached, that is the failure', async () => {
    expect(await rig().api.job('c-1', 'j-1')).toBeNull()
    server.on(third, { cut: true })
    await expect(rig().api.job('c-1', 'j-1')).rejects.toThrow('the connection was closed')
  })

  test('is waited for through dropped requests, restarts and an expired token', async () => {
    const running = { code: 200, body: { status: 'running' } }
    server.on(first, running, { cut: true }, { cut: true }, { cut: true }, { code: 401 }, { code: 503 }, running, done)
    let token = 'old'
    const { api } = rig({ token: async last => (last === undefined ? token : (token = 'new')) })
    const ports = { clock: hasty, log: { info: () => {}, warning: () => {} } }
    const outcome = await waitForJob(api, { clusterId: 'c-1', id: 'j-1' }, ports, { timeoutMs: 60_000 })
    expect(outcome).toMatchObject({ status: 'completed', report: { throughput: 343.2 } })
  })
})

describe('The end', () => {
  test('of a cluster is success when it is not there any more', async () => {
    const remove = 'DELETE /v1/clusters/c-1'
    server.on(remove, { code: 204 })
    expect(await rig().api.delete('c-1')).toBe('deleted')
    for (const code of [404, 410]) {
      server.on(remove, { code })
      expect(await rig().api.delete('c-1')).toBe('was-gone')
    }
    server.on(remove, { cut: true }, { code: 404 })
    expect(await rig().api.delete('c-1')).toBe('was-gone')
    expect(await rig().api.cluster('c-1')).toBeNull()
  })
})

describe('A list of clusters', () => {
  test('names all that have an id and a name, ids masked', async () => {
    const body = {
      clusters: [{ name: 'one', id: 'c-1' }, { name: 'nameless' }, { id: 'c-2' }, { name: 'two', cluster_id: 'c-3' }],
    }
    server.on('GET /v1/clusters', { code: 200, body })
    const { api, masked } = rig()
    expect(await api.clusters()).toEqual([
      { id: 'c-1', name: 'one' },
      { id: 'c-3', name: 'two' },
    ])
    expect(masked).toEqual(['c-1', 'c-3'])
  })

  test('is null where the API does not list', async () => {
    server.on('GET /v1/clusters', { code: 404 })
    expect(await rig().api.clusters()).toBeNull()
  })
})

describe('A one-time token', () => {
  const path = 'POST /v1/clusters/c-1/onboarding-token'

  test('is masked before it is given', async () => {
    server.on(path, { code: 200, body: { one_time_token: 'ott-canary' } })
    const { api, masked, lines } = rig()
    expect(await api.onboardingToken('c-1')).toBe('ott-canary')
    expect(masked).toEqual(['ott-canary'])
    expect(lines.join()).not.toContain('canary')
    expect(server.received[0]?.body).toBeNull()
  })

  test('that is not in the reply is a failure without the reply in it', async () => {
    server.on(path, { code: 200, body: { token: 'ott-canary' } })
    await expect(rig().api.onboardingToken('c-1')).rejects.toThrow(/holds no one-time token \(looked for [^c]*$/)
  })
})
