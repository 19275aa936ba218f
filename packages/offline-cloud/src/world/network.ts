/** A subnet. `way` says whether its route table leads out. */
export interface SubnetData {
  readonly id: string
  readonly zone: string
  readonly cidr: string
  readonly isDefault: boolean
  readonly mapPublicIp: boolean
  readonly way: 'internet-gateway' | 'none'
  readonly routeTable: string
  readonly name: string
}

export interface SecurityGroupData {
  readonly id: string
  readonly name: string
  readonly about: string
  /** TCP ports that are open to everybody. */
  readonly openPorts: readonly number[]
}

export interface ZoneData {
  readonly name: string
  readonly id: string
}

export interface RegionData {
  readonly name: string
  readonly zones: readonly ZoneData[]
  readonly vpc: string
  readonly cidr: string
  readonly internetGateway: string
  readonly mainRouteTable: string
  readonly subnets: readonly SubnetData[]
  readonly securityGroups: readonly SecurityGroupData[]
}

// All ids of a region's standing furniture end in the same eight digits; only the prefix and one digit differ.
function region(name: string, zoneIdPrefix: string, tail: string): RegionData {
  const id = (prefix: string, digit: number): string => `${prefix}-0${digit}c0ffee0${tail}`
  const zones = ['a', 'b', 'c'].map((letter, index) => ({
    name: `${name}${letter}`,
    id: `${zoneIdPrefix}-az${index + 1}`,
  }))
  const publicSubnets = zones.map((zone, index) => ({
    id: id('subnet', index + 1),
    zone: zone.name,
    cidr: `172.31.${index * 16}.0/20`,
    isDefault: true,
    mapPublicIp: true,
    way: 'internet-gateway' as const,
    routeTable: id('rtb', 1),
    name: `default-${zone.name}`,
  }))
  const privateSubnet: SubnetData = {
    id: id('subnet', 9),
    zone: `${name}a`,
    cidr: '172.31.128.0/20',
    isDefault: false,
    mapPublicIp: false,
    way: 'none',
    routeTable: id('rtb', 9),
    name: 'private-without-a-way-out',
  }
  return {
    name,
    zones,
    vpc: id('vpc', 1),
    cidr: '172.31.0.0/16',
    internetGateway: id('igw', 1),
    mainRouteTable: id('rtb', 1),
    subnets: [...publicSubnets, privateSubnet],
    securityGroups: [
      { id: id('sg', 1), name: 'default', about: 'default VPC security group', openPorts: [] },
      { id: id('sg', 2), name: 'open-ssh', about: 'lets everybody in on port 22', openPorts: [22] },
    ],
  }
}

/**
 * The regions of the default world. In each: zones a to c, a default VPC with a default public subnet a zone, one
 * private subnet whose route table leads nowhere, the default security group without inbound rules and an open one.
 */
export const regions: readonly RegionData[] = [
  region('us-west-2', 'usw2', '77000002'),
  region('us-east-1', 'use1', '77000001'),
  region('eu-central-1', 'euc1', '77000003'),
]

/**
 * Regions that the account has not opted in to: DescribeRegions lists them when it is asked for all, and they refuse
 * every call as AWS does, which does not know the account's keys there.
 */
export const regionsNotOptedIn: readonly string[] = ['eu-south-1']

export const regionNamed = (name: string): RegionData | undefined => regions.find(data => data.name === name)
