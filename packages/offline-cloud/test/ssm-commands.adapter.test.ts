import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type DescribeInstanceInformationCommandInput,
  type GetCommandInvocationCommandOutput,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import { TerminateInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { regions } from '../src/index.ts'
import {
  describeWithMachines,
  eventually,
  launch,
  refusal,
  slow,
  startRig,
  stopRigs,
  type Rig,
} from './cloud-fixture.ts'

const quick = { pendingSeconds: 0.05, registrationSeconds: 0.05, shutdownSeconds: 0.05, consistencySeconds: 0.2 }

afterAll(stopRigs)

const known = async (rig: Rig, id: string): Promise<string | undefined> => {
  const { InstanceInformationList = [] } = await rig.ssm.send(
    new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [id] }] }),
  )
  return InstanceInformationList[0]?.PingStatus
}

async function onlineMachine(rig: Rig): Promise<string> {
  const id = await launch(rig)
  await eventually(() => known(rig, id))
  return id
}

const send = async (
  rig: Rig,
  id: string,
  script: string,
  more: Partial<SendCommandCommandInput> = {},
): Promise<string> => {
  const { Command } = await rig.ssm.send(
    new SendCommandCommand({
      DocumentName: 'AWS-RunShellScript',
      InstanceIds: [id],
      Parameters: { commands: script.split('\n') },
      ...more,
    }),
  )
  return Command?.CommandId ?? ''
}

const look = (rig: Rig, id: string, CommandId: string): Promise<GetCommandInvocationCommandOutput> =>
  rig.ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId: id }))

const when = (
  rig: Rig,
  id: string,
  command: string,
  ...statuses: string[]
): Promise<GetCommandInvocationCommandOutput> =>
  eventually(async () => {
    try {
      const invocation = await look(rig, id, command)
      return statuses.includes(invocation.Status ?? '') ? invocation : undefined
    } catch (error) {
      if (error instanceof Error && error.name === 'InvocationDoesNotExist') return undefined
      throw error
    }
  })

const ended = (rig: Rig, id: string, command: string): Promise<GetCommandInvocationCommandOutput> =>
  when(rig, id, command, 'Success', 'Failed', 'TimedOut', 'Cancelled')

describe('registration with SSM', () => {
  test('comes a while after the boot, and ends with the instance', async () => {
    const rig = await startRig({ scenario: { timings: slow } })
    const id = await launch(rig)
    await rig.advance(10)
    expect(await known(rig, id)).toBeUndefined()
    // The machine's boot is a promise of its own; the delay counts from its end.
    await eventually(async () => {
      await rig.advance(20)
      return known(rig, id)
    })
    expect(await known(rig, id)).toBe('Online')
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    expect(await known(rig, id)).toBeUndefined()
  })

  test('never comes without an instance profile, nor in a subnet without a way out', async () => {
    const rig = await startRig({ scenario: { timings: slow } })
    const closed = regions[0]?.subnets.find(({ way }) => way === 'none')?.id ?? ''
    const bare = await launch(rig, { IamInstanceProfile: undefined })
    const shut = await launch(rig, { SubnetId: closed })
    const open = await launch(rig)
    await eventually(async () => {
      await rig.advance(60)
      return known(rig, open)
    })
    await rig.advance(3600)
    expect([await known(rig, bare), await known(rig, shut)]).toEqual([undefined, undefined])
    expect(await refusal(send(rig, bare, 'true'))).toBe('InvalidInstanceId')
  })

  test('is listed in pages and by other filters, unknown ones are refused', async () => {
    const rig = await startRig({ scenario: { timings: slow, limits: 'none' } })
    const ids = await Promise.all(Array.from({ length: 7 }, () => launch(rig)))
    await eventually(async () => {
      await rig.advance(60)
      return known(rig, ids[6] ?? '')
    })
    const list = (input: DescribeInstanceInformationCommandInput) =>
      rig.ssm.send(new DescribeInstanceInformationCommand(input))
    const first = await list({ MaxResults: 5 })
    const second = await list({ MaxResults: 5, NextToken: first.NextToken })
    const seen = [first, second].flatMap(reply => reply.InstanceInformationList?.map(({ InstanceId }) => InstanceId))
    expect(seen).toHaveLength(7)
    expect(new Set(seen)).toEqual(new Set(ids))
    expect(second.NextToken).toBeUndefined()
    const offline = await list({ Filters: [{ Key: 'PingStatus', Values: ['ConnectionLost'] }] })
    expect(offline.InstanceInformationList).toEqual([])
    expect(await refusal(list({ Filters: [{ Key: 'Colour', Values: ['red'] }] }))).toBe('InvalidFilterKey')
  })
})

