import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2'
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
