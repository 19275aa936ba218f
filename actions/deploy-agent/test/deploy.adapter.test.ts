import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { DeleteParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { appClients, type CloudState, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { callsSince } from '../../provision-ec2-gpu/test/fixtures/job.ts'
import { listingApi, type ListingApi } from './fixtures/listing-api.ts'
import {
  commandLines,
  endPrograms,
  idTokenFor,
  loginInputs,
  masks,
  python,
  shown,
  startCloud,
  startRig,
  type Rig,
} from './fixtures/rig.ts'

jest.setTimeout(180_000)

const needsPython = python === '' && process.env['CI'] !== 'true' ? describe.skip : describe

/** Changes a record. */
async function change(file: string, edit: (record: Record<string, unknown>) => Record<string, unknown>): Promise<void> {
  await writeFile(file, JSON.stringify(edit(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>)))
}

needsPython('deploy-agent', () => {
  let cloud: OfflineCloud
  let rig: Rig
  let before: CloudState
  let ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    cloud = await startCloud()
    // One machine for all: an agent that is installed replaces the one before.
    rig = await startRig(cloud)
  })
  afterAll(async () => {
    await rig.end()
    await cloud.stop()
  })
  beforeEach(() => {
    rig.startAnew()
    before = cloud.state()
  })
  afterEach(async () => {
    await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
    for (const end of ends) await end()
    ends = []
  })

  /** The API behind a front that lists clusters. */
  async function listing(): Promise<ListingApi> {
    const api = await listingApi(cloud)
    ends.push(() => api.end())
    return api
  }

  /** Without those of an agent that is still on the machine. */
  const calls = (): readonly string[] =>
    callsSince(cloud, before).filter(call => !/^cluster:(ExchangeToken|Heartbeat|PollJobs)$/.test(call))
  const living = (): readonly string[] => rig.clusters().flatMap(({ id, deleted }) => (deleted ? [] : [id]))
  const parameterName = (): string => `/gpu-actions/${rig.leaseId}/onboarding-token`

  test('registers the machine, brings its agent to life, and tells who it is', async () => {
    const step = await rig.main()
    expect(step.log).not.toContain('::error')
    expect(step.exitCode).toBe(0)
    const [cluster, ...more] = rig.clusters()
    expect(more).toEqual([])
    expect(cluster).toMatchObject({ name: `round-1-${rig.leaseId}`, region: 'us-west-2', status: 'active' })
    expect(step.outputs).toMatchObject({ 'cluster-id': cluster?.id, 'agent-version': cluster?.agentVersion })
    expect(Number(step.outputs['activation-seconds'])).toBeGreaterThan(0)
    expect(await rig.record()).toMatchObject({ status: 'active', leaseId: rig.leaseId, token: null, error: null })
    expect(cloud.state().parameters).toEqual([])
    // The job ends, and no teardown was there.
    expect((await rig.post(step)).exitCode).toBe(0)
    expect(living()).toEqual([])
  })

  test('leaves no secret in log, state, files, process table, command history or user data', async () => {
    const lines = new Set<string>()
    let looked = 0
    const collect = async (): Promise<boolean> => {
      if (Date.now() - looked < 30) return false
      for (const line of await commandLines()) lines.add(line)
      looked = Date.now()
      return false
    }
    const step = await rig.main({
      inputs: { ...loginInputs, 'client-secret': 'canary-client-secret' },
      killWhen: collect,
    })
    expect(step.exitCode).toBe(0)
    const post = await rig.post(step, { inputs: loginInputs })
    const oneTime = masks(step).filter(value => value.startsWith('ott_'))
    expect(oneTime).toHaveLength(1)
    const secrets = [rig.idToken, loginInputs.password, 'canary-client-secret', ...oneTime]
    for (const secret of secrets.slice(0, 2)) expect(masks(post)).toContain(secret)
    for (const secret of secrets) expect(masks(step)).toContain(secret)
    // The whole agent was seen at work, on this computer as in the guest.
    expect([...lines].join()).toContain('gpu_actions_agent.py')
    const everything = [
      shown(step),
      shown(post),
      JSON.stringify(step.state),
      JSON.stringify(await rig.files()),
      [...lines].join('\n'),
      JSON.stringify(cloud.state()),
    ]
    for (const secret of secrets) for (const place of everything) expect(place).not.toContain(secret)
    // The API's own ids are hidden in the log as well.
    expect(shown(step)).not.toContain(step.outputs['cluster-id'])
  })

  test('brings home why the agent is not active, ends the cluster, and needs no post', async () => {
    cloud.addFaults([{ kind: 'agent-never-active' }])
    const step = await rig.main({ inputs: { 'activation-timeout': '5s' } })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('did not become active: it is still pending after 5s')
    expect(step.log).toContain('What to do: ')
    expect(step.log).toContain('== Agent log')
    expect(rig.clusters()).toMatchObject([{ deleted: true }])
    expect(cloud.state().parameters).toEqual([])
    const record = await rig.record()
    expect(record).toMatchObject({ status: 'deleted', token: null, activationSeconds: null })
    expect(record['error']).toContain('did not become active')
    const files = await rig.files()
    const log = Object.entries(files).find(([path]) => path.endsWith('logs/agent.log'))?.[1] ?? ''
    expect(log).toContain('"event": "agent-started"')
    for (const secret of masks(step)) expect(log).not.toContain(secret)
    before = cloud.state()
    const post = await rig.post(step)
    expect(post.log).toContain('has ended already')
    expect(calls()).toEqual([])
  })

  test('refuses a production host before anything is sent', async () => {
    const inputs = { 'production-hosts': 'api.example.com, 127.0.0.1', 'on-production': 'refuse' }
    const step = await rig.main({ inputs })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('a production host, and `on-production` is refuse. Nothing was created')
    expect(calls()).toEqual([])
    expect(step.state).toEqual({})
    expect((await rig.post(step)).log).toContain('Nothing was registered, nothing to end.')
    // The documented default, without a word about it: a warning, and then its name is looked up.
    const warned = await rig.main({ inputs: { 'api-base': 'https://api.vaultscaler.com' } })
    expect(warned.log).toContain('::warning::The cluster API at api.vaultscaler.com is PRODUCTION')
    expect(living()).toEqual([])
  })

  test.each<[string, () => Promise<Record<string, string>>, string]>([
    ['a name that does not resolve', async () => ({ 'api-base': 'https://api.invalid' }), 'could not be resolved'],
    ['an API that is not there', async () => ({ 'api-base': 'http://127.0.0.1:9' }), 'gave no answer'],
    ['a machine that is not there', async () => ({ 'instance-id': 'i-00000000000000000' }), 'does not reach i-0000'],
    [
      'a token of another client',
      async () => ({ 'id-token': await idTokenFor(cloud, appClients.other.id) }),
      'refused the id token',
    ],
  ])('registers nothing with %s', async (_, change, words) => {
    const step = await rig.main({ inputs: await change() })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain(words)
    expect(step.log).toContain('What to do: ')
    expect(rig.clusters()).toEqual([])
    expect((await rig.post(step)).exitCode).toBe(0)
  })

  test('names the permission that the role lacks, and ends the cluster', async () => {
    cloud.addFaults([{ kind: 'denied', operation: 'PutParameter', count: null }])
    const step = await rig.main()
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('Allow ssm:PutParameter')
    expect(rig.clusters()).toMatchObject([{ deleted: true }])
  })

  test('neither overwrites nor deletes a parameter that is there already', async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = cloud.env
    const credentials = { accessKeyId, secretAccessKey }
    const client = new SSMClient({ region: 'us-west-2', endpoint: cloud.url, credentials })
    const name = parameterName()
    await client.send(new PutParameterCommand({ Name: name, Value: 'of another', Type: 'SecureString' }))
    const step = await rig.main()
    expect(step.log).toContain(`The parameter ${name} exists already in us-west-2, and is not overwritten`)
    expect(await rig.post(step)).toMatchObject({ exitCode: 0 })
    expect(cloud.state().parameters.map(parameter => parameter.name)).toContain(name)
    expect(living()).toEqual([])
    await client.send(new DeleteParameterCommand({ Name: name }))
    client.destroy()
  })

  test('takes its agent off a machine that was not rented in this job', async () => {
    const elsewhere = { env: { RUNNER_TEMP: join(rig.job.temp, 'elsewhere') } }
    const step = await rig.main(elsewhere)
    expect(step.exitCode).toBe(0)
    const instance = rig.inputs['instance-id'] ?? ''
    const ours = (): CloudState['clusters'] =>
      cloud.state().clusters.filter(({ id }) => id === step.outputs['cluster-id'])
    expect(ours()[0]?.name).toMatch(new RegExp(`-\\d+-1-${instance.slice(-8)}$`))
    expect((await commandLines()).join()).toContain('gpu_actions_agent.py')
    expect(await rig.post(step, elsewhere)).toMatchObject({ exitCode: 0 })
    expect(ours()).toMatchObject([{ deleted: true }])
    expect((await commandLines()).join()).not.toContain('gpu_actions_agent.py')
  })

  test('says what a machine lacks for the agent in an image, and leaves nothing', async () => {
    const step = await rig.main({
      inputs: { agent: 'image', 'agent-image': 'example.invalid/agent:1', 'allow-cpu': '' },
    })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('The container example.invalid/agent:1 was not started on')
    expect(step.log).toMatch(/This image has no docker|could not be pulled/)
    expect(step.log).toContain('== Containers')
    expect(rig.clusters()).toMatchObject([{ deleted: true }])
    expect(cloud.state().parameters).toEqual([])
  })

  test('post ends cluster and parameter although the records of the run directory cannot be read', async () => {
    const step = await rig.main()
    expect(step.exitCode).toBe(0)
    const folder = join(rig.job.temp, 'gpu-actions', rig.leaseId)
    const lease = await readFile(join(folder, 'lease.json'), 'utf8')
    for (const file of ['agent.json', 'lease.json']) await writeFile(join(folder, file), '{ "schema": "gpu-')
    const post = await rig.post(step)
    await writeFile(join(folder, 'lease.json'), lease)
    expect(post).toMatchObject({ exitCode: 0 })
    expect(living()).toEqual([])
  })

  test('keeps the cluster of a lease that is kept', async () => {
    const step = await rig.main()
    const file = `${rig.job.temp}/gpu-actions/${rig.leaseId}/lease.json`
    await change(file, lease => ({ ...lease, onJobEnd: 'keep' }))
    const post = await rig.post(step)
    expect(post.log).toContain('is kept with its lease')
    expect(living()).toHaveLength(1)
    await change(file, lease => ({ ...lease, onJobEnd: 'terminate' }))
    await rig.post(step)
    expect(living()).toEqual([])
  })

  describe('that dies', () => {
    test('between the registration and its outputs leaves nothing', async () => {
      const step = await rig.main({ killWhen: async ({ state }) => /"clusterId":"/.test(state) })
      expect(step).toMatchObject({ exitCode: null, outputs: {} })
      expect(living()).toHaveLength(1)
      expect(await rig.post(step)).toMatchObject({ exitCode: 0 })
      expect(living()).toEqual([])
    })

    test('before the reply of the registration leaves nothing where the API lists clusters', async () => {
      const api = await listing()
      api.next('held')
      const inputs = { 'api-base': api.base }
      const step = await rig.main({ inputs, killWhen: async () => rig.clusters().length > 0 })
      expect(step.exitCode).toBeNull()
      expect(await rig.post(step, { inputs })).toMatchObject({ exitCode: 0 })
      expect(rig.clusters()).toMatchObject([{ deleted: true }])
    })

    test('before the reply of the registration says what may be left where it does not', async () => {
      cloud.addFaults([{ kind: 'slow-reply', operation: 'cluster:CreateCluster', seconds: 3 }])
      const step = await rig.main({ killWhen: async ({ state }) => state.includes('"registering"') })
      const post = await rig.post(step)
      expect(post.exitCode).toBe(1)
      expect(post.log).toContain(`-${rig.leaseId} was registered at 127.0.0.1`)
      expect(post.log).toContain('in the dashboard of 127.0.0.1')
    })

    test('with the one-time token in its parameter leaves neither', async () => {
      const stored = async (): Promise<boolean> => cloud.state().parameters.some(({ name }) => name === parameterName())
      const step = await rig.main({ killWhen: stored })
      expect(step.exitCode).toBeNull()
      expect(await rig.post(step)).toMatchObject({ exitCode: 0 })
      expect(cloud.state().parameters.map(({ name }) => name)).not.toContain(parameterName())
      expect(living()).toEqual([])
    })

    test('by a cancellation says so, and post ends what was begun', async () => {
      cloud.addFaults([{ kind: 'agent-never-active' }])
      const waiting = async (): Promise<boolean> => rig.clusters().some(({ lastHeartbeat }) => lastHeartbeat !== null)
      const step = await rig.main({ killWhen: waiting, signal: 'SIGINT' })
      expect(step.exitCode).toBe(1)
      expect(step.log).toContain('Cancelled')
      expect(await rig.post(step)).toMatchObject({ exitCode: 0 })
      expect(living()).toEqual([])
    })
  })

  test('registers one cluster when the reply is lost and the API lists clusters', async () => {
    const api = await listing()
    api.next('lost')
    const inputs = { 'api-base': api.base }
    const step = await rig.main({ inputs })
    expect(shown(step)).not.toContain('::error')
    expect(rig.clusters()).toMatchObject([{ status: 'active' }])
    await rig.post(step, { inputs })
    expect(living()).toEqual([])
  })

  test('says that a second cluster may be there when the reply is lost and the API does not list', async () => {
    cloud.addFaults([{ kind: 'lost-reply', operation: 'cluster:CreateCluster' }])
    const step = await rig.main()
    expect(step.exitCode).toBe(0)
    expect(step.log).toContain('::warning::Registering cluster')
    expect(rig.clusters()).toHaveLength(2)
    expect(step.log).toContain('may be there, without an agent. Look in its dashboard')
    await rig.post(step)
    expect(living()).toHaveLength(1)
  })
})

needsPython('deploy-agent, hours later', () => {
  let cloud: OfflineCloud
  let rig: Rig
  beforeAll(async () => {
    cloud = await startCloud()
    rig = await startRig(cloud)
  })
  afterAll(async () => {
    await rig.end()
    await cloud.stop()
  })
  afterAll(endPrograms)

  test('says what is left when the id token has expired, and ends it where it can log in again', async () => {
    const step = await rig.main()
    expect(step.exitCode).toBe(0)
    await fetch(`${cloud.url}/_offline/clock`, { method: 'POST', body: JSON.stringify({ advanceSeconds: 7200 }) })
    const alone = await rig.post(step)
    expect(alone.exitCode).toBe(1)
    expect(alone.log).toContain(`Cluster round-0-${rig.leaseId} at 127.0.0.1`)
    expect(alone.log).toContain('could not be ended')
    expect(alone.log).toContain(`delete the cluster named round-0-${rig.leaseId} in the dashboard`)
    expect(alone.log).toContain('user-pool-id, client-id, username and password')
    expect(cloud.state().living.clusters).toBe(1)
    const post = await rig.post(step, { inputs: loginInputs })
    expect(post.log).toContain('Logging in to the Cognito user pool')
    expect(post.exitCode).toBe(0)
    expect(cloud.state().living.clusters).toBe(0)
    for (const secret of [rig.idToken, loginInputs.password]) expect(shown(post)).not.toContain(secret)
  })
})
