import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { startOfflineCloud, type CloudState, type OfflineCloud } from '@gpu-actions/offline-cloud'
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
const launches = (): number => callsSince(cloud, before).filter(call => call === 'ec2:RunInstances').length

/** The safety net, and what of the lease lives after it. */
async function finish(step: StepResult): Promise<{ readonly post: StepResult; readonly living: readonly string[] }> {
  const post = await job.post(name, { state: step.state })
  return { post, living: livingOf(cloud.state(), lease(step)) }
}

describe('post', () => {
  test('finds and ends the machine of a step that was killed between intent and reply', async () => {
    const received = async (): Promise<boolean> => launches() > 0
    const step = await job.main(name, { inputs: quick, killWhen: received })
    expect(step.exitCode).toBeNull()
    expect(step.state['provision']).toBeDefined()
    const { post } = await finish(step)
    expect(post).toMatchObject({ exitCode: 0 })
    const state = cloud.state()
    expect(machinesOf(state, leaseInState(step))).toHaveLength(1)
    expect(livingOf(state, leaseInState(step))).toEqual([])
  })

  test('says 0 remaining for a step that was killed as soon as its intent was written', async () => {
    const written = async ({ state }: { readonly state: string }): Promise<boolean> => state.includes('"token"')
    const step = await job.main(name, { inputs: quick, killWhen: written })
    const { post } = await finish(step)
    expect(post).toMatchObject({ exitCode: 0 })
    expect(post.log).toContain('0 remaining')
    expect(livingOf(cloud.state(), leaseInState(step))).toEqual([])
  })

  test('ends the machine of a job that was cancelled while it waited', async () => {
    cloud.addFaults([{ kind: 'never-registers' }])
    const running = async (): Promise<boolean> =>
      cloud
        .state()
        .instances.slice(before.instances.length)
        .some(({ state }) => state === 'running')
    const step = await job.main(name, { inputs: quick, killWhen: running, signal: 'SIGINT' })
    expect(step.exitCode).toBe(1)
    expect(step.log).toContain('Cancelled')
    expect((await finish(step)).living).toEqual([])
  })

  test('makes no call when a receipt proves the end', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    await job.main('teardown')
    const afterTeardown = cloud.state()
    const post = await job.post(name, { state: step.state })
    expect(post.log).toContain('has ended already')
    expect(callsSince(cloud, afterTeardown)).toEqual([])
  })

  test('leaves a machine that is to be kept, and says until when', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running', 'on-job-end': 'keep' } })
    const post = await job.post(name, { state: step.state })
    expect(post.log).toContain(`ends itself at ${step.outputs['expires-at']}`)
    expect(machinesOf(cloud.state(), lease(step)).map(({ state }) => state)).toEqual(['running'])
    await job.main('teardown')
    expect(livingOf(cloud.state(), lease(step))).toEqual([])
  })

  test('does not keep the machine of a provisioning that failed', async () => {
    const received = async (): Promise<boolean> => launches() > 0
    const step = await job.main(name, { inputs: { ...quick, 'on-job-end': 'keep' }, killWhen: received })
    await job.post(name, { state: step.state })
    expect(livingOf(cloud.state(), leaseInState(step))).toEqual([])
  })

  test('fails, with what to do by hand, when the credentials are of another account', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    const moved = (step.state['provision'] ?? '').replaceAll('"123456789012"', '"999999999999"')
    const other = await startJob(cloud)
    const post = await other.post(name, { state: { provision: moved } })
    await other.end()
    expect(post.exitCode).toBe(1)
    expect(post.log).toContain('belongs to AWS account 999999999999')
    expect(post.log).toContain(
      `aws ec2 terminate-instances --region us-west-2 --instance-ids ${step.outputs['instance-id']}`,
    )
    expect((await finish(step)).living).toEqual([])
  })

  test('fails, with what to do by hand, when the credentials have expired', async () => {
    const step = await job.main(name, { inputs: { ...quick, 'wait-for': 'running' } })
    cloud.addFaults([{ kind: 'expired-credentials', count: null }])
    const post = await job.post(name, { state: step.state })
    expect(post.exitCode).toBe(1)
    expect(post.log).toContain('ExpiredToken')
    expect(post.log).toContain(`--instance-ids ${step.outputs['instance-id']}`)
    await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
    expect((await finish(step)).living).toEqual([])
  })
})

function leaseInState(step: StepResult): string {
  const saved = JSON.parse(step.state['provision'] ?? '{}') as { lease?: { id?: string } }
  return saved.lease?.id ?? ''
}
