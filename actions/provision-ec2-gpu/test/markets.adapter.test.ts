import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { roles, startOfflineCloud, type CloudState, type OfflineCloud, type Scenario } from '@gpu-actions/offline-cloud'
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
const role = roles[0]?.arn ?? ''
let cloud: OfflineCloud
let job: Job
let before: CloudState

async function open(scenario: Scenario = {}): Promise<void> {
  cloud = await startOfflineCloud({ scenario: { timings, ...scenario } })
  job = await startJob(cloud)
  before = cloud.state()
}
afterEach(async () => {
  await job.end()
  await cloud.stop()
})

const lease = (step: StepResult): string => step.outputs['lease-id'] ?? ''
const launches = (): number => callsSince(cloud, before).filter(call => call === 'ec2:RunInstances').length
const running = { ...quick, 'wait-for': 'running' }
/** Capacity of g5.2xlarge in every zone of a region. */
const everywhere = (region: string, count: number | { atSeconds: number; count: number }[]) =>
  Object.fromEntries(['a', 'b', 'c'].map(zone => [`${region}${zone}`, { 'g5.2xlarge': count }]))

async function finish(step: StepResult, options: Parameters<Job['post']>[1] = {}): Promise<StepResult> {
  const post = await job.post(name, { state: step.state, ...options })
  expect({ log: post.log, living: livingOf(cloud.state(), lease(step)) }).toMatchObject({ living: [] })
  return post
}

describe('waiting for capacity', () => {
  test('takes the offer that comes free within seconds, and tells what it waits for', async () => {
    const free = [
      { atSeconds: 0, count: 0 },
      { atSeconds: 12, count: 1 },
    ]
    await open({
      capacity: { ...everywhere('us-west-2', 0), ...everywhere('us-east-1', 0), 'us-east-1c': { 'g5.2xlarge': free } },
    })
    const begun = Date.now()
    const step = await job.main(name, {
      inputs: { ...running, 'aws-region': 'us-west-2, us-east-1', 'max-wait': '2m' },
    })
    expect(step).toMatchObject({
      exitCode: 0,
      outputs: { 'availability-zone': 'us-east-1c', 'aws-region': 'us-east-1' },
    })
    const [machine] = machinesOf(cloud.state(), lease(step))
    const freeAt = Date.parse(before.callLog[0]?.at ?? new Date(begun).toISOString()) + 12_000
    expect(Date.parse(machine?.launchTime ?? '') - freeAt).toBeLessThan(10_000)
    expect(step.log).toContain('nothing free among 6 offers')
    expect(step.summary).toContain('capacity (InsufficientInstanceCapacity)')
    const record = await job.record(lease(step), 'attempts.json')
    expect((record['attempts'] as unknown[]).length).toBeGreaterThanOrEqual(12)
    // Refusals leave nothing to end, and must not fill the state.
    expect(JSON.stringify(step.state)).not.toContain('InsufficientInstanceCapacity')
    await finish(step)
  })

  test('ends at max-wait with what was tried, and leaves nothing', async () => {
    await open({ capacity: everywhere('us-west-2', 0) })
    const step = await job.main(name, { inputs: { ...running, 'max-wait': '0s' } })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('No capacity: none of 3 offers')
    expect(step.log).toContain('max-wait')
    expect(launches()).toBe(3)
    expect((await finish(step)).exitCode).toBe(0)
  })
})

describe('what no waiting helps ends within one call', () => {
  const failing = async (inputs: Readonly<Record<string, string>> = {}): Promise<string> => {
    const step = await job.main(name, { inputs: { ...running, ...inputs } })
    expect(step.exitCode).toBe(1)
    expect(machinesOf(cloud.state(), lease(step))).toEqual([])
    return step.log
  }

  test('a quota that is used up, with its code and where to raise it', async () => {
    await open({ quotas: { 'us-west-2': { 'L-DB2E81BA': 8 } } })
    await job.main(name, { inputs: running })
    before = cloud.state()
    const log = await failing()
    expect(launches()).toBe(1)
    expect(log).toContain('The quota is used up')
    expect(log).toContain('servicequotas/home/services/ec2/quotas/L-DB2E81BA')
  })

  test('a permission that is missing', async () => {
    await open({ faults: [{ kind: 'denied', operation: 'RunInstances', count: null }] })
    expect(await failing()).toContain('ec2:RunInstances')
    expect(launches()).toBe(1)
  })

  test('a quota of 0 is known before, and no call is made', async () => {
    await open({ quotas: { 'us-west-2': { 'L-DB2E81BA': 0 } } })
    const log = await failing()
    expect(launches()).toBe(0)
    expect(log).toContain('L-DB2E81BA')
    expect(log).toContain('what would work')
  })
})

