import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { getCommandInvocation, listCommandInvocations, listCommands } from './commands.ts'
import { describeInstanceInformation } from './instance-information.ts'
import { describeParameters } from './describe-parameters.ts'
import { addTagsToResource, listTagsForResource, removeTagsFromResource } from './parameter-tags.ts'
import { deleteParameter, deleteParameters, getParameter, getParameters, putParameter } from './parameters.ts'
import { cancelCommand, sendCommand } from './send-command.ts'

type Operation = (cloud: Cloud, caller: Caller, input: unknown) => object

const operations: Readonly<Record<string, Operation>> = {
  PutParameter: putParameter,
  GetParameter: getParameter,
  GetParameters: getParameters,
  DeleteParameter: deleteParameter,
  DeleteParameters: deleteParameters,
  DescribeParameters: describeParameters,
  ListTagsForResource: listTagsForResource,
  AddTagsToResource: addTagsToResource,
  RemoveTagsFromResource: removeTagsFromResource,
  DescribeInstanceInformation: describeInstanceInformation,
  SendCommand: sendCommand,
  GetCommandInvocation: getCommandInvocation,
  ListCommands: listCommands,
  ListCommandInvocations: listCommandInvocations,
  CancelCommand: cancelCommand,
}

/** The SSM operations that the cloud covers. */
export const ssmOperations: readonly string[] = Object.keys(operations)

/** Carries out an SSM operation. One that is not covered is refused by name. */
export function callSsm(cloud: Cloud, name: string, input: unknown, caller: Caller): object {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined) throw new AwsError('InvalidAction', `The offline cloud does not cover SSM's ${name}.`)
  return operation(cloud, caller, input)
}
