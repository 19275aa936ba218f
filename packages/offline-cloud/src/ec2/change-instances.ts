import { AwsError } from '../aws/errors.ts'
import { text, texts, type QueryNode } from '../aws/query.ts'
import { items, time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import type { RegionData } from '../world/network.ts'
import { instancesByIds } from './describe-instances.ts'
import { reboot, terminate } from './lifecycle.ts'
import { checkCount, readTags } from './tags.ts'
import { stateView } from './views.ts'
import type { Tags } from './model.ts'

const mostTerminated = 1000

/**
 * TerminateInstances. One bad id fails the whole call. A protected instance fails the call too, and holds back those of
 * its own zone; the others go all the same.
 */
export function terminateInstances(
  cloud: Cloud,
  node: QueryNode,
  region: RegionData,
): { readonly [name: string]: Xml } {
  const ids = [...new Set(texts(node, 'InstanceId'))]
  if (ids.length === 0) throw new AwsError('MissingParameter', 'The request must contain the parameter InstanceId')
  if (ids.length > mostTerminated)
    throw new AwsError('InvalidParameterValue', `At most ${mostTerminated} instances can be terminated in one call.`)
  const instances = instancesByIds(cloud, region.name, ids)
  const shielded = instances.filter(({ isProtected, state }) => isProtected && state !== 'terminated')
  const heldZones = new Set(shielded.map(({ zone }) => zone.name))
  const changes = instances
    .filter(({ zone }) => !heldZones.has(zone.name))
    .map(instance => {
      const before = instance.state
      terminate(cloud, instance)
      return {
        instanceId: instance.id,
        currentState: stateView(instance.state),
        previousState: stateView(before),
      }
    })
  const [first] = shielded
  if (first !== undefined)
    throw new AwsError(
      'OperationNotPermitted',
      `The instance '${first.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and ` +
        'try again.',
    )
  return { instancesSet: items(changes) }
}

/** RebootInstances: running ones boot again, ended ones are left alone, the others fail the call. */
export function rebootInstances(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const ids = [...new Set(texts(node, 'InstanceId'))]
  if (ids.length === 0) throw new AwsError('MissingParameter', 'The request must contain the parameter InstanceId')
  const instances = instancesByIds(cloud, region.name, ids)
  const wrong = instances.find(({ state }) => state === 'pending' || state === 'stopping' || state === 'stopped')
  if (wrong !== undefined)
    throw new AwsError('IncorrectState', `The instance '${wrong.id}' is not in the 'running' state.`)
  for (const instance of instances) reboot(cloud, instance)
  return { return: true }
}

/** GetConsoleOutput: what the machine printed so far, base64. */
export function getConsoleOutput(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const id = text(node, 'InstanceId') ?? ''
  const [instance] = instancesByIds(cloud, region.name, [id])
  const output = cloud.machines.get(id)?.consoleOutput() ?? instance?.console ?? ''
  return {
    instanceId: id,
    timestamp: time(cloud.clock.now()),
    output: Buffer.from(output).toString('base64'),
  }
}

/** CreateTags on instances, volumes, interfaces and spot requests. */
export function createTags(cloud: Cloud, node: QueryNode, region: RegionData): { readonly [name: string]: Xml } {
  const tags = readTags(node)
  const targets = texts(node, 'ResourceId').map(id => tagged(cloud, region, id))
  const merged = targets.map(target => ({ target, all: { ...target.tags, ...tags } }))
  for (const { all } of merged) checkCount(all)
  for (const { target, all } of merged) target.tags = all
  return { return: true }
}

function tagged(cloud: Cloud, region: RegionData, id: string): { tags: Tags } {
  const prefix = id.split('-')[0]
  if (prefix === 'i') {
    const [instance] = instancesByIds(cloud, region.name, [id])
    if (instance !== undefined) return instance
  }
  const [found, code, word] =
    prefix === 'vol'
      ? ([cloud.ec2.volumes.get(id), 'InvalidVolume.NotFound', 'volume'] as const)
      : prefix === 'eni'
        ? ([cloud.ec2.interfaces.get(id), 'InvalidNetworkInterfaceID.NotFound', 'networkInterface'] as const)
        : prefix === 'sir'
          ? ([
              cloud.ec2.spotRequests.get(id),
              'InvalidSpotInstanceRequestID.NotFound',
              'spot instance request',
            ] as const)
          : ([undefined, 'InvalidID', ''] as const)
  if (found === undefined || found.region !== region.name)
    throw new AwsError(
      code,
      code === 'InvalidID' ? `The ID '${id}' is not valid` : `The ${word} ID '${id}' does not exist`,
    )
  return found
}
