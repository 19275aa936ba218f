import { RebootInstancesCommand, TerminateInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import {
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  SendCommandCommand,
} from '@aws-sdk/client-ssm'
import { afterEach, expect, jest, test } from '@jest/globals'
import { makeUserData } from '../../aws/src/ec2/user-data.ts'
import type { Fault, Scenario } from '../src/index.ts'
import { describeWithMachines, eventually, launch, refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

jest.setTimeout(120_000)
afterEach(stopRigs)

const timings = {
  pendingSeconds: 0.1,
  registrationSeconds: 0.1,
  shutdownSeconds: 0.1,
  releaseSeconds: 0.1,
  consistencySeconds: 0,
}
const hour = 3600

const start = (more: Scenario = {}): Promise<Rig> => startRig({ scenario: { timings, ...more }, machines: 'real' })

/** Launches with the real user data, whose time limit is an hour away. */
const rent = (rig: Rig, own?: string, more: Partial<RunInstancesCommandInput> = {}): Promise<string> =>
  launch(rig, {
    UserData: Buffer.from(makeUserData(Date.now() + hour * 1000, own)).toString('base64'),
    InstanceInitiatedShutdownBehavior: 'terminate',
    ...more,
  })

const stateOf = (rig: Rig, id: string) => rig.cloud.state().instances.find(instance => instance.id === id)

const online = (rig: Rig, id: string) =>
  eventually(async () => (stateOf(rig, id)?.ssm === 'online' ? true : undefined), 40)
const ended = (rig: Rig, id: string) =>
  eventually(async () => (stateOf(rig, id)?.state === 'terminated' ? true : undefined), 40)

/** Runs a script by SSM to its end; null when nobody answers any more. */
async function run(rig: Rig, id: string, script: string): Promise<string> {
  const { Command } = await rig.ssm.send(
    new SendCommandCommand({
      InstanceIds: [id],
      DocumentName: 'AWS-RunShellScript',
      Parameters: { commands: [script] },
    }),
  )
  return eventually(async () => {
    const invocation = new GetCommandInvocationCommand({ CommandId: Command?.CommandId, InstanceId: id })
    const reply = await rig.ssm.send(invocation).catch(() => undefined)
    const isOver = reply !== undefined && !['Pending', 'InProgress', 'Delayed'].includes(reply.Status ?? '')
    return isOver ? (reply.StandardOutputContent ?? '') : undefined
  }, 40)
}

const bootId = (rig: Rig, id: string) => run(rig, id, 'cat /proc/sys/kernel/random/boot_id')

/** Waits until the machine answers with another boot id than before. */
const bootedAgain = (rig: Rig, id: string, before: string) =>
  eventually(async () => {
    if (stateOf(rig, id)?.ssm !== 'online') return undefined
    const now = await bootId(rig, id)
    return now !== '' && now !== before ? now : undefined
  }, 60)

const counting = '#!/bin/sh\necho script >>/root/ran\n'

describeWithMachines('a machine that is rebooted', () => {
  test('by RebootInstances keeps its disk and loses its processes; SSM loses it and finds it again', async () => {
    const rig = await start()
    const id = await rent(rig, counting)
    await online(rig, id)
    await run(rig, id, 'touch /root/kept /run/lost; setsid sleep 4242 >/dev/null 2>&1 & true')
    const before = await bootId(rig, id)
    await rig.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    const { InstanceInformationList } = await rig.ssm.send(new DescribeInstanceInformationCommand({}))
    expect(InstanceInformationList?.[0]?.PingStatus).toBe('ConnectionLost')
    expect(stateOf(rig, id)?.state).toBe('running')
    await bootedAgain(rig, id, before)
    expect(await run(rig, id, 'ls /root /run | grep -E "kept|lost"; pgrep -fc "[s]leep 4242"; cat /root/ran')).toBe(
      'kept\n0\nscript\n',
    )
  })

  test.each(['reboot', 'systemctl reboot'])('by its own `%s` does so, too', async command => {
    const rig = await start()
    const id = await rent(rig, counting)
    await online(rig, id)
    const before = await bootId(rig, id)
    await rig.ssm.send(
      new SendCommandCommand({
        InstanceIds: [id],
        DocumentName: 'AWS-RunShellScript',
        Parameters: { commands: [command] },
      }),
    )
    await bootedAgain(rig, id, before)
    expect(await run(rig, id, 'cat /root/ran')).toBe('script\n')
  })

  test('by a fault is rebooted once, some seconds after it runs', async () => {
    const fault: Fault = { kind: 'reboot', seconds: 600 }
    const rig = await start({ faults: [fault] })
    const id = await rent(rig)
    await online(rig, id)
    const before = await bootId(rig, id)
    await rig.advance(601)
    const after = await bootedAgain(rig, id, before)
    await rig.advance(1200)
    expect(await bootId(rig, id)).toBe(after)
  })

  test.each([true, false])('still ends at its time limit, systemd: %s', async systemd => {
    const rig = await start({ guests: { systemd } })
    const id = await rent(rig)
    await online(rig, id)
    expect(await run(rig, id, 'test -d /run/systemd/system && echo systemd || echo none')).toBe(
      systemd ? 'systemd\n' : 'none\n',
    )
    const before = await bootId(rig, id)
    await rig.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    await bootedAgain(rig, id, before)
    await rig.advance(hour - 600)
    // Time for a wrong end: the loop of the branch without systemd looks every 5 s.
    expect(await run(rig, id, 'sleep 6; echo alive')).toBe('alive\n')
    await rig.advance(620)
    await ended(rig, id)
    expect(stateOf(rig, id)?.stateReason?.code).toBe('Client.InstanceInitiatedShutdown')
  })

  test.each([true, false])('past its time limit ends at once, systemd: %s', async systemd => {
    const rig = await start({ guests: { systemd } })
    const id = await rent(rig)
    await online(rig, id)
    // The limit is disarmed, so that nothing but the next boot can see that it has passed.
    const disarm = systemd ? 'systemctl stop gpu-actions-limit.timer' : 'kill "$(cat /run/gpu-actions-limit.pid)"'
    await run(rig, id, disarm)
    await rig.advance(hour + 60)
    expect(await run(rig, id, 'sleep 6; echo alive')).toBe('alive\n')
    await rig.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    await ended(rig, id)
    expect(stateOf(rig, id)?.stateReason?.code).toBe('Client.InstanceInitiatedShutdown')
  })

  test('is refused that while it is pending, and left alone once it ends', async () => {
    const rig = await start()
    const id = await rent(rig)
    expect(await refusal(rig.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] })))).toBe('IncorrectState')
    await online(rig, id)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    await rig.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    await ended(rig, id)
  })
})
