import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { onDemandPrice, startOfflineCloud, type CloudState, type OfflineCloud } from '@gpu-actions/offline-cloud'
import {
  callsSince,
  livingOf,
  quick,
  startJob,
  timings,
  type Job,
  type StepResult,
} from '../../provision-ec2-gpu/test/fixtures/job.ts'

jest.setTimeout(120_000)

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

const inputs = { ...quick, 'wait-for': 'running' }
const provision = (one: Job = job): Promise<StepResult> => one.main('provision-ec2-gpu', { inputs })
const lease = (step: StepResult): string => step.outputs['lease-id'] ?? ''
const living = (...steps: StepResult[]): readonly string[] =>
  steps.flatMap(step => livingOf(cloud.state(), lease(step)))

describe('teardown', () => {
  test('ends every lease of the job and none of a sibling', async () => {
    const sibling = await startJob(cloud)
    const [one, two, other] = [await provision(), await provision(), await provision(sibling)]
    const step = await job.main('teardown')
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '2', remaining: '0', 'billed-seconds': '120' } })
    // Two machines for the least that is billed, and a little for their storage and addresses.
    const machines = (2 * onDemandPrice('us-west-2', 'g5.2xlarge')) / 60
    expect(Number(step.outputs['cost'])).toBeGreaterThan(machines)
    expect(Number(step.outputs['cost'])).toBeLessThan(machines * 1.05)
    expect(step.outputs['receipt-path']?.split('\n')).toHaveLength(2)
    expect(living(one, two)).toEqual([])
    expect(living(other)).toHaveLength(3)
    expect((await sibling.main('teardown')).exitCode).toBe(0)
    await sibling.end()
  })

  test('has nothing to do, and makes no call, when the job has leased nothing', async () => {
    const step = await job.main('teardown')
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '0', remaining: '0', 'receipt-path': '' } })
    expect(callsSince(cloud, before)).toEqual([])
  })

  test('succeeds when everything has ended before, and ends nothing twice', async () => {
    await provision()
    await job.main('teardown')
    const second = await job.main('teardown')
    expect(second).toMatchObject({ exitCode: 0, outputs: { remaining: '0', terminated: '1' } })
  })

  test('ends a lease of another job by its id, and by the id of its machine', async () => {
    const [byLease, byMachine] = [await provision(), await provision()]
    const cleaner = await startJob(cloud)
    expect(await cleaner.main('teardown', { inputs: { 'lease-id': lease(byLease) } })).toMatchObject({
      exitCode: 0,
      outputs: { terminated: '1' },
    })
    const machine = byMachine.outputs['instance-id'] ?? ''
    expect(await cleaner.main('teardown', { inputs: { 'instance-id': machine } })).toMatchObject({
      exitCode: 0,
      outputs: { terminated: '1' },
    })
    expect(living(byLease, byMachine)).toEqual([])
    await cleaner.end()
  })

  test('finds a lease that was launched in another region than it is told to look in, by each of its ids', async () => {
    const far = { ...inputs, 'aws-region': 'us-east-1' }
    const one = await job.main('provision-ec2-gpu', { inputs: far })
    const two = await job.main('provision-ec2-gpu', { inputs: far })
    const cleaner = await startJob(cloud)
    const byLease = await cleaner.main('teardown', { inputs: { 'lease-id': lease(one) } })
    const byMachine = await cleaner.main('teardown', { inputs: { 'instance-id': two.outputs['instance-id'] ?? '' } })
    for (const step of [byLease, byMachine]) {
      expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
      expect(step.log).toContain('it was found in us-east-1')
    }
    expect(living(one, two)).toEqual([])
    await cleaner.end()
  })

  test('warns and says where it looked when nobody knows the lease, with and without the right to ask for regions', async () => {
    for (const faults of [[], [{ kind: 'denied', operation: 'DescribeRegions', count: null }]] as const) {
      cloud.addFaults(faults)
      const step = await job.main('teardown', { inputs: { 'lease-id': '1-1-0a1b2c3d' } })
      expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '0', remaining: '0' } })
      expect(step.log).toContain('::warning::No machine of lease 1-1-0a1b2c3d was found in us-west-2')
      expect(step.log).toContain('name that in aws-region')
    }
  })

  test('with scope run finds what the run has leased when all outputs are lost', async () => {
    const one = await provision()
    const runId = /^\d+/.exec(lease(one))?.[0] ?? ''
    const cleaner = await startJob(cloud)
    const step = await cleaner.main('teardown', { inputs: { scope: 'run' }, env: { GITHUB_RUN_ID: runId } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
    expect(living(one)).toEqual([])
    await cleaner.end()
  })

  test('goes on looking when it is throttled while it does not know yet which leases there are', async () => {
    const one = await provision()
    const runId = /^\d+/.exec(lease(one))?.[0] ?? ''
    const cleaner = await startJob(cloud)
    // More refusals than the SDK repeats by itself.
    cloud.addFaults([{ kind: 'throttled', operation: 'DescribeInstances', count: 7 }])
    const step = await cleaner.main('teardown', { inputs: { scope: 'run' }, env: { GITHUB_RUN_ID: runId } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
    expect(living(one)).toEqual([])
    await cleaner.end()
  })

  test('asks again whose account it is when the first answers failed', async () => {
    const one = await provision()
    const cleaner = await startJob(cloud)
    cloud.addFaults([{ kind: 'server-error', operation: 'GetCallerIdentity', count: 7 }])
    const step = await cleaner.main('teardown', { inputs: { 'lease-id': lease(one) } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { terminated: '1', remaining: '0' } })
    expect(living(one)).toEqual([])
    await cleaner.end()
  })

  test('ends what it finds in one region although another one refuses to be looked at', async () => {
    const one = await provision()
    const runId = /^\d+/.exec(lease(one))?.[0] ?? ''
    const cleaner = await startJob(cloud)
    cloud.addFaults([{ kind: 'denied', operation: 'DescribeInstances', region: 'us-east-1', count: null }])
    const step = await cleaner.main('teardown', {
      inputs: { scope: 'run', 'aws-region': 'us-east-1, us-west-2' },
      env: { GITHUB_RUN_ID: runId },
    })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('us-east-1')
    expect(living(one)).toEqual([])
    await cleaner.end()
  })

  test('does not touch the machine of another repository, by no id', async () => {
    const one = await provision()
    const env = { GITHUB_REPOSITORY: 'other/consumer' }
    const stranger = await startJob(cloud)
    const byMachine = await stranger.main('teardown', {
      inputs: { 'instance-id': one.outputs['instance-id'] ?? '' },
      env,
    })
    expect(byMachine.exitCode).toBe(1)
    expect(byMachine.log).toContain('gpu-actions did not launch')
    await stranger.main('teardown', { inputs: { 'lease-id': lease(one) }, env })
    expect(living(one)).toHaveLength(3)
    await stranger.end()
    await job.main('teardown')
  })

  test('says what is left, with the console link and the command, when it may not end it', async () => {
    const one = await provision()
    cloud.addFaults([{ kind: 'denied', operation: 'TerminateInstances', count: null }])
    const step = await job.main('teardown')
    expect(step).toMatchObject({ exitCode: 1, outputs: { remaining: '1' } })
    const machine = one.outputs['instance-id'] ?? ''
    for (const part of [
      `aws ec2 terminate-instances --region us-west-2 --instance-ids ${machine}`,
      `instanceId=${machine}`,
      'ec2:TerminateInstances',
    ]) {
      expect(step.log).toContain(part)
    }
    expect(await job.record(lease(one), 'receipt.json')).toMatchObject({
      remaining: 1,
      left: [{ kind: 'machine', id: machine }],
    })
    await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
    expect((await job.main('teardown')).outputs['remaining']).toBe('0')
    expect(living(one)).toEqual([])
  })

  test('ends a lease whose records cannot be read, and those beside it, and says that nobody can prove it', async () => {
    const [one, two] = [await provision(), await provision()]
    for (const file of ['lease.json', 'attempts.json']) {
      await writeFile(join(job.temp, 'gpu-actions', lease(one), file), '{ "schema": "gpu-actions/')
    }
    const step = await job.main('teardown')
    expect(living(one, two)).toEqual([])
    expect(step).toMatchObject({ exitCode: 1, outputs: { terminated: '2' } })
    for (const file of ['lease.json', 'attempts.json']) expect(step.log).toContain(`${file} cannot be read`)
  })

  test('goes through throttling, server faults and a lost reply', async () => {
    const one = await provision()
    cloud.addFaults([
      { kind: 'throttled', operation: 'DescribeInstances', count: 2 },
      { kind: 'server-error', operation: 'TerminateInstances', count: 2 },
      { kind: 'lost-reply', operation: 'TerminateInstances' },
    ])
    expect((await job.main('teardown')).outputs['remaining']).toBe('0')
    expect(living(one)).toEqual([])
  })

  test('only gives the order when it is not to wait, and says that this proves nothing', async () => {
    const one = await provision()
    const step = await job.main('teardown', { inputs: { 'wait-until-gone': 'false' } })
    expect(step.exitCode).toBe(0)
    expect(step.log).toContain('still ending')
    expect((await job.main('teardown')).exitCode).toBe(0)
    expect(living(one)).toEqual([])
  })

  test('names all wrong inputs at once', async () => {
    const step = await job.main('teardown', {
      inputs: { 'lease-id': 'mine', 'instance-id': 'that one', timeout: '1s' },
    })
    expect(step.exitCode).toBe(1)
    for (const input of ['lease-id: ', 'instance-id: ', 'timeout: ']) expect(step.log).toContain(input)
  })
})
