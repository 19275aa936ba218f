import { describe, expect, test } from '@jest/globals'
import { readInputs, UserFault } from '@gpu-actions/action-kit'
import { action } from '../src/action.ts'
import { localEnvironment, openHost } from '../src/hosts.ts'

const read = (given: Readonly<Record<string, string>>) => readInputs(action, id => given[id] ?? '')

const faultsOf = (given: Readonly<Record<string, string>>): readonly string[] => {
  try {
    read(given)
  } catch (error) {
    if (error instanceof UserFault) return error.faults
    throw error
  }
  return []
}

describe('the inputs', () => {
  test('ask for the protocol of the reference unless told otherwise', () => {
    expect(read({ 'instance-id': 'i-0123456789abcdef0' })).toMatchObject({
      mode: 'train',
      profile: 'standard',
      compile: false,
      gpus: '1',
      precision: 'auto',
      memoryFormat: 'channels_last',
      allowCpu: false,
      local: false,
      timeout: 1_800_000,
    })
  })

  test('report all their faults at once', () => {
    const faults = faultsOf({ 'instance-id': 'web-1', precision: 'int4', 'image-size': '16', timeout: 'soon' })
    expect(faults.map(fault => fault.split(':')[0])).toEqual(['instance-id', 'image-size', 'precision', 'timeout'])
  })

  test('name one host, neither none nor two', () => {
    expect(faultsOf({})).toEqual(['instance-id: is required, or ssh-host, or local: true'])
    expect(faultsOf({ local: 'true', 'instance-id': 'i-0123456789abcdef0' })).toEqual([
      'instance-id, local: give only one of them',
    ])
    expect(faultsOf({ local: 'true' })).toEqual([])
  })
})

/** Its body is no key, but in the format of one. */
const pem = '-----BEGIN RSA PRIVATE KEY-----\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----\n'
const ssh = { 'ssh-host': 'gpu.example.com', 'ssh-user': 'ubuntu', 'ssh-key': pem }

describe('the inputs of a host that is reached by ssh', () => {
  test('need a user and a key', () => {
    expect(read(ssh)).toMatchObject({ sshHost: 'gpu.example.com', sshPort: 22, sshUser: 'ubuntu' })
    expect(faultsOf({ 'ssh-host': '10.0.0.1' })).toEqual([
      'ssh-user: is required with ssh-host',
      'ssh-key: is required with ssh-host',
    ])
    expect(faultsOf({ ...ssh, 'ssh-host': 'fe80::1' })).toEqual([])
  })

  test('name no second host, and are nothing without ssh-host', () => {
    expect(faultsOf({ ...ssh, local: 'true' })).toEqual(['ssh-host, local: give only one of them'])
    expect(faultsOf({ ...ssh, 'ssh-host': '', 'ssh-port': '2222', local: 'true' })).toEqual([
      'ssh-port, ssh-user, ssh-key: needs ssh-host',
    ])
    expect(faultsOf({ ...job, ...ssh })).toEqual([
      'ssh-host, ssh-user, ssh-key: is for target: host only; a job cannot be told',
    ])
  })

  test('report all their faults at once, and nothing of the key', () => {
    const faults = faultsOf({
      ...ssh,
      'ssh-key': 'canary',
      'ssh-host-key': 'MD5:00',
      'instance-id': 'i-0123456789abcdef0',
    })
    expect(faults.map(fault => fault.split(':')[0])).toEqual(['instance-id, ssh-host', 'ssh-key', 'ssh-host-key'])
    expect(faults.join()).not.toContain('canary')
  })

  test.each(['-oProxyCommand=id', 'ubuntu@host', 'host:22', 'a b', 'ssh://host'])('refuse %j as a host', host => {
    expect(faultsOf({ ...ssh, 'ssh-host': host })[0]).toMatch(/^ssh-host: /)
  })

  test('refuse a user that ssh would take for something else', () => {
    expect(faultsOf({ ...ssh, 'ssh-user': '-oProxyCommand=id' })[0]).toMatch(/^ssh-user: /)
  })
})

const job = {
  target: 'cluster',
  'cluster-id': 'c-1',
  'api-base': 'https://api.example.com',
  'id-token': 'e30.e30.x',
}
const login = { 'user-pool-id': 'us-west-2_Abc', 'client-id': 'abc', username: 'ci', password: 'secret' }

describe('the inputs of a job of a cluster', () => {
  test('need a cluster, its API and a token or a login', () => {
    expect(faultsOf(job)).toEqual([])
    expect(faultsOf({ ...job, 'id-token': '', ...login })).toEqual([])
    expect(faultsOf({ target: 'cluster' })).toEqual([
      'cluster-id: is required with target: cluster',
      'api-base: is required with target: cluster',
      'id-token: is required with target: cluster, or a whole login in its place',
    ])
  })

  test('take a whole login or none', () => {
    expect(faultsOf({ ...job, ...login, password: '', 'client-id': '' })).toEqual([
      'client-id, password: a new login needs user-pool-id, client-id, username and password, all or none of them',
    ])
    expect(faultsOf({ ...job, 'client-secret': 'x' })).toHaveLength(1)
  })

  test('refuse what a job cannot be told, all of it at once', () => {
    const unsaid = {
      local: 'true',
      mode: 'inference',
      precision: 'fp32',
      'memory-format': 'contiguous',
      python: 'python3',
      pytorch: '2.9.1',
    }
    expect(faultsOf({ ...job, ...unsaid })).toEqual([
      'local, mode, precision, memory-format, python, pytorch: is for target: host only; a job cannot be told',
    ])
  })

  test('do not pass by unseen when the target was forgotten', () => {
    expect(faultsOf({ local: 'true', 'cluster-id': 'c-1' })).toEqual(['cluster-id: is for target: cluster only'])
  })

  test('name no secret in a fault', () => {
    const faults = faultsOf({ ...job, password: 'canary-password', 'id-token': 'canary-token', 'image-size': '1' })
    expect(faults.join()).not.toContain('canary')
  })
})

describe('the host', () => {
  test('needs a region, and says how to give one', async () => {
    const silent = () => undefined
    const log = {
      debug: silent,
      info: silent,
      notice: silent,
      warning: silent,
      error: silent,
      untrusted: silent,
      group: <T>(_: string, work: () => Promise<T>) => work(),
    }
    const clock = { now: () => 0, sleep: async () => undefined, random: () => 0 }
    const choice = { instanceId: 'i-0123456789abcdef0', local: false }
    const run = { repository: 'org/consumer', runId: '1', temp: '/tmp' }
    const idToken = () => Promise.reject(new Error('no role to take'))
    await expect(openHost(choice, { clock, log, environment: { AWS_REGION: '' }, run, idToken })).rejects.toThrow(
      UserFault,
    )
  })

  test('that is the runner sees no token and no input', () => {
    const environment = {
      PATH: '/usr/bin',
      OMP_NUM_THREADS: '2',
      GITHUB_TOKEN: 'canary',
      INPUT_PYTHON: 'canary',
      AWS_SECRET_ACCESS_KEY: 'canary',
      ACTIONS_RUNTIME_TOKEN: 'canary',
      HOME: undefined,
    }
    expect(localEnvironment(environment)).toEqual({ PATH: '/usr/bin', OMP_NUM_THREADS: '2' })
  })
})
