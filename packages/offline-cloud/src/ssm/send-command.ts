import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import type { CommandResult } from '../machine/index.ts'
import { account } from '../world/account.ts'
import { commandView } from './command-views.ts'
import { read } from './input.ts'
import { hasEnded, type Command, type Invocation } from './model.ts'

const documentLimit = 65_536
const defaultDeliverySeconds = 3600
const defaultExecutionSeconds = '3600'
const mostExecutionSeconds = 172_800

const inputSchema = v.object({
  DocumentName: v.string(),
  InstanceIds: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(50)),
  Targets: v.optional(v.never('is not covered by the offline cloud; use InstanceIds')),
  Parameters: v.optional(v.record(v.string(), v.array(v.string())), {}),
  TimeoutSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(2_592_000))),
  Comment: v.optional(v.pipe(v.string(), v.maxLength(100)), ''),
})

/** SendCommand of AWS-RunShellScript to registered instances; the commands run for real in their machines. */
export function sendCommand(cloud: Cloud, caller: Caller, input: unknown): object {
  const request = read(inputSchema, input)
  if (request.DocumentName !== 'AWS-RunShellScript')
    throw new AwsError('InvalidDocument', `Document with name ${request.DocumentName} does not exist.`)
  const { commands, workingDirectory, executionTimeout, ...others } = request.Parameters
  if (commands === undefined || Object.keys(others).length > 0)
    throw new AwsError(
      'InvalidParameters',
      'Invalid parameters: commands is required; workingDirectory and executionTimeout may be given.',
    )
  const executionText = executionTimeout?.[0] ?? defaultExecutionSeconds
  if (!/^[1-9]\d{0,5}$/.test(executionText) || Number(executionText) > mostExecutionSeconds)
    throw new AwsError('InvalidParameters', 'Invalid parameters: executionTimeout must be 1 to 172800 seconds.')
  if (Buffer.byteLength(JSON.stringify(request.Parameters)) > documentLimit)
    throw new AwsError('MaxDocumentSizeExceeded', 'The size of the document exceeds 64 KB.')
  for (const id of request.InstanceIds) {
    const instance = cloud.ec2.instances.get(id)
    if (instance === undefined || instance.region !== caller.region || instance.ssm !== 'online')
      throw new AwsError('InvalidInstanceId', `Instances [[${id}]] not in a valid state for account ${account}`)
  }
  const now = cloud.clock.now()
  const command: Command = {
    id: randomUUID(),
    region: caller.region,
    comment: request.Comment,
    document: request.DocumentName,
    parameters: request.Parameters,
    commands,
    workingDirectory: workingDirectory?.[0] === '' ? undefined : workingDirectory?.[0],
    deliverySeconds: request.TimeoutSeconds ?? defaultDeliverySeconds,
    executionSeconds: Number(executionText),
    requestedAt: now,
    visibleAt: now + cloud.timings.consistencySeconds * 1000,
    invocations: [...new Set(request.InstanceIds)].map(fresh),
  }
  cloud.ssm.commands.set(command.id, command)
  for (const invocation of command.invocations) schedule(cloud, command, invocation)
  return { Command: commandView(command) }
}

const fresh = (instanceId: string): Invocation => ({
  instanceId,
  status: 'Pending',
  details: 'Pending',
  responseCode: -1,
  stdout: '',
  stderr: '',
  startedAt: null,
  endedAt: null,
})

function schedule(cloud: Cloud, command: Command, invocation: Invocation): void {
  cloud.clock.after(cloud.timings.deliverySeconds * 1000, () => deliver(cloud, command, invocation))
  // What no agent ever takes, or never reports back, is given up after the sum of both time limits.
  cloud.clock.after((command.deliverySeconds + command.executionSeconds) * 1000, () => {
    if (hasEnded(invocation)) return
    const wasStarted = invocation.startedAt !== null
    end(cloud, invocation, 'TimedOut', wasStarted ? 'ExecutionTimedOut' : 'DeliveryTimedOut')
  })
}

function deliver(cloud: Cloud, command: Command, invocation: Invocation): void {
  if (hasEnded(invocation)) return
  const instance = cloud.ec2.instances.get(invocation.instanceId)
  const machine = cloud.machines.get(invocation.instanceId)
  if (instance?.ssm !== 'online' || machine === undefined) {
    invocation.status = 'Delayed'
    invocation.details = 'Delayed'
    return
  }
  invocation.status = 'InProgress'
  invocation.details = 'InProgress'
  invocation.startedAt = cloud.clock.now()
  const options = {
    timeoutSeconds: command.executionSeconds,
    ...(command.workingDirectory === undefined ? {} : { workingDirectory: command.workingDirectory }),
  }
  machine.execute(command.id, command.commands.join('\n'), options).then(
    result => {
      // A machine that died in the middle reports nothing: the service goes on waiting.
      if (cloud.machines.get(invocation.instanceId) === machine) report(cloud, invocation, result)
    },
    (cause: unknown) => {
      process.stderr.write(`offline cloud: command ${command.id} did not run: ${String(cause)}\n`)
    },
  )
}

function report(cloud: Cloud, invocation: Invocation, result: CommandResult): void {
  if (hasEnded(invocation)) return
  invocation.stdout = result.stdout
  invocation.stderr = result.stderr
  if (invocation.status === 'Cancelling') return end(cloud, invocation, 'Cancelled', 'Cancelled')
  if (result.timedOut) {
    invocation.responseCode = 137
    return end(cloud, invocation, 'TimedOut', 'ExecutionTimedOut')
  }
  invocation.responseCode = result.exitCode
  if (result.exitCode === 0) return end(cloud, invocation, 'Success', 'Success')
  // The agent itself adds this line to what the script wrote.
  const gap = result.stderr === '' || result.stderr.endsWith('\n') ? '' : '\n'
  invocation.stderr = `${result.stderr}${gap}failed to run commands: exit status ${result.exitCode}`
  end(cloud, invocation, 'Failed', 'Failed')
}

function end(cloud: Cloud, invocation: Invocation, status: Invocation['status'], details: Invocation['details']): void {
  invocation.status = status
  invocation.details = details
  invocation.endedAt = cloud.clock.now()
}

/** CancelCommand: what has not started ends at once, what runs is told to stop. */
export function cancelCommand(cloud: Cloud, caller: Caller, input: unknown): object {
  const { CommandId, InstanceIds } = read(
    v.object({ CommandId: v.string(), InstanceIds: v.optional(v.array(v.string()), []) }),
    input,
  )
  const command = cloud.ssm.commands.get(CommandId)
  if (command === undefined || command.region !== caller.region)
    throw new AwsError('InvalidCommandId', 'The specified command ID is not valid.')
  for (const invocation of command.invocations) {
    const isMeant = InstanceIds.length === 0 || InstanceIds.includes(invocation.instanceId)
    if (!isMeant || hasEnded(invocation)) continue
    if (invocation.startedAt === null) {
      end(cloud, invocation, 'Cancelled', 'Cancelled')
      continue
    }
    invocation.status = 'Cancelling'
    invocation.details = 'Cancelling'
    cloud.machines.get(invocation.instanceId)?.cancel(command.id)
  }
  return {}
}
