import { texts, type QueryNode } from '../aws/query.ts'
import { items, tagSet, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { account } from '../world/account.ts'
import type { RegionData, SecurityGroupData, SubnetData } from '../world/network.ts'
import type { Fields } from './filters.ts'
import type { Tags } from './model.ts'
import { page } from './pages.ts'
import { select, type Answer } from './select.ts'

// Standing furniture carries a Name tag, as a careful owner would set it.
const subnetTags = ({ name }: SubnetData): Tags => ({ Name: name })

/** DescribeSubnets. */
export function describeSubnets(cloud: Cloud, node: QueryNode, region: RegionData): Answer {
  const fields: Fields<SubnetData> = {
    'subnet-id': ({ id }) => [id],
    'vpc-id': () => [region.vpc],
    'availability-zone': ({ zone }) => [zone],
    'availability-zone-id': ({ zone }) => [zoneIdOf(region, zone)],
    'default-for-az': ({ isDefault }) => [isDefault],
    'map-public-ip-on-launch': ({ mapPublicIp }) => [mapPublicIp],
    'cidr-block': ({ cidr }) => [cidr],
    'owner-id': () => [account],
    state: () => ['available'],
  }
  const wanted = {
    ids: texts(node, 'SubnetId'),
    key: ({ id }: SubnetData) => id,
    code: 'InvalidSubnetID.NotFound',
    word: 'subnet ID',
  }
  const fitting = select(node, region.subnets, fields, wanted, subnetTags)
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  const view = (subnet: SubnetData): Xml => ({
    subnetId: subnet.id,
    subnetArn: `arn:aws:ec2:${region.name}:${account}:subnet/${subnet.id}`,
    state: 'available',
    vpcId: region.vpc,
    cidrBlock: subnet.cidr,
    ownerId: account,
    availabilityZone: subnet.zone,
    availabilityZoneId: zoneIdOf(region, subnet.zone),
    availableIpAddressCount: 4091 - [...cloud.ec2.interfaces.values()].filter(card => card.subnet === subnet).length,
    defaultForAz: subnet.isDefault,
    mapPublicIpOnLaunch: subnet.mapPublicIp,
    assignIpv6AddressOnCreation: false,
    ipv6CidrBlockAssociationSet: '',
    tagSet: tagSet(subnetTags(subnet)),
  })
  return { subnetSet: items(members.map(view)), nextToken }
}

const zoneIdOf = (region: RegionData, zone: string): string => region.zones.find(({ name }) => name === zone)?.id ?? ''

/** DescribeVpcs: the default one of the region. */
export function describeVpcs(node: QueryNode, region: RegionData): Answer {
  const fields: Fields<RegionData> = {
    'vpc-id': ({ vpc }) => [vpc],
    'is-default': () => [true],
    isDefault: () => [true],
    state: () => ['available'],
    cidr: ({ cidr }) => [cidr],
    'owner-id': () => [account],
  }
  const wanted = {
    ids: texts(node, 'VpcId'),
    key: ({ vpc }: RegionData) => vpc,
    code: 'InvalidVpcID.NotFound',
    word: 'vpc ID',
  }
  const { members, nextToken } = page(node, select(node, [region], fields, wanted), ({ vpc }) => vpc)
  const view = ({ vpc, cidr }: RegionData): Xml => ({
    vpcId: vpc,
    ownerId: account,
    state: 'available',
    cidrBlock: cidr,
    dhcpOptionsId: 'default',
    instanceTenancy: 'default',
    isDefault: true,
    tagSet: '',
  })
  return { vpcSet: items(members.map(view)), nextToken }
}

interface RouteTable {
  readonly id: string
  readonly isMain: boolean
  readonly subnets: readonly string[]
  readonly leadsOut: boolean
}

const routeTablesOf = (region: RegionData): readonly RouteTable[] =>
  [...new Set(region.subnets.map(({ routeTable }) => routeTable))].map(id => ({
    id,
    isMain: id === region.mainRouteTable,
    // Default subnets follow the main table without being associated with it.
    subnets: id === region.mainRouteTable ? [] : region.subnets.filter(s => s.routeTable === id).map(s => s.id),
    leadsOut: region.subnets.some(subnet => subnet.routeTable === id && subnet.way === 'internet-gateway'),
  }))

/** DescribeRouteTables: the main table leads to the internet gateway, that of the private subnet nowhere. */
export function describeRouteTables(node: QueryNode, region: RegionData): Answer {
  const fields: Fields<RouteTable> = {
    'route-table-id': ({ id }) => [id],
    'vpc-id': () => [region.vpc],
    'association.main': ({ isMain }) => [isMain],
    'association.subnet-id': ({ subnets }) => subnets,
    'association.route-table-id': ({ id }) => [id],
    'route.gateway-id': ({ leadsOut }) => (leadsOut ? ['local', region.internetGateway] : ['local']),
    'route.destination-cidr-block': ({ leadsOut }) => (leadsOut ? [region.cidr, '0.0.0.0/0'] : [region.cidr]),
  }
  const wanted = {
    ids: texts(node, 'RouteTableId'),
    key: ({ id }: RouteTable) => id,
    code: 'InvalidRouteTableID.NotFound',
    word: 'routeTable ID',
  }
  const fitting = select(node, routeTablesOf(region), fields, wanted)
  const { members, nextToken } = page(node, fitting, ({ id }) => id, { most: 100 })
  const route = (destination: string, gateway: string, origin: string): Xml => ({
    destinationCidrBlock: destination,
    gatewayId: gateway,
    state: 'active',
    origin,
  })
  const association = (table: RouteTable, subnet: string | null): Xml => ({
    routeTableAssociationId: `rtbassoc-${(subnet ?? table.id).slice(-17)}`,
    routeTableId: table.id,
    subnetId: subnet ?? undefined,
    main: subnet === null,
    associationState: { state: 'associated' },
  })
  const view = (table: RouteTable): Xml => ({
    routeTableId: table.id,
    vpcId: region.vpc,
    ownerId: account,
    routeSet: items([
      route(region.cidr, 'local', 'CreateRouteTable'),
      ...(table.leadsOut ? [route('0.0.0.0/0', region.internetGateway, 'CreateRoute')] : []),
    ]),
    associationSet: items(
      table.isMain ? [association(table, null)] : table.subnets.map(subnet => association(table, subnet)),
    ),
    propagatingVgwSet: '',
    tagSet: '',
  })
  return { routeTableSet: items(members.map(view)), nextToken }
}

/** DescribeSecurityGroups. */
export function describeSecurityGroups(node: QueryNode, region: RegionData): Answer {
  const fields: Fields<SecurityGroupData> = {
    'group-id': ({ id }) => [id],
    'group-name': ({ name }) => [name],
    description: ({ about }) => [about],
    'vpc-id': () => [region.vpc],
    'owner-id': () => [account],
    'ip-permission.cidr': ({ openPorts }) => (openPorts.length > 0 ? ['0.0.0.0/0'] : []),
    'ip-permission.from-port': ({ openPorts }) => openPorts,
    'ip-permission.to-port': ({ openPorts }) => openPorts,
    'ip-permission.protocol': ({ openPorts }) => (openPorts.length > 0 ? ['tcp'] : []),
  }
  const names = texts(node, 'GroupName')
  const ids = [
    ...texts(node, 'GroupId'),
    ...names.map(name => region.securityGroups.find(group => group.name === name)?.id ?? name),
  ]
  const wanted = {
    ids,
    key: ({ id }: SecurityGroupData) => id,
    code: 'InvalidGroup.NotFound',
    word: 'security group',
  }
  const { members, nextToken } = page(node, select(node, region.securityGroups, fields, wanted), ({ id }) => id)
  const anywhere = items([{ cidrIp: '0.0.0.0/0' }])
  const view = (group: SecurityGroupData): Xml => ({
    ownerId: account,
    groupId: group.id,
    groupName: group.name,
    groupDescription: group.about,
    vpcId: region.vpc,
    securityGroupArn: `arn:aws:ec2:${region.name}:${account}:security-group/${group.id}`,
    ipPermissions: items(
      group.openPorts.map(port => ({
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        groups: '',
        ipRanges: anywhere,
        ipv6Ranges: '',
        prefixListIds: '',
      })),
    ),
    ipPermissionsEgress: items([
      { ipProtocol: '-1', groups: '', ipRanges: anywhere, ipv6Ranges: '', prefixListIds: '' },
    ]),
    tagSet: '',
  })
  return { securityGroupInfo: items(members.map(view)), nextToken }
}
