import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import {
  onDemandPrice,
  regions,
  startOfflineCloud,
  type CloudState,
  type OfflineCloud,
} from '@gpu-actions/offline-cloud'
import {
  callsSince,
  livingOf,
  machinesOf,
  quick,
  startJob,
  timings,
  type Job,
  type StepResult,
} from './fixtures/job.ts'

jest.setTimeout(120_000)

const name = 'provision-ec2-gpu'
let cloud: OfflineCloud
let job: Job
let before: CloudState
beforeAll(async () => void (cloud = await startOfflineCloud({ scenario: { timings } })))
afterAll(() => cloud.stop())
beforeEach(async () => {
  job = await startJob(cloud)
  before = cloud.state()
})
afterEach(async () => {
  await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
  await job.end()
})

const lease = (step: StepResult): string => step.outputs['lease-id'] ?? ''
/** The offline world's own, which no table has: what is shown was read live. */
const price = String(onDemandPrice('us-west-2', 'g5.2xlarge'))
const launches = (): number => callsSince(cloud, before).filter(call => call === 'ec2:RunInstances').length

/** The safety net, and what of the lease lives after it. */
async function finish(step: StepResult): Promise<{ readonly post: StepResult; readonly living: readonly string[] }> {
  const post = await job.post(name, { state: step.state })
  return { post, living: livingOf(cloud.state(), lease(step)) }
}

describe('provisioning', () => {
  test('waits for its machine on a runner whose clock is hours ahead, and its end is not yet there', async () => {
    const ahead = join(import.meta.dirname, 'fixtures/clock-ahead.ts')
    const step = await job.main(name, { inputs: quick, env: { NODE_OPTIONS: `--import ${ahead}` } })
    expect(step).toMatchObject({ exitCode: 0 })
    const lives = Date.parse(step.outputs['expires-at'] ?? '') - Date.now()
    expect(lives).toBeLessThan(45 * 60_000)
    expect(lives).toBeGreaterThan(43 * 60_000)
    expect((await finish(step)).living).toEqual([])
  })

  test('gives a machine that is marked, limited and reachable, and post ends it with a receipt', async () => {
    const step = await job.main(name, { inputs: { ...quick, tags: 'team=ml', ttl: '30m' } })
    expect(step).toMatchObject({ exitCode: 0 })
    const [machine] = machinesOf(cloud.state(), lease(step))
    expect(step.outputs).toMatchObject({
      'instance-id': machine?.id,
      'instance-type': 'g5.2xlarge',
      'aws-region': 'us-west-2',
      'availability-zone': machine?.zone,
      market: 'on-demand',
      'image-id': machine?.imageId,
      'price-per-hour': price,
    })
    expect(machine?.tags).toMatchObject({
      ManagedBy: 'github-actions',
      'gpu-actions:lease': lease(step),
      'gpu-actions:repository': 'org/consumer',
      'gpu-actions:job': 'bench',
      'gpu-actions:price': price,
      'gpu-actions:expires-at': step.outputs['expires-at'],
      team: 'ml',
    })
    expect(machine?.userData).toContain('# gpu-actions: guest time limit')
    const { post, living } = await finish(step)
    expect(post).toMatchObject({ exitCode: 0 })
    expect(living).toEqual([])
    const receipt = await job.record(lease(step), 'receipt.json')
    const day = new Date().toISOString().slice(0, 10)
    const paid = { usdPerHour: Number(price), source: expect.stringContaining('Pricing API'), date: day }
    expect(receipt).toMatchObject({ remaining: 0, ending: [], machines: [{ price: paid }] })
  })

  test('launches with IMDSv2, ends at shutdown, deletes its volumes, and tags all that it makes', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running', 'volume-size': '60' } })
    const call = cloud.state().callLog.findLast(({ operation }) => operation === 'RunInstances')
    const text = JSON.stringify(call?.parameters)
    for (const part of [
      '"HttpTokens":"required"',
      '"InstanceInitiatedShutdownBehavior":"terminate"',
      '"DeleteOnTermination":"true"',
      '"VolumeSize":"60"',
      '"ResourceType":"volume"',
      '"ResourceType":"network-interface"',
    ]) {
      expect(text).toContain(part)
    }
    expect((await finish(step)).living).toEqual([])
  })

  test('finds the one machine of a launch whose reply was lost', async () => {
    cloud.addFaults([{ kind: 'lost-reply', operation: 'RunInstances' }])
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    expect(step.exitCode).toBe(0)
    expect(machinesOf(cloud.state(), lease(step))).toHaveLength(1)
    expect((await finish(step)).living).toEqual([])
  })

  test('repeats a throttled launch with the same token', async () => {
    cloud.addFaults([{ kind: 'throttled', operation: 'RunInstances', count: 2 }])
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    expect(step.exitCode).toBe(0)
    expect(launches()).toBe(3)
    expect(machinesOf(cloud.state(), lease(step))).toHaveLength(1)
    expect(step.summary).toContain('| 1 |')
    expect((await finish(step)).living).toEqual([])
  })

  test('goes from zone to zone while there is no capacity', async () => {
    cloud.addFaults([
      { kind: 'capacity', zone: 'us-west-2a', count: null },
      { kind: 'capacity', zone: 'us-west-2b', count: null },
    ])
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    expect(step.outputs['availability-zone']).toBe('us-west-2c')
    expect(step.summary).toContain('capacity (InsufficientInstanceCapacity)')
    expect((await finish(step)).living).toEqual([])
  })

  test('replaces a machine that AWS takes back for capacity while it starts', async () => {
    cloud.addFaults([{ kind: 'boot-terminated', stateReason: 'Server.InsufficientInstanceCapacity' }])
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    expect(step.exitCode).toBe(0)
    expect(machinesOf(cloud.state(), lease(step)).map(({ state }) => state)).toEqual(['terminated', 'running'])
    expect((await finish(step)).living).toEqual([])
  })

  test('says why a machine ended while it started, and launches no other', async () => {
    cloud.addFaults([{ kind: 'boot-terminated', stateReason: 'Client.InternalError' }])
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('Client.InternalError')
    expect(step.log).toContain('KMS key')
    expect(launches()).toBe(1)
    expect((await finish(step)).living).toEqual([])
  })
})

