import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { startOfflineCloud, type OfflineCloud, type Scenario } from '@gpu-actions/offline-cloud'
import { quick, startJob, timings, type Job, type StepResult } from '../../provision-ec2-gpu/test/fixtures/job.ts'

jest.setTimeout(120_000)

const minute = 60_000
let cloud: OfflineCloud
let job: Job

async function open(scenario: Scenario = {}): Promise<void> {
  cloud = await startOfflineCloud({ scenario: { timings, ...scenario } })
  job = await startJob(cloud)
}
afterEach(async () => {
  await job.end()
  await cloud.stop()
})

const at = (minutes: number): string => new Date(Date.now() + minutes * minute).toISOString()

/** The marks that a launch of this repository's would bear. */
const marks = (expiresAt: string, more: Readonly<Record<string, string>> = {}) => ({
  'gpu-actions:lease': '42-1-0a1b2c3d',
  'gpu-actions:repository': 'org/consumer',
  'gpu-actions:run': '42',
  'gpu-actions:job': 'bench',
  'gpu-actions:expires-at': expiresAt,
  'gpu-actions:price': '1.212',
  ManagedBy: 'github-actions',
  ...more,
})
const machine = { region: 'us-west-2', type: 'g5.2xlarge', launchedSecondsAgo: 3_600 }
const orphan = { ...machine, tags: marks(at(-30)) }

const sweep = (inputs: Readonly<Record<string, string>> = {}): Promise<StepResult> =>
  job.main('sweep-orphans', { inputs: { 'aws-region': 'us-west-2', ...inputs } })
const states = (): readonly string[] => cloud.state().instances.map(({ state }) => state)