describeWithMachines('a command', () => {
  let rig: Rig
  let id: string
  beforeAll(async () => {
    rig = await startRig({ scenario: { timings: quick }, machines: 'real' })
    id = await onlineMachine(rig)
  }, 60_000)

  test('does not exist for a moment, then runs, and shows its output when it has ended', async () => {
    const command = await send(rig, id, 'echo out\necho err >&2')
    expect(await refusal(look(rig, id, command))).toBe('InvocationDoesNotExist')
    expect(await ended(rig, id, command)).toMatchObject({
      Status: 'Success',
      StatusDetails: 'Success',
      ResponseCode: 0,
      StandardOutputContent: 'out\n',
      StandardErrorContent: 'err\n',
      PluginName: 'aws:runShellScript',
      ExecutionElapsedTime: expect.stringMatching(/^PT[\d.]+S$/),
    })
  })

  test('that fails tells its exit code, and the agent adds a line of its own', async () => {
    const invocation = await ended(rig, id, await send(rig, id, 'echo no >&2\nexit 3'))
    expect(invocation).toMatchObject({
      Status: 'Failed',
      StatusDetails: 'Failed',
      ResponseCode: 3,
      StandardErrorContent: 'no\nfailed to run commands: exit status 3',
    })
  })

  test('keeps the first 24,000 characters of stdout and the first 8,000 of stderr', async () => {
    const script = 'echo first\nyes out | head -c 30000\necho last\nyes err | head -c 30000 >&2'
    const invocation = await ended(rig, id, await send(rig, id, script))
    expect(invocation.StandardOutputContent).toHaveLength(24_000)
    expect(invocation.StandardErrorContent).toHaveLength(8_000)
    expect(invocation.StandardOutputContent).toMatch(/^first\nout\n/)
    expect(invocation.StandardOutputContent).not.toContain('last')
  })

  test('shows nothing while it runs, and is killed at its execution time-out', async () => {
    const command = await send(rig, id, 'echo early\nsleep 60', {
      Parameters: { commands: ['echo early', 'sleep 60'], executionTimeout: ['1'] },
    })
    const running = await when(rig, id, command, 'InProgress')
    expect(running).toMatchObject({ StatusDetails: 'InProgress', ResponseCode: -1, StandardOutputContent: '' })
    expect(await ended(rig, id, command)).toMatchObject({
      Status: 'TimedOut',
      StatusDetails: 'ExecutionTimedOut',
      StandardOutputContent: 'early\n',
    })
  })

  test('can be cancelled while it runs', async () => {
    const command = await send(rig, id, 'sleep 60')
    await when(rig, id, command, 'InProgress')
    await rig.ssm.send(new CancelCommandCommand({ CommandId: command }))
    expect(await ended(rig, id, command)).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled' })
    const unknown = rig.ssm.send(new CancelCommandCommand({ CommandId: '00000000-0000-0000-0000-000000000000' }))
    expect(await refusal(unknown)).toBe('InvalidCommandId')
  })

  test('runs in the folder that it was given', async () => {
    const parameters = { commands: ['pwd'], workingDirectory: ['/tmp'] }
    const invocation = await ended(rig, id, await send(rig, id, '', { Parameters: parameters }))
    expect(invocation.StandardOutputContent).toBe('/tmp\n')
  })

  test('is found again by its comment, with at most 2,500 characters of output in lists', async () => {
    const command = await send(rig, id, 'yes | head -c 9000', { Comment: 'gpu-actions 4711' })
    await ended(rig, id, command)
    const { Commands = [] } = await rig.ssm.send(new ListCommandsCommand({ InstanceId: id, MaxResults: 50 }))
    const found = Commands.find(({ Comment }) => Comment === 'gpu-actions 4711')
    expect(found).toMatchObject({ CommandId: command, Status: 'Success', CompletedCount: 1, ErrorCount: 0 })
    const { CommandInvocations = [] } = await rig.ssm.send(
      new ListCommandInvocationsCommand({ CommandId: command, Details: true }),
    )
    expect(CommandInvocations[0]?.CommandPlugins?.[0]?.Output).toHaveLength(2500)
    const after = (value: Date) =>
      rig.ssm.send(new ListCommandsCommand({ Filters: [{ key: 'InvokedAfter', value: value.toISOString() }] }))
    expect((await after(new Date(Date.now() + 60_000))).Commands).toEqual([])
    expect((await after(new Date(Date.now() - 60_000))).Commands).not.toEqual([])
  })

  const tooLong = { Parameters: { commands: ['x'.repeat(70_000)] } }
  const refused: readonly [string, Partial<SendCommandCommandInput>, string][] = [
    ['for an instance that is not registered', { InstanceIds: ['i-0123456789abcdef0'] }, 'InvalidInstanceId'],
    ['of another document', { DocumentName: 'AWS-RunPowerShellScript' }, 'InvalidDocument'],
    ['above 64 KB', tooLong, 'MaxDocumentSizeExceeded'],
    ['without commands', { Parameters: {} }, 'InvalidParameters'],
    [
      'with a parameter that the document lacks',
      { Parameters: { commands: ['true'], shell: ['sh'] } },
      'InvalidParameters',
    ],
    ['with a delivery time-out below 30 s', { TimeoutSeconds: 5 }, 'ValidationException'],
    ['with a comment above 100 characters', { Comment: 'x'.repeat(101) }, 'ValidationException'],
  ]
  test.each(refused)('%s is refused', async (_, more, code) => {
    expect(await refusal(send(rig, id, 'true', more))).toBe(code)
  })

  test('whose machine dies under it is given up after both time limits', async () => {
    const own = await startRig({ scenario: { timings: quick }, machines: 'real' })
    const machine = await onlineMachine(own)
    const command = await send(own, machine, '', {
      TimeoutSeconds: 60,
      Parameters: { commands: ['sleep 60'], executionTimeout: ['40'] },
    })
    await when(own, machine, command, 'InProgress')
    await own.ec2.send(new TerminateInstancesCommand({ InstanceIds: [machine] }))
    await own.advance(90)
    expect((await look(own, machine, command)).Status).toBe('InProgress')
    await own.advance(20)
    expect(await look(own, machine, command)).toMatchObject({ Status: 'TimedOut', ResponseCode: -1 })
  }, 60_000)
})