describe('the checks before the launch', () => {
  const failing = async (inputs: Readonly<Record<string, string>>): Promise<string> => {
    const step = await job.main(name, { inputs: { ...quick, ...inputs } })
    expect(step.exitCode).toBe(1)
    expect(launches()).toBe(0)
    return step.log
  }

  test('three wrong inputs are named at once, without a call', async () => {
    const log = await failing({ ttl: 'soon', 'gpu-count': 'many', 'ami-id': 'latest' })
    for (const input of ['ttl: ', 'gpu-count: ', 'ami-id: ']) expect(log).toContain(input)
    expect(callsSince(cloud, before)).toEqual([])
  })

  test('without an instance profile a machine cannot be reached, which costs no call', async () => {
    expect(await failing({ 'instance-profile-name': '' })).toContain('instance-profile-name: is needed')
    expect(callsSince(cloud, before)).toEqual([])
  })

  test('all faults are in one error', async () => {
    const log = await failing({
      'ami-id': 'ami-0123456789abcdef0',
      'subnet-id': 'subnet-0123456789abcdef0',
      tags: 'ManagedBy=me',
    })
    for (const part of [
      'ami-id: ami-0123456789abcdef0 is not in us-west-2',
      'subnet-id: subnet-0123456789abcdef0',
      "tags: 'ManagedBy'",
    ]) {
      expect(log).toContain(part)
    }
  })

  test('a missing permission is named', async () => {
    cloud.addFaults([
      { kind: 'denied', operation: 'DescribeInstanceInformation' },
      { kind: 'denied', operation: 'DescribeImages' },
    ])
    const log = await failing({})
    expect(log).toContain('Allow ssm:DescribeInstanceInformation')
    expect(log).toContain('Allow ec2:DescribeImages')
  })

  test('a subnet without a way out is refused by name', async () => {
    const shut = regions[0]?.subnets.find(({ way }) => way === 'none')?.id ?? ''
    expect(await failing({ 'subnet-id': shut })).toContain(`${shut} has no way out`)
  })

  test('a family of the closed driver is refused by name, with what to do', async () => {
    expect(await failing({ 'instance-type': 'p3.2xlarge' })).toContain('p3.2xlarge: needs the closed NVIDIA driver')
  })

  test('credentials that have expired are said in their own words, once', async () => {
    cloud.addFaults([{ kind: 'expired-credentials', count: null }])
    const log = await failing({})
    expect(log).toContain('The AWS credentials of the job have expired. With role-to-assume')
  })

  test('a denied launch names its permission and is tried once', async () => {
    cloud.addFaults([{ kind: 'denied', operation: 'RunInstances' }])
    const step = await job.main(name, { inputs: quick })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('ec2:RunInstances')
    expect(launches()).toBe(1)
    expect((await finish(step)).post.exitCode).toBe(0)
  })

  test('an open security group is only a warning', async () => {
    const step = await job.main(name, {
      inputs: { ...quick, 'wait-for': 'running', 'security-group-id': 'sg-02c0ffee077000002' },
    })
    expect(step.log).toContain('::warning::Security group sg-02c0ffee077000002 (open-ssh) has inbound rules')
    expect((await finish(step)).living).toEqual([])
  })

  test('a dry run shows plan, price, image and parameters, asks EC2, and launches nothing', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'dry-run': 'true' } })
    expect(step.exitCode).toBe(0)
    for (const part of [
      `$${price.slice(0, 4)}`,
      'Pricing API',
      'with storage and address',
      'PyTorch 2.9',
      '"ClientToken"',
      'guest time limit',
      'nothing was launched',
    ]) {
      expect(step.log).toContain(part)
    }
    expect(cloud.state().instances).toHaveLength(before.instances.length)
    expect((await job.post(name, { state: step.state })).log).toContain('Nothing was launched')
  })
})