describe('a sweep', () => {
  test('is a dry run unless it is told otherwise: it shows the orphan, what it costs, and ends nothing', async () => {
    await open({ instances: [orphan] })
    const step = await sweep()
    expect(step).toMatchObject({ exitCode: 0, outputs: { orphans: '1', ended: '0', remaining: '1' } })
    expect(step.outputs['cost-per-hour']).toBe('1.212')
    expect(step.log).toContain('::warning::1 that outlived their lease were found, and left alone')
    expect(step.summary).toContain('would be ended')
    expect(step.summary).toContain('42-1-0a1b2c3d, run 42, job bench')
    expect(states()).toEqual(['running'])
    expect(cloud.state().calls['ec2:TerminateInstances'] ?? 0).toBe(0)
  })

  test('ends the orphan, its volumes and its interface, and sees them gone', async () => {
    await open({ instances: [orphan] })
    const step = await sweep({ 'dry-run': 'false' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { orphans: '1', ended: '1', remaining: '0' } })
    expect(cloud.state().living).toMatchObject({ instances: 0, volumes: 0, interfaces: 0 })
    const report = await job.record('sweep', 'sweep.json')
    expect(report).toMatchObject({ schema: 'gpu-actions/sweep@1', rows: [{ verdict: 'expired', outcome: 'gone' }] })
  })

  test('touches nothing that is alive, in its grace, foreign, or marked alike', async () => {
    await open({
      instances: [
        { ...machine, tags: marks(at(30)) },
        { ...machine, tags: marks(at(-5)) },
        { ...machine, tags: marks(at(-30), { 'gpu-actions:repository': 'org/consumer2' }) },
        { ...machine, tags: marks(at(-30), { 'gpu-actions:repository': 'Org/Consumer' }) },
        { ...machine, tags: { 'gpu-actions:repository': 'org/consumer', Name: 'gpu-actions 42-1-0a1b2c3d' } },
        { ...machine, tags: { Name: 'somebody else' } },
      ],
    })
    const step = await sweep({ 'dry-run': 'false' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { alive: '2', orphans: '0', ended: '0' } })
    expect(new Set(states())).toEqual(new Set(['running']))
    expect(cloud.state().calls['ec2:TerminateInstances'] ?? 0).toBe(0)
  })

  test('ends what is older than max-age, or has no readable expiry by then', async () => {
    const old = { ...machine, launchedSecondsAgo: 3 * 3_600 }
    await open({
      instances: [
        { ...old, tags: marks(at(600)) },
        { ...old, tags: marks('next Tuesday') },
        { ...machine, tags: marks('next Tuesday') },
      ],
    })
    const step = await sweep({ 'dry-run': 'false', 'max-age': '2h' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { orphans: '2', ended: '2' } })
    expect(states()).toEqual(['terminated', 'terminated', 'running'])
  })

  test('looks in every enabled region when none is given', async () => {
    await open({
      instances: [
        { ...orphan, region: 'us-east-1' },
        { ...orphan, region: 'eu-central-1' },
      ],
    })
    const step = await sweep({ 'dry-run': 'false', 'aws-region': '' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { ended: '2', remaining: '0' } })
    expect(states()).toEqual(['terminated', 'terminated'])
  })

  test('of a region that cannot be asked fails, after it has swept the others', async () => {
    await open({
      instances: [{ ...orphan, region: 'us-east-1' }],
      faults: [{ kind: 'denied', operation: 'DescribeInstances', region: 'us-west-2', count: null }],
    })
    const step = await sweep({ 'dry-run': 'false', 'aws-region': 'us-west-2, us-east-1' })
    expect(step).toMatchObject({ exitCode: 1, outputs: { ended: '1' } })
    expect(step.log).toContain('Nobody knows what lives where the sweep could not ask')
    expect(step.log).toContain('us-west-2')
    expect(states()).toEqual(['terminated'])
  })

  test('is not held up by a machine that is protected: that one is named, with what to do', async () => {
    await open({
      instances: [
        { ...orphan, protected: true },
        { ...orphan, count: 3 },
      ],
    })
    const step = await sweep({ 'dry-run': 'false', timeout: '15s' })
    expect(step).toMatchObject({ exitCode: 1, outputs: { orphans: '4', ended: '3', remaining: '1' } })
    expect(step.log).toMatch(/protect/i)
    expect(states().filter(state => state === 'running')).toHaveLength(1)
  })

  test('takes token parameters away with their lease, and leaves those of a living one', async () => {
    await open()
    const parameter = (name: string, expiresAt: string, repository = 'org/consumer') =>
      ssm('PutParameter', {
        Name: `/gpu-actions/${name}/onboarding-token`,
        Value: 'canary',
        Type: 'SecureString',
        Tags: Object.entries(marks(expiresAt, { 'gpu-actions:repository': repository })).map(([Key, Value]) => ({
          Key,
          Value,
        })),
      })
    await parameter('42-1-aaaaaaaa', at(-30))
    await parameter('42-1-bbbbbbbb', at(30))
    await parameter('42-1-cccccccc', at(-30), 'org/other')
    const step = await sweep({ 'dry-run': 'false' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { orphans: '1', ended: '1' } })
    expect(step.log).not.toContain('canary')
    expect(cloud.state().parameters.map(({ name }) => name)).toEqual([
      '/gpu-actions/42-1-bbbbbbbb/onboarding-token',
      '/gpu-actions/42-1-cccccccc/onboarding-token',
    ])
  })

  test('without the right to look for parameters sweeps everything else', async () => {
    await open({ instances: [orphan], faults: [{ kind: 'denied', operation: 'DescribeParameters', count: null }] })
    const step = await sweep({ 'dry-run': 'false' })
    expect(step).toMatchObject({ exitCode: 0, outputs: { ended: '1' } })
    expect(step.log).toContain('ssm:DescribeParameters')
  })

  test('finds the machine of a run that died, however long ago', async () => {
    await open()
    const step = await job.main('provision-ec2-gpu', { inputs: { ...quick, 'wait-for': 'running', 'user-data': '' } })
    expect(step.exitCode).toBe(0)
    const found = await sweep({ 'dry-run': 'false' })
    expect(found).toMatchObject({ exitCode: 0, outputs: { alive: '1', orphans: '0' } })
    expect(cloud.state().living.instances).toBe(1)
  })
})

/** A call of the Systems Manager as any client sends it. */
async function ssm(operation: string, input: unknown): Promise<void> {
  const { AWS_ACCESS_KEY_ID: key } = cloud.env
  const reply = await fetch(cloud.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonSSM.${operation}`,
      authorization: `AWS4-HMAC-SHA256 Credential=${key}/20261127/us-west-2/ssm/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify(input),
  })
  if (!reply.ok) throw new Error(`${operation}: ${await reply.text()}`)
}
