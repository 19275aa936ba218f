import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { commandView, invocationView, isPlugin, listedInvocationView } from './command-views.ts'
import { pageOf, read } from './input.ts'
import type { Command } from './model.ts'

/** GetCommandInvocation. For a moment after SendCommand the invocation does not exist. */
export function getCommandInvocation(cloud: Cloud, caller: Caller, input: unknown): object {
  const { CommandId, InstanceId, PluginName } = read(
    v.object({
      CommandId: v.pipe(v.string(), v.length(36)),
      InstanceId: v.string(),
      PluginName: v.optional(v.string()),
    }),
    input,
  )
  const command = cloud.ssm.commands.get(CommandId)
  const invocation = command?.invocations.find(({ instanceId }) => instanceId === InstanceId)
  if (
    command === undefined ||
    invocation === undefined ||
    command.region !== caller.region ||
    command.visibleAt > cloud.clock.now()
  )
    throw new AwsError('InvocationDoesNotExist', '')
  if (!isPlugin(PluginName)) throw new AwsError('InvalidPluginName', '')
  return invocationView(command, invocation)
}

const listInput = v.object({
  CommandId: v.optional(v.string()),
  InstanceId: v.optional(v.string()),
  Filters: v.optional(v.array(v.object({ key: v.string(), value: v.string() })), []),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50))),
  NextToken: v.optional(v.string()),
  Details: v.optional(v.boolean()),
})

type ListInput = v.InferOutput<typeof listInput>

// Newest first, as the service lists them.
function selected(cloud: Cloud, caller: Caller, input: ListInput): readonly Command[] {
  const known = [...cloud.ssm.commands.values()].filter(
    ({ region, visibleAt }) => region === caller.region && visibleAt <= cloud.clock.now(),
  )
  if (input.CommandId !== undefined && !known.some(({ id }) => id === input.CommandId))
    throw new AwsError('InvalidCommandId', 'The specified command ID is not valid.')
  return known
    .filter(
      command =>
        (input.CommandId === undefined || command.id === input.CommandId) &&
        (input.InstanceId === undefined ||
          command.invocations.some(({ instanceId }) => instanceId === input.InstanceId)) &&
        input.Filters.every(({ key, value }) => passes(command, key, value)),
    )
    .toReversed()
}

function passes(command: Command, key: string, value: string): boolean {
  if (key === 'InvokedAfter') return command.requestedAt > Date.parse(value)
  if (key === 'InvokedBefore') return command.requestedAt < Date.parse(value)
  if (key === 'Status') return command.invocations.some(({ status }) => status === value)
  if (key === 'DocumentName') return command.document === value
  throw new AwsError('InvalidFilterKey', `The filter key ${key} is not valid.`)
}

/** ListCommands. */
export function listCommands(cloud: Cloud, caller: Caller, input: unknown): object {
  const request = read(listInput, input)
  const { chosen, next } = pageOf(selected(cloud, caller, request), request.MaxResults ?? 50, request.NextToken)
  return { Commands: chosen.map(commandView), ...next }
}

/** ListCommandInvocations. */
export function listCommandInvocations(cloud: Cloud, caller: Caller, input: unknown): object {
  const request = read(listInput, input)
  const invocations = selected(cloud, caller, request).flatMap(command =>
    command.invocations
      .filter(({ instanceId }) => request.InstanceId === undefined || instanceId === request.InstanceId)
      .map(invocation => listedInvocationView(command, invocation, request.Details === true)),
  )
  const { chosen, next } = pageOf(invocations, request.MaxResults ?? 50, request.NextToken)
  return { CommandInvocations: chosen, ...next }
}
