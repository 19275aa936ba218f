import { GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import { UserFault } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from './clients.ts'
import { calling } from './errors.ts'

/** The account of the credentials. Needs no permission. @throws OutsideFault */
export async function accountOf(clients: AwsClients): Promise<string> {
  const call = {
    doing: 'Asking whose AWS credentials these are',
    permission: 'sts:GetCallerIdentity',
    region: clients.region,
  }
  const reply = await calling(call, () => clients.sts().send(new GetCallerIdentityCommand({})))
  if (reply.Account === undefined) throw new Error('GetCallerIdentity answered without an account')
  return reply.Account
}

/**
 * A machine that these credentials cannot see is not gone.
 * @throws UserFault when the lease belongs to another account
 */
export function checkAccount(recorded: string, current: string): void {
  if (recorded === current) return
  throw new UserFault(`The lease belongs to AWS account ${recorded}, but the credentials are of account ${current}`, [
    'nothing was looked for and nothing was ended: give this step the credentials that launched the machine',
  ])
}
