import { describe, expect, test } from '@jest/globals'
import { readInputs, UserFault } from '@gpu-actions/action-kit'
import { productionHosts } from '@gpu-actions/cluster-api'
import { action } from '../src/action.ts'

const needed = {
  'instance-id': 'i-0123456789abcdef0',
  'api-base': 'https://api.example.com',
  'id-token': 'canary-token',
}
const login = { 'user-pool-id': 'us-west-2_AbCdEf123', 'client-id': 'abc', username: 'ci', password: 'canary-password' }

const read = (more: Readonly<Record<string, string>>, base: Readonly<Record<string, string>> = needed) => {
  const given = { ...base, ...more }
  return readInputs(action, id => given[id as keyof typeof given] ?? '')
}
function faults(more: Readonly<Record<string, string>>, base = needed): readonly string[] {
  try {
    read(more, base)
    return []
  } catch (error) {
    if (error instanceof UserFault) return error.faults
    throw error
  }
}

describe('the inputs of deploy-agent', () => {
  test('have the defaults of the reference', () => {
    expect(read({})).toMatchObject({
      clusterName: 'ci-gpu-bench',
      agent: 'reference',
      activationTimeout: 600_000,
      productionHosts,
      onProduction: 'warn',
      allowCpu: false,
    })
  })

  test('are all named at once when they are wrong, and no secret is shown', () => {
    const found = faults(
      {
        'aws-region': 'oregon',
        'cluster-name': 'CI GPU',
        agent: 'mine',
        'agent-image': '--privileged',
        'activation-timeout': 'soon',
        'production-hosts': 'https://api.example.com',
        'on-production': 'maybe',
        'kms-key-id': 'my key',
        'lease-id': '../x',
        'image-size': '1',
        'user-pool-id': 'pool',
      },
      { ...needed, 'instance-id': 'machine', 'api-base': '' },
    )
    expect(new Set(found.map(fault => fault.split(':')[0]))).toEqual(
      new Set([
        'activation-timeout',
        'agent',
        'agent-image',
        'api-base',
        'aws-region',
        'cluster-name',
        'image-size',
        'instance-id',
        'kms-key-id',
        'lease-id',
        'on-production',
        'production-hosts',
        'user-pool-id',
      ]),
    )
    expect(found.join()).not.toContain('canary')
  })

  test('of a login are all there or none', () => {
    expect(faults(login)).toEqual([])
    expect(faults({ ...login, 'client-secret': 's' })).toEqual([])
    expect(faults({ username: 'ci', password: 'p' })).toEqual([
      'user-pool-id, client-id: a new login needs user-pool-id, client-id, username and password, all or none of them',
    ])
    expect(faults({ 'client-secret': 's' })).toEqual([
      'user-pool-id, client-id, username, password: a new login needs user-pool-id, client-id, username and password, all or none of them',
    ])
  })

  test('of one agent are refused for the other', () => {
    expect(faults({ 'agent-image': 'registry.example.com/agent:1' })).toEqual(['agent-image: is for agent: image only'])
    expect(faults({ agent: 'image', 'agent-image': 'registry.example.com/agent@sha256:00' })).toEqual([])
    expect(faults({ agent: 'image', 'allow-cpu': 'true', 'image-size': '64' })).toEqual([
      'allow-cpu, image-size: for agent: reference only',
    ])
  })
})
