import { AwsError } from '../aws/errors.ts'
import { texts, type QueryNode } from '../aws/query.ts'
import { items, tagSet, time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { profileArn } from '../world/account.ts'
import type { RegionData } from '../world/network.ts'
import { onDemandPrice } from '../world/prices.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import type { SpotRequest } from './model.ts'
import { page } from './pages.ts'
import type { Answer } from './select.ts'
import { cancel } from './spot-requests.ts'

const product = 'Linux/UNIX'
const priceOf = ({ maxPrice, region, instanceType }: SpotRequest): string =>
  (maxPrice ?? onDemandPrice(region, instanceType.name)).toFixed(6)

const fields: Fields<SpotRequest> = {
  'spot-instance-request-id': ({ id }) => [id],
  state: ({ state }) => [state],
  'status-code': ({ status }) => [status.code],
  'status-message': ({ status }) => [status.message],
  type: ({ type }) => [type],
  'instance-id': ({ instance }) => [instance],
  'create-time': ({ created }) => [time(created)],
  'launch.instance-type': ({ instanceType }) => [instanceType.name],
  'launch.image-id': ({ imageId }) => [imageId],
  'launch.group-id': ({ groups }) => groups.map(({ id }) => id),
  'launch.group-name': ({ groups }) => groups.map(({ name }) => name),
  'launch.monitoring-enabled': () => [false],
  'network-interface.subnet-id': ({ subnet }) => [subnet],
  'launched-availability-zone': ({ zone }) => [zone?.name ?? null],
  'launched-availability-zone-id': ({ zone }) => [zone?.id ?? null],
  'product-description': () => [product],
  'spot-price': request => [priceOf(request)],
}

function requestsByIds(cloud: Cloud, region: RegionData, ids: readonly string[]): readonly SpotRequest[] {
  const now = cloud.clock.now()
  const visible = [...cloud.ec2.spotRequests.values()].filter(
    request => request.region === region.name && request.visibleAt <= now,
  )
  if (ids.length === 0) return visible
  return ids.map(id => {
    if (!/^sir-[0-9a-z]{8}$/.test(id))
      throw new AwsError('InvalidSpotInstanceRequestID.Malformed', `Invalid id: "${id}"`)
    const found = visible.find(request => request.id === id)
    if (found === undefined)
      throw new AwsError('InvalidSpotInstanceRequestID.NotFound', `The spot instance request ID '${id}' does not exist`)
    return found
  })
}

/** DescribeSpotInstanceRequests. */
export function describeSpotInstanceRequests(cloud: Cloud, node: QueryNode, region: RegionData): Answer {
  const filters = readFilters(node)
  checkFilters(filters, fields)
  const requests = requestsByIds(cloud, region, texts(node, 'SpotInstanceRequestId'))
  const fitting = requests.filter(request => passes(request, filters, fields, request.tags))
  const { members, nextToken } = page(node, fitting, ({ id }) => id)
  return { spotInstanceRequestSet: items(members.map(requestView)), nextToken }
}

function requestView(request: SpotRequest): Xml {
  const { zone, status } = request
  return {
    spotInstanceRequestId: request.id,
    spotPrice: priceOf(request),
    type: request.type,
    state: request.state,
    status: { code: status.code, updateTime: time(status.at), message: status.message },
    launchSpecification: {
      imageId: request.imageId,
      instanceType: request.instanceType.name,
      groupSet: items(request.groups.map(({ id, name }) => ({ groupId: id, groupName: name }))),
      ...(request.subnet === null ? {} : { subnetId: request.subnet }),
      ...(request.profile === null
        ? {}
        : { iamInstanceProfile: { arn: profileArn(request.profile), name: request.profile } }),
      placement: zone === null ? undefined : { availabilityZone: zone.name, availabilityZoneId: zone.id },
      monitoring: { enabled: false },
    },
    instanceId: request.instance ?? undefined,
    createTime: time(request.created),
    productDescription: product,
    tagSet: tagSet(request.tags),
    launchedAvailabilityZone: zone?.name,
    launchedAvailabilityZoneId: zone?.id,
    instanceInterruptionBehavior: request.onInterruption,
  }
}

/** CancelSpotInstanceRequests. The instances go on; one unknown id fails the whole call. */
export function cancelSpotInstanceRequests(cloud: Cloud, node: QueryNode, region: RegionData): Answer {
  const ids = texts(node, 'SpotInstanceRequestId')
  if (ids.length === 0)
    throw new AwsError('MissingParameter', 'The request must contain the parameter SpotInstanceRequestId')
  const requests = requestsByIds(cloud, region, ids)
  for (const request of requests) cancel(cloud, request)
  return { spotInstanceRequestSet: items(requests.map(({ id, state }) => ({ spotInstanceRequestId: id, state }))) }
}
