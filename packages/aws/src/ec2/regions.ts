import { DescribeRegionsCommand } from '@aws-sdk/client-ec2'
import type { AwsClients } from '../clients.ts'
import { calling } from '../errors.ts'

/** The regions that the account can use, in the order of their names; disabled ones are not among them. @throws OutsideFault */
export async function regionsOf(clients: AwsClients): Promise<readonly string[]> {
  const call = {
    doing: 'Asking for the regions of the account',
    permission: 'ec2:DescribeRegions',
    region: clients.region,
  }
  const reply = await calling(call, () => clients.ec2().send(new DescribeRegionsCommand({ AllRegions: false })))
  return (reply.Regions ?? [])
    .filter(({ OptInStatus }) => OptInStatus !== 'not-opted-in')
    .flatMap(({ RegionName }) => (RegionName === undefined ? [] : [RegionName]))
    .toSorted()
}
