import { parseQuery } from '../aws/query.ts'
import type { Cloud } from '../cloud.ts'
import { awsId } from '../ids.ts'
import { images } from '../world/images.ts'
import { typeNamed } from '../world/instance-types.ts'
import { regionNamed, type RegionData } from '../world/network.ts'
import { zonesOf, type Seed } from '../world/seeds.ts'
import { readLaunchRequest, type LaunchRequest } from './launch-request.ts'
import type { Instance, Tags } from './model.ts'
import { createInstance } from './run-instances.ts'
import { createRequest, fulfilled, instanceEnded } from './spot-requests.ts'

const defaults = {
  count: 1,
  state: 'running',
  market: 'on-demand',
  tags: {},
  clientToken: '',
  launchedSecondsAgo: 0,
  protected: false,
} as const
type Planted = Required<Omit<Seed, 'zone'>>

/** Puts the instances of a scenario into EC2. */
export function plantInstances(cloud: Cloud, seeds: readonly Seed[]): void {
  for (const entry of seeds) {
    const seed: Planted = { ...defaults, ...entry }
    const region = regionNamed(seed.region)
    const zones = zonesOf(entry)
    if (region === undefined) throw new RangeError(`instances: there is no region ${seed.region}`)
    const request = requestOf(seed, region)
    for (let index = 0; index < seed.count; index += 1) {
      const zone = zones[index % zones.length]
      const subnet = region.subnets.find(candidate => candidate.isDefault && candidate.zone === zone?.name)
      if (zone === undefined || subnet === undefined) throw new RangeError(`instances: no subnet for ${seed.type}`)
      plant(cloud, seed, numbered(request, seed, index + 1), region, { zone, subnet, count: 1 })
    }
  }
}

// As a launch would be asked for, so that EC2's own defaults apply.
function requestOf(seed: Planted, region: RegionData): LaunchRequest {
  const architecture = typeNamed(seed.type)?.architecture
  const image = images.find(candidate => candidate.region === region.name && candidate.architecture === architecture)
  const query = new URLSearchParams({ InstanceType: seed.type, MinCount: '1', MaxCount: '1', ImageId: image?.id ?? '' })
  query.set('InstanceInitiatedShutdownBehavior', 'terminate')
  if (seed.market === 'spot') query.set('InstanceMarketOptions.MarketType', 'spot')
  if (seed.protected) query.set('DisableApiTermination', 'true')
  return readLaunchRequest(parseQuery(query.toString()), region)
}

function numbered(request: LaunchRequest, seed: Planted, number: number): LaunchRequest {
  const filled = (text: string): string => text.replaceAll('{n}', String(number))
  const tags: Tags = Object.fromEntries(Object.entries(seed.tags).map(([key, value]) => [key, filled(value)]))
  return {
    ...request,
    clientToken: filled(seed.clientToken),
    tags: { instance: tags, volume: tags, 'network-interface': tags, 'spot-instances-request': tags },
  }
}

function plant(
  cloud: Cloud,
  seed: Planted,
  request: LaunchRequest,
  region: RegionData,
  place: Parameters<typeof createInstance>[3],
): void {
  const { spot } = request.choice
  const order = spot === null ? null : createRequest(cloud, request, spot, region.name, () => {})
  const fresh = createInstance(cloud, request, region, place, { reservation: awsId('r'), launchIndex: 0, order })
  const launchTime = fresh.launchTime - seed.launchedSecondsAgo * 1000
  const hasRun = seed.state !== 'pending'
  const instance: Instance = {
    ...fresh,
    launchTime,
    visibleAt: launchTime,
    state: seed.state,
    stateReason: hasRun ? null : fresh.stateReason,
    runningAt: hasRun ? launchTime : null,
  }
  if (order !== null) fulfilled(cloud, order, instance)
  cloud.ec2.instances.set(instance.id, instance)
  age(cloud.ec2.volumes, instance.volumes, launchTime)
  age(cloud.ec2.interfaces, instance.interfaces, launchTime)
  if (seed.state === 'terminated') bury(cloud, instance)
}

function age<T extends { readonly created: number; readonly visibleAt: number }>(
  kind: Map<string, T>,
  ids: readonly string[],
  created: number,
): void {
  for (const id of ids) {
    const resource = kind.get(id)
    if (resource !== undefined) kind.set(id, { ...resource, created, visibleAt: created })
  }
}

function bury(cloud: Cloud, instance: Instance): void {
  instance.terminatedAt = cloud.clock.now()
  instance.stateReason = {
    code: 'Client.UserInitiatedShutdown',
    message: 'Client.UserInitiatedShutdown: User initiated shutdown',
  }
  instanceEnded(cloud, instance)
  for (const id of instance.volumes) cloud.ec2.volumes.delete(id)
  for (const id of instance.interfaces) cloud.ec2.interfaces.delete(id)
}
