import { AwsError } from '../aws/errors.ts'
import { flag, type QueryNode } from '../aws/query.ts'
import type { Xml } from '../aws/xml.ts'
import type { Caller, Cloud } from '../cloud.ts'
import type { RegionData } from '../world/network.ts'
import { createTags, getConsoleOutput, rebootInstances, terminateInstances } from './change-instances.ts'
import { describeInstances, describeInstanceStatus } from './describe-instances.ts'
import { describeCapacityReservations } from './describe-reservations.ts'
import { cancelSpotInstanceRequests, describeSpotInstanceRequests } from './describe-spot.ts'
import { describeInstanceTypeOfferings, describeInstanceTypes } from './describe-types.ts'
import { describeImages } from './describe-images.ts'
import { describeRouteTables, describeSecurityGroups, describeSubnets, describeVpcs } from './describe-network.ts'
import { describeAvailabilityZones, describeRegions } from './describe-places.ts'
import { describeSpotPriceHistory } from './price-history.ts'
import { runInstances } from './run-instances.ts'
import {
  deleteNetworkInterface,
  deleteVolume,
  describeNetworkInterfaces,
  describeVolumes,
} from './storage-and-network.ts'

type Operation = (cloud: Cloud, node: QueryNode, region: RegionData, caller: Caller) => { readonly [name: string]: Xml }

const operations: Readonly<Record<string, Operation>> = {
  RunInstances: runInstances,
  DescribeInstances: describeInstances,
  DescribeInstanceStatus: describeInstanceStatus,
  TerminateInstances: terminateInstances,
  RebootInstances: rebootInstances,
  GetConsoleOutput: getConsoleOutput,
  CreateTags: createTags,
  DescribeVolumes: describeVolumes,
  DeleteVolume: deleteVolume,
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  DeleteNetworkInterface: deleteNetworkInterface,
  DescribeInstanceTypes: (_, node, region) => describeInstanceTypes(node, region),
  DescribeInstanceTypeOfferings: (_, node, region) => describeInstanceTypeOfferings(node, region),
  DescribeImages: (_, node, region) => describeImages(node, region),
  DescribeSubnets: describeSubnets,
  DescribeVpcs: (_, node, region) => describeVpcs(node, region),
  DescribeRouteTables: (_, node, region) => describeRouteTables(node, region),
  DescribeSecurityGroups: (_, node, region) => describeSecurityGroups(node, region),
  DescribeRegions: (_, node) => describeRegions(node),
  DescribeSpotInstanceRequests: describeSpotInstanceRequests,
  CancelSpotInstanceRequests: cancelSpotInstanceRequests,
  DescribeSpotPriceHistory: describeSpotPriceHistory,
  DescribeCapacityReservations: describeCapacityReservations,
  DescribeAvailabilityZones: (_, node, region) => describeAvailabilityZones(node, region),
}

/** The EC2 operations that the cloud covers. */
export const ec2Operations: readonly string[] = Object.keys(operations)

/** Carries out an EC2 operation. One that is not covered is refused by name; `DryRun` is honoured by every one. */
export function callEc2(
  cloud: Cloud,
  name: string,
  node: QueryNode,
  region: RegionData,
  caller: Caller,
): { readonly [name: string]: Xml } {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined)
    throw new AwsError(
      'InvalidAction',
      `The action ${name} is not valid for this web service. (The offline cloud does not cover EC2's ${name}.)`,
    )
  // RunInstances checks its parameters before it answers a dry run.
  if (flag(node, 'DryRun') === true && operation !== runInstances)
    throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412)
  return operation(cloud, node, region, caller)
}