describe('a dry run of what cannot be had names the reason and what would work', () => {
  test.each([
    ['no type satisfies it', { 'min-gpu-memory': '500' }, 'min-gpu-memory'],
    [
      'the price is above the cap',
      { 'instance-type': 'g5.2xlarge', 'max-price-per-hour': '0.05' },
      'max-price-per-hour',
    ],
  ])('when %s', async (_, inputs, reason) => {
    await open()
    const step = await job.main(name, { inputs: { ...quick, ...inputs, 'dry-run': 'true' } })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('No machine can be had')
    expect(step.log).toMatch(new RegExp(`${reason}|GiB`))
    expect(step.log).toContain('what would work: ')
    expect(step.summary).toContain('what would work')
    expect(launches()).toBe(0)
  })
})

describe('spot', () => {
  test('is marked as spot, and its request is closed with the machine', async () => {
    await open()
    const step = await job.main(name, { inputs: { ...running, market: 'spot' } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { market: 'spot' } })
    expect(cloud.state().living.spotRequests).toBe(1)
    const teardown = await job.main('teardown')
    expect(teardown).toMatchObject({ exitCode: 0, outputs: { remaining: '0' } })
    expect(cloud.state().living).toMatchObject({ instances: 0, spotRequests: 0 })
  })

  test('that cannot be had is replaced on demand', async () => {
    await open({ faults: [{ kind: 'capacity', operation: 'RunInstances', count: 3 }] })
    const step = await job.main(name, { inputs: { ...running, market: 'spot-then-on-demand' } })
    expect(step).toMatchObject({ exitCode: 0, outputs: { market: 'on-demand' } })
    expect(launches()).toBe(4)
    await finish(step)
  })
})

describe('a budget', () => {
  test('cuts the time limit to what it pays for', async () => {
    await open()
    const step = await job.main(name, { inputs: { ...running, budget: '0.5' } })
    expect(step.exitCode).toBe(0)
    const [machine] = machinesOf(cloud.state(), lease(step))
    const minutes = (Date.parse(step.outputs['expires-at'] ?? '') - Date.parse(machine?.launchTime ?? '')) / 60_000
    // 0.5 USD over a good dollar an hour, storage and address included.
    expect(minutes).toBeGreaterThan(15)
    expect(minutes).toBeLessThan(25)
    expect(machine?.tags['gpu-actions:expires-at']).toBe(step.outputs['expires-at'])
    expect(step.log).toContain('The budget of $0.50 pays for')
    await finish(step)
  })

  test('that pays for less than ten minutes launches nothing', async () => {
    await open()
    const step = await job.main(name, { inputs: { ...running, budget: '0.05' } })
    expect(step.exitCode).toBe(1)
    expect(step.log).toMatch(/budget (of )?\$0\.05 lasts/)
    expect(launches()).toBe(0)
  })
})

describe('a role to assume', () => {
  /** Nothing of AWS in the environment but where it is. */
  const keyless = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' }
  const expire = () => fetch(`${cloud.url}/_offline/credentials`, { method: 'POST', body: '{"expire":"sessions"}' })

  test('is all that provision and teardown need', async () => {
    await open()
    const step = await job.main(name, { inputs: { ...quick, 'role-to-assume': role }, env: keyless })
    expect({ log: step.log, code: step.exitCode }).toMatchObject({ code: 0 })
    const teardown = await job.main('teardown', { inputs: { 'role-to-assume': role }, env: keyless })
    expect(teardown).toMatchObject({ exitCode: 0, outputs: { remaining: '0' } })
    expect(livingOf(cloud.state(), lease(step))).toEqual([])
  })

  test('is taken again when its credentials run out in mid-wait', async () => {
    await open({ faults: [{ kind: 'slow-boot', seconds: 6 }] })
    const work = job.main(name, { inputs: { ...quick, 'role-to-assume': role }, env: keyless })
    while (launches() === 0) await new Promise(resolve => setTimeout(resolve, 20))
    expect((await expire()).ok).toBe(true)
    const step = await work
    expect({ log: step.log, code: step.exitCode }).toMatchObject({ code: 0 })
    expect(cloud.state().calls['sts:AssumeRoleWithWebIdentity']).toBe(2)
    await finish(step, { inputs: { 'role-to-assume': role }, env: keyless })
  })

  test('lets the post of a killed step end the machine although the job has no other credentials', async () => {
    await open()
    const step = await job.main(name, {
      inputs: { ...quick, 'role-to-assume': role },
      env: keyless,
      killWhen: async () => launches() > 0,
    })
    expect(step.exitCode).toBeNull()
    await expire()
    await finish(
      {
        ...step,
        outputs: { 'lease-id': /"id":"([^"]+)"/.exec(JSON.stringify(step.state).replaceAll('\\', ''))?.[1] ?? '' },
      },
      {
        inputs: { 'role-to-assume': role },
        env: keyless,
      },
    )
    expect(cloud.state().living.instances).toBe(0)
  })
})
