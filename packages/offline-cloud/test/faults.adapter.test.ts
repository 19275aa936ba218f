import { DescribeInstancesCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { DescribeInstanceInformationCommand, ListCommandsCommand } from '@aws-sdk/client-ssm'
import { afterAll, describe, expect, test } from '@jest/globals'
import type { Fault } from '../src/index.ts'
import { eventually, launch, launchInput, refusal, slow, startRig, stopRigs, living } from './cloud-fixture.ts'

afterAll(stopRigs)

const post = (url: string, body: unknown) => fetch(url, { method: 'POST', body: JSON.stringify(body) })

describe('faults', () => {
  const cases: readonly [Fault, string, number][] = [
    [{ kind: 'capacity' }, 'InsufficientInstanceCapacity', 500],
    [{ kind: 'denied', operation: 'RunInstances' }, 'UnauthorizedOperation', 403],
    [{ kind: 'throttled', operation: 'RunInstances' }, 'RequestLimitExceeded', 503],
    [{ kind: 'server-error', operation: 'RunInstances' }, 'InternalError', 500],
    [{ kind: 'expired-credentials' }, 'RequestExpired', 400],
  ]
  test.each(cases)('%j refuses one launch as EC2 would', async (fault, name, httpStatusCode) => {
    const rig = await startRig()
    expect((await post(`${rig.cloud.url}/_offline/faults`, fault)).status).toBe(200)
    const error = await rig.ec2.send(new RunInstancesCommand(launchInput())).catch((e: unknown) => e)
    expect(error).toMatchObject({ name, $metadata: { httpStatusCode } })
    expect(rig.cloud.state().living.instances).toBe(0)
    expect(await launch(rig)).toMatch(/^i-/)
  })

  test('speak the words of SSM to SSM', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([
      { kind: 'denied', operation: 'ListCommands' },
      { kind: 'throttled', operation: 'ssm:ListCommands' },
      { kind: 'expired-credentials', operation: 'ListCommands' },
    ])
    const list = () => refusal(rig.ssm.send(new ListCommandsCommand({})))
    expect([await list(), await list(), await list(), await list()]).toEqual([
      'AccessDeniedException',
      'ThrottlingException',
      'ExpiredTokenException',
      'none',
    ])
  })

  test('of capacity in one zone send a launch elsewhere, and hit one that insists on the zone', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'capacity', zone: 'us-west-2a', count: null }])
    await launch(rig)
    expect(rig.cloud.state().instances[0]?.zone).toBe('us-west-2b')
    const insisting = new RunInstancesCommand(launchInput({ Placement: { AvailabilityZone: 'us-west-2a' } }))
    expect(await refusal(rig.ec2.send(insisting))).toBe('InsufficientInstanceCapacity')
  })

  test('that lose a reply carry the launch out, and the token finds it', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'lost-reply', operation: 'RunInstances' }])
    const input = launchInput({ ClientToken: 'lease-1' })
    const error = await rig.ec2.send(new RunInstancesCommand(input)).catch((e: unknown) => e)
    expect(String(error)).toContain('socket hang up')
    const [instance] = rig.cloud.state().instances
    expect(rig.cloud.state().callLog.at(-1)).toMatchObject({ operation: 'RunInstances', outcome: 'lost-reply' })
    expect(await launch(rig, { ClientToken: 'lease-1' })).toBe(instance?.id)
    expect(rig.cloud.state().instances).toHaveLength(1)
  })

  test('that lose a reply are healed by the SDK itself when it may repeat the call', async () => {
    const rig = await startRig()
    rig.cloud.addFaults([{ kind: 'lost-reply', operation: 'RunInstances' }])
    const credentials = { accessKeyId: 'AKIAOFFLINE', secretAccessKey: 'x' }
    const patient = new EC2Client({ endpoint: rig.cloud.url, region: 'us-west-2', credentials, maxAttempts: 3 })
    await patient.send(new RunInstancesCommand(launchInput()))
    expect(rig.cloud.state().calls['ec2:RunInstances']).toBe(2)
    expect(rig.cloud.state().instances).toHaveLength(1)
  })

  test('of the boot end a pending instance with their state reason', async () => {
    const rig = await startRig()
    const stateReason = 'Server.InsufficientInstanceCapacity'
    rig.cloud.addFaults([{ kind: 'boot-terminated', stateReason }])
    const id = await launch(rig)
    await rig.advance(10)
    const { Reservations } = await rig.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      State: { Name: 'terminated' },
      StateReason: { Code: stateReason },
    })
    await rig.advance(5)
    expect(rig.cloud.state().living).toEqual(living())
  })

  test('keep a machine from registering, or make it slow', async () => {
    const rig = await startRig({ scenario: { timings: slow, faults: [{ kind: 'never-registers' }] } })
    const deaf = await launch(rig)
    rig.cloud.addFaults([{ kind: 'slow-boot', seconds: 300 }])
    const late = await launch(rig)
    const known = async () => {
      const { InstanceInformationList = [] } = await rig.ssm.send(new DescribeInstanceInformationCommand({}))
      return InstanceInformationList.map(({ InstanceId }) => InstanceId)
    }
    await rig.advance(10)
    await rig.advance(299)
    expect(await known()).toEqual([])
    await rig.advance(1)
    await eventually(async () => {
      await rig.advance(20)
      return (await known()).includes(late) ? true : undefined
    })
    expect(await known()).not.toContain(deaf)
  })

  test('can be cleared, and wrong ones are refused with a reason', async () => {
    const rig = await startRig()
    const url = `${rig.cloud.url}/_offline/faults`
    await post(url, [
      { kind: 'denied', count: null },
      { kind: 'throttled', count: null },
    ])
    expect(await (await fetch(url, { method: 'DELETE' })).json()).toEqual([])
    expect(await refusal(rig.ec2.send(new DescribeInstancesCommand({})))).toBe('none')
    const wrong = await post(url, { kind: 'gremlins' })
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toEqual({ error: expect.stringContaining('kind') })
    expect(() => rig.cloud.addFaults([{ kind: 'gremlins' as never }])).toThrow('kind')
  })
})
