import { DescribeInstanceStatusCommand, GetConsoleOutputCommand } from '@aws-sdk/client-ec2'
import type { AwsClients } from '../clients.ts'

/** The end of what a machine wrote to its console, for a diagnosis; null when there is none or it may not be read. */
export async function consoleTail(clients: AwsClients, machineId: string, lines = 40): Promise<string | null> {
  try {
    const reply = await clients.ec2().send(new GetConsoleOutputCommand({ InstanceId: machineId }))
    const text = Buffer.from(reply.Output ?? '', 'base64').toString()
    return text === '' ? null : text.split('\n').slice(-lines).join('\n')
  } catch {
    return null
  }
}

/** What EC2's own checks of a machine say, as a sentence for a diagnosis; null when there are none or they may not be read. */
export async function statusChecks(clients: AwsClients, machineId: string): Promise<string | null> {
  try {
    const command = new DescribeInstanceStatusCommand({ InstanceIds: [machineId], IncludeAllInstances: true })
    const [status] = (await clients.ec2().send(command)).InstanceStatuses ?? []
    if (status === undefined) return null
    const failed = [...(status.InstanceStatus?.Details ?? []), ...(status.SystemStatus?.Details ?? [])].flatMap(
      ({ Name, Status, ImpairedSince }) =>
        Status === 'failed'
          ? [`${Name} has failed${ImpairedSince === undefined ? '' : ` since ${ImpairedSince.toISOString()}`}`]
          : [],
    )
    const events = (status.Events ?? []).map(event => `AWS has scheduled ${event.Code}: ${event.Description}`)
    const checks = `Status checks: system ${status.SystemStatus?.Status ?? 'unknown'}, instance ${status.InstanceStatus?.Status ?? 'unknown'}`
    return [checks, ...failed, ...events].join('; ')
  } catch {
    return null
  }
}
