import {
  DescribeVpcEndpointsCommand,
  paginateDescribeRouteTables,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  type EC2Client,
  type RouteTable,
  type SecurityGroup,
} from '@aws-sdk/client-ec2'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { calling } from '../errors.ts'

export interface SubnetFacts {
  readonly id: string
  readonly zone: string
  readonly vpc: string
  readonly givesPublicIp: boolean
}

/**
 * Those of the subnets with these ids that are in the region, in this order; its default ones when there are no ids.
 * @throws UserFault when there are no default ones, OutsideFault
 */
export async function findSubnets(ec2: EC2Client, region: string, ids: readonly string[]): Promise<SubnetFacts[]> {
  const call = { doing: 'Looking up the subnets', permission: 'ec2:DescribeSubnets', region }
  const filter = ids.length > 0 ? { Name: 'subnet-id', Values: [...ids] } : { Name: 'default-for-az', Values: ['true'] }
  const found: SubnetFacts[] = []
  await calling(call, async () => {
    for await (const page of paginateDescribeSubnets({ client: ec2 }, { Filters: [filter] })) {
      for (const subnet of page.Subnets ?? []) {
        found.push({
          id: subnet.SubnetId ?? '',
          zone: subnet.AvailabilityZone ?? '',
          vpc: subnet.VpcId ?? '',
          givesPublicIp: subnet.MapPublicIpOnLaunch ?? false,
        })
      }
    }
  })
  if (ids.length === 0) {
    if (found.length > 0) return found.toSorted((a, b) => a.zone.localeCompare(b.zone))
    throw new UserFault(`there is no default VPC with subnets in ${region}: give subnet-id`)
  }
  return ids.flatMap(id => found.filter(subnet => subnet.id === id))
}

/** How traffic leaves a subnet. */
export type WayOut = 'internet-gateway' | 'other' | 'none'

const routeTableOf = (tables: readonly RouteTable[], subnet: SubnetFacts): RouteTable | undefined =>
  tables.find(table => table.Associations?.some(association => association.SubnetId === subnet.id)) ??
  tables.find(table => table.VpcId === subnet.vpc && table.Associations?.some(association => association.Main))

function wayOutOf(table: RouteTable | undefined): WayOut {
  const routes = (table?.Routes ?? []).filter(
    route =>
      (route.DestinationCidrBlock === '0.0.0.0/0' || route.DestinationIpv6CidrBlock === '::/0') &&
      route.State !== 'blackhole',
  )
  if (routes.length === 0) return 'none'
  return routes.every(route => route.GatewayId?.startsWith('igw-')) ? 'internet-gateway' : 'other'
}

/** The way out of each subnet, by its id, from the route tables. @throws OutsideFault */
export async function findWaysOut(
  ec2: EC2Client,
  region: string,
  subnets: readonly SubnetFacts[],
): Promise<ReadonlyMap<string, WayOut>> {
  const call = { doing: 'Looking up the route tables of the subnets', permission: 'ec2:DescribeRouteTables', region }
  const vpcs = [...new Set(subnets.map(subnet => subnet.vpc))]
  const tables: RouteTable[] = []
  await calling(call, async () => {
    const pages = paginateDescribeRouteTables({ client: ec2 }, { Filters: [{ Name: 'vpc-id', Values: vpcs }] })
    for await (const page of pages) tables.push(...(page.RouteTables ?? []))
  })
  return new Map(subnets.map(subnet => [subnet.id, wayOutOf(routeTableOf(tables, subnet))]))
}

/**
 * The VPC reaches Systems Manager through endpoints of its own, so that its subnets need no way out.
 * Asked only for a subnet that has none; `false` too when it may not be asked.
 */
export async function hasSsmEndpoints(ec2: EC2Client, region: string, vpc: string): Promise<boolean> {
  const services = ['ssm', 'ssmmessages', 'ec2messages'].map(name => `com.amazonaws.${region}.${name}`)
  try {
    const reply = await ec2.send(
      new DescribeVpcEndpointsCommand({
        Filters: [
          { Name: 'vpc-id', Values: [vpc] },
          { Name: 'service-name', Values: services },
        ],
      }),
    )
    const found = new Set((reply.VpcEndpoints ?? []).map(endpoint => endpoint.ServiceName))
    return found.has(services[0]) && found.has(services[1])
  } catch {
    return false
  }
}

/** Lets somebody in who is not in the group itself. */
const letsIn = (group: SecurityGroup): boolean =>
  (group.IpPermissions ?? []).some(
    rule =>
      (rule.IpRanges ?? []).length > 0 ||
      (rule.Ipv6Ranges ?? []).length > 0 ||
      (rule.PrefixListIds ?? []).length > 0 ||
      (rule.UserIdGroupPairs ?? []).some(pair => pair.GroupId !== group.GroupId),
  )

/**
 * A group is for machines of its own VPC, and of those that somebody has associated it with, which it does not tell.
 * @returns warnings, as sentences
 */
export function strangersTo(
  { GroupId: id, VpcId: vpc }: Pick<SecurityGroup, 'GroupId' | 'VpcId'>,
  subnets: readonly SubnetFacts[],
): readonly string[] {
  const strangers = subnets.filter(subnet => subnet.vpc !== vpc)
  if (strangers.length === 0) return []
  const where = strangers.map(subnet => `${subnet.id} in ${subnet.vpc}`).join(', ')
  return [
    `Security group ${id} is in ${vpc}, and not in the VPC of every subnet (${where}): EC2 refuses a launch there unless the group is associated with that VPC.`,
  ]
}

/**
 * The group that machines will have: the given one, else the default group of the subnets' VPC.
 * @returns warnings, as sentences
 * @throws UserFault when the given group is not there, OutsideFault
 */
export async function checkSecurityGroup(
  ec2: EC2Client,
  region: string,
  group: { readonly id: string | undefined; readonly subnets: readonly SubnetFacts[] },
): Promise<readonly string[]> {
  const call = { doing: 'Looking up the security group', permission: 'ec2:DescribeSecurityGroups', region }
  const filters =
    group.id === undefined
      ? [
          { Name: 'vpc-id', Values: [...new Set(group.subnets.map(({ vpc }) => vpc))] },
          { Name: 'group-name', Values: ['default'] },
        ]
      : [{ Name: 'group-id', Values: [group.id] }]
  const found: SecurityGroup[] = []
  await calling(call, async () => {
    for await (const page of paginateDescribeSecurityGroups({ client: ec2 }, { Filters: filters })) {
      found.push(...(page.SecurityGroups ?? []))
    }
  })
  if (group.id !== undefined && found.length === 0) {
    throw new UserFault(`security-group-id: ${group.id} is not in ${region}, or not in this account`)
  }
  const strangers = group.id === undefined ? [] : found.flatMap(one => strangersTo(one, group.subnets))
  const open = found
    .filter(letsIn)
    .map(
      one =>
        `Security group ${one.GroupId} (${one.GroupName}) has inbound rules. Nothing here needs one: the machine is reached through Systems Manager.`,
    )
  return [...strangers, ...open]
}
