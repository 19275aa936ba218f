import { DescribeInstanceStatusCommand, DescribeInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2'
import { AssumeRoleWithWebIdentityCommand } from '@aws-sdk/client-sts'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { roles, type Fault } from '../src/index.ts'
import { eventually, launch, refusal, slow, startRig, stopRigs, type Keys, type Rig } from './cloud-fixture.ts'

jest.setTimeout(60_000)
afterEach(stopRigs)

const withFaults = (...faults: readonly Fault[]): Promise<Rig> =>
  startRig({ scenario: { timings: slow, faults: [...faults] } })

const stateOf = (rig: Rig, id: string) => rig.cloud.state().instances.find(instance => instance.id === id)?.state

const read = (rig: Pick<Rig, 'ec2'>) => rig.ec2.send(new DescribeInstancesCommand({ MaxResults: 5 }))

describe('a slow shutdown', () => {
  test('keeps the instance it strikes shutting down for its seconds, and no other', async () => {
    const rig = await withFaults({ kind: 'slow-shutdown', seconds: 1200, instanceType: 'g5.xlarge', count: null })
    const lasting = await launch(rig, { InstanceType: 'g5.xlarge' })
    const other = await launch(rig)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [lasting, other] }))
    await rig.advance(11)
    expect([stateOf(rig, lasting), stateOf(rig, other)]).toEqual(['shutting-down', 'terminated'])
    await rig.advance(1180)
    // Terminating it again makes it neither faster nor slower.
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [lasting] }))
    expect(stateOf(rig, lasting)).toBe('shutting-down')
    expect(rig.cloud.state().living.volumes).toBe(1)
    await rig.advance(20)
    expect(stateOf(rig, lasting)).toBe('terminated')
    expect(rig.cloud.state().living.volumes).toBe(0)
  })
})

describe('an impaired instance', () => {
  test('fails its own status check from some seconds on, while that of the system is passed', async () => {
    const rig = await withFaults({ kind: 'impaired', seconds: 60 })
    const id = await launch(rig)
    const fine = await launch(rig)
    const status = async (filter?: string) => {
      const Filters = filter === undefined ? [] : [{ Name: 'instance-status.status', Values: [filter] }]
      const { InstanceStatuses } = await rig.ec2.send(new DescribeInstanceStatusCommand({ Filters }))
      return (InstanceStatuses ?? []).map(one => [
        one.InstanceId,
        one.InstanceStatus?.Status,
        one.InstanceStatus?.Details?.[0]?.Status,
        one.SystemStatus?.Status,
      ])
    }
    await rig.advance(11)
    expect(await status('initializing')).toHaveLength(2)
    await rig.advance(30)
    expect(await status('ok')).toHaveLength(2)
    await rig.advance(30)
    expect(await status('impaired')).toEqual([[id, 'impaired', 'failed', 'ok']])
    expect(await status('ok')).toEqual([[fine, 'ok', 'passed', 'ok']])
  })
})

describe('a late call', () => {
  test('is carried out when it is accepted, and answered later', async () => {
    const rig = await withFaults({ kind: 'latency', operation: 'RunInstances', acceptSeconds: 0.5, replySeconds: 1.5 })
    const began = performance.now()
    let isAnswered = false
    const launched = launch(rig).finally(() => (isAnswered = true))
    expect(rig.cloud.state().living.instances).toBe(0)
    await eventually(async () => (rig.cloud.state().living.instances === 1 ? true : undefined))
    expect(performance.now() - began).toBeGreaterThanOrEqual(480)
    expect(isAnswered).toBe(false)
    expect(await launched).toMatch(/^i-/)
    expect(performance.now() - began).toBeGreaterThanOrEqual(1480)
  })

  test('is carried out although its caller has hung up before', async () => {
    const rig = await withFaults({ kind: 'latency', operation: 'TerminateInstances', seconds: 3 })
    const id = await launch(rig)
    const controller = new AbortController()
    const sent = rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }), {
      abortSignal: controller.signal,
    })
    // A fault that is used up has struck: the call is with the cloud, and not yet carried out.
    const faults = async (): Promise<unknown> => (await fetch(`${rig.cloud.url}/_offline/faults`)).json()
    const refused = refusal(sent)
    await eventually(async () => (JSON.stringify(await faults()) === '[]' ? true : undefined))
    controller.abort()
    expect(await refused).toBe('AbortError')
    expect(stateOf(rig, id)).toBe('pending')
    await eventually(async () => (stateOf(rig, id) === 'shutting-down' ? true : undefined))
  })
})

describe('a storm', () => {
  test('of throttling begins and ends at its time on the clock of the cloud', async () => {
    const rig = await withFaults({ kind: 'throttled', operation: 'ec2:*', afterSeconds: 60, forSeconds: 120 })
    expect(await refusal(read(rig))).toBe('none')
    await rig.advance(61)
    expect([await refusal(read(rig)), await refusal(read(rig))]).toEqual([
      'RequestLimitExceeded',
      'RequestLimitExceeded',
    ])
    await rig.advance(120)
    expect(await refusal(read(rig))).toBe('none')
  })
})

describe('sessions of STS', () => {
  const assume = async (rig: Rig): Promise<Keys> => {
    const { env } = rig.cloud
    const url = `${env['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sts.amazonaws.com`
    const headers = { Authorization: `Bearer ${env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}` }
    const { value } = (await (await fetch(url, { headers })).json()) as { value: string }
    const { Credentials } = await rig.sts.send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: roles[0]?.arn,
        RoleSessionName: 'drill',
        WebIdentityToken: value,
      }),
    )
    return {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    }
  }

  test('all end at once when that is asked for; new ones are given', async () => {
    const rig = await startRig({ scenario: { timings: slow } })
    const before = rig.clients({ keys: await assume(rig) })
    expect(await refusal(read(before))).toBe('none')
    const url = `${rig.cloud.url}/_offline/credentials`
    expect((await fetch(url, { method: 'POST', body: '{"expire":"everything"}' })).status).toBe(400)
    expect((await fetch(url, { method: 'POST', body: '{"expire":"sessions"}' })).status).toBe(200)
    expect(await refusal(read(before))).toBe('RequestExpired')
    expect(await refusal(read(rig.clients({ keys: await assume(rig) })))).toBe('none')
    expect(await refusal(read(rig))).toBe('none')
  })

  test('end with the first call that a fault names', async () => {
    const rig = await withFaults({ kind: 'sessions-expire', operation: 'TerminateInstances' })
    const keys = await assume(rig)
    const job = rig.clients({ keys })
    const id = await launch(job)
    const end = new TerminateInstancesCommand({ InstanceIds: [id] })
    expect(await refusal(job.ec2.send(end))).toBe('RequestExpired')
    expect(stateOf(rig, id)).toBe('pending')
    expect(await refusal(rig.clients({ keys: await assume(rig) }).ec2.send(end))).toBe('none')
  })
})
