import { randomUUID } from 'node:crypto'
import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  paginateListCommands,
  SendCommandCommand,
  type GetCommandInvocationCommandOutput,
} from '@aws-sdk/client-ssm'
import { messageOf, OutsideFault, poll, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from '../clients.ts'
import { codeOf, faultOf, outsideFault } from '../errors.ts'
import { travelling } from './script-text.ts'

/** A machine that is reached over the Systems Manager, and what the calls need. */
export interface SsmTarget {
  readonly clients: AwsClients
  readonly instanceId: string
  readonly clock: Clock
  readonly log: Pick<Log, 'warning' | 'debug'>
}

/** How long a command may wait for the agent, in seconds; the service wants at least 30. */
export const deliverySeconds = 60
/** How long the service may take to show a command that was sent, in milliseconds. */
const visibleMs = 15_000
/** How long throttled calls are tried again, in milliseconds. */
const throttledMs = 90_000
/** Sendings of one command, when none of them can be found again. */
const sendings = 3
/** Commands are listed from so much before the sending on: the clocks of runner and service differ. */
const skewMs = 600_000

/** The words of a failed call; SSM's own codes have advice of their own. */
export function ssmFault(target: SsmTarget, doing: string, permission: string, error: unknown): OutsideFault {
  const { region } = target.clients
  if (codeOf(error) !== 'InvalidInstanceId') return outsideFault(error, { doing, permission, region })
  return new OutsideFault({
    what: `${doing} in ${region} failed: the Systems Manager does not reach ${target.instanceId}`,
    advice:
      'See whether the machine still runs, whether it has an instance profile with AmazonSSMManagedInstanceCore and a way out to the internet, and whether the credentials are of its account.',
    cause: error,
  })
}

/** The command with this comment, if the service knows one. */
async function findCommand(target: SsmTarget, comment: string, sentAt: number): Promise<string | undefined> {
  const after = `${new Date(sentAt - skewMs).toISOString().slice(0, 19)}Z`
  const pages = paginateListCommands(
    { client: target.clients.ssm(), pageSize: 50 },
    { InstanceId: target.instanceId, Filters: [{ key: 'InvokedAfter', value: after }] },
  )
  for await (const page of pages) {
    const found = page.Commands?.find(command => command.Comment === comment)
    if (found?.CommandId !== undefined) return found.CommandId
  }
  return undefined
}

/**
 * Sends a script. There is no token that would make it safe to repeat: when a reply is lost, the command is looked up
 * by its comment, and sent again only when it stays unknown.
 * @returns the command's id, and how many calls it took
 * @throws OutsideFault
 */
export async function sendScript(
  target: SsmTarget,
  script: string,
  seconds: number,
): Promise<{ readonly id: string; readonly calls: number }> {
  const { clients, clock, instanceId, log } = target
  const doing = `Sending a script to ${instanceId}`
  const comment = `gpu-actions ${randomUUID()}`
  const began = clock.now()
  const sentAt = clients.serviceNow()
  const input = {
    InstanceIds: [instanceId],
    DocumentName: 'AWS-RunShellScript',
    Comment: comment,
    TimeoutSeconds: deliverySeconds,
    Parameters: { commands: [travelling(script)], executionTimeout: [String(seconds)] },
  }
  let pause = 1_000
  let calls = 0
  for (let sending = 1; ;) {
    try {
      calls++
      const { Command } = await clients.ssmOnce().send(new SendCommandCommand(input))
      if (Command?.CommandId !== undefined) return { id: Command.CommandId, calls }
      throw new Error('the reply names no command')
    } catch (error) {
      const fault = faultOf(error)
      if (fault === 'throttled' && clock.now() - began < throttledMs) {
        await clock.sleep(pause * (0.75 + clock.random() / 2))
        pause = Math.min(pause * 2, 10_000)
        continue
      }
      if (fault !== 'server') throw ssmFault(target, doing, 'ssm:SendCommand', error)
      log.debug(`The reply to ${comment} was lost (${messageOf(error)}); looking for the command.`)
      const id = await poll(
        clock,
        () => {
          calls++
          return findCommand(target, comment, sentAt).catch((failure: unknown) => {
            throw ssmFault(target, 'Looking for a command whose reply was lost', 'ssm:ListCommands', failure)
          })
        },
        { firstMs: 1_000, maxMs: 4_000, deadline: clock.now() + visibleMs },
      )
      if (id !== undefined) return { id, calls }
      if (sending++ >= sendings) throw ssmFault(target, doing, 'ssm:SendCommand', error)
    }
  }
}

/**
 * Asks how a command stands.
 * @returns undefined while the service does not show the command yet
 * @throws OutsideFault
 */
export async function invocationOf(
  target: SsmTarget,
  commandId: string,
  sentAt: number,
  signal?: AbortSignal,
): Promise<GetCommandInvocationCommandOutput | undefined> {
  try {
    return await target.clients
      .ssm()
      .send(
        new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: target.instanceId }),
        signal === undefined ? {} : { abortSignal: signal },
      )
  } catch (error) {
    signal?.throwIfAborted()
    if (codeOf(error) === 'InvocationDoesNotExist' && target.clock.now() - sentAt < visibleMs) return undefined
    // Throttled beyond the patience of the SDK: the next look is seconds away, which is all that can be done.
    if (faultOf(error) === 'throttled' && target.clock.now() - sentAt < throttledMs) return undefined
    throw ssmFault(
      target,
      `Asking for the outcome of a script on ${target.instanceId}`,
      'ssm:GetCommandInvocation',
      error,
    )
  }
}

/** Asks the service to end a command; it gives no promise, and neither does this. */
export async function cancelCommand(target: SsmTarget, commandId: string): Promise<void> {
  try {
    await target.clients
      .ssm()
      .send(new CancelCommandCommand({ CommandId: commandId, InstanceIds: [target.instanceId] }))
  } catch (error) {
    target.log.debug(`Cancelling ${commandId} on ${target.instanceId} failed: ${messageOf(error)}`)
  }
}
