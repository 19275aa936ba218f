import type { Call } from '../calls.ts'
import type { Cloud } from '../cloud.ts'
import { isLiving } from '../ec2/spot-requests.ts'
import { clusterViews, type ClusterView } from './clusters.ts'

export type { ClusterView, JobView } from './clusters.ts'

/** What the state endpoint shows. Times are UTC ISO on the cloud's clock. */
export interface CloudState {
  readonly now: string
  /** What still exists: instances that are not terminated, volumes, interfaces, clusters that are not deleted, spot
   * requests that are open or active, one-time parameters. */
  readonly living: {
    readonly instances: number
    readonly volumes: number
    readonly interfaces: number
    readonly clusters: number
    readonly spotRequests: number
    readonly parameters: number
  }
  readonly instances: readonly InstanceState[]
  readonly volumes: readonly AttachableState[]
  readonly interfaces: readonly AttachableState[]
  readonly spotRequests: readonly SpotRequestState[]
  readonly parameters: readonly { readonly name: string; readonly type: string }[]
  readonly commands: readonly CommandState[]
  readonly artifacts: readonly ArtifactState[]
  readonly clusters: readonly ClusterView[]
  /** Calls by `service:operation`. */
  readonly calls: Readonly<Record<string, number>>
  readonly callLog: readonly Call[]
}

export interface InstanceState {
  readonly id: string
  readonly type: string
  readonly region: string
  readonly zone: string
  readonly state: string
  readonly stateReason: { readonly code: string; readonly message: string } | null
  readonly imageId: string
  readonly subnetId: string
  readonly clientToken: string
  readonly tags: Readonly<Record<string, string>>
  readonly launchTime: string
  readonly terminatedAt: string | null
  readonly volumes: readonly string[]
  readonly interfaces: readonly string[]
  readonly lifecycle: 'spot' | 'capacity-block' | null
  readonly spotRequestId: string | null
  readonly capacityReservationId: string | null
  readonly ssm: 'offline' | 'online'
  /** The user data as text, null for none. */
  readonly userData: string | null
}

export interface SpotRequestState {
  readonly id: string
  readonly region: string
  readonly type: string
  readonly state: string
  readonly statusCode: string
  readonly instanceId: string | null
  readonly tags: Readonly<Record<string, string>>
}

/** A volume or a network interface. */
export interface AttachableState {
  readonly id: string
  readonly instanceId: string | null
  readonly state: string
  readonly tags: Readonly<Record<string, string>>
}

/** A command on one instance. */
export interface CommandState {
  readonly id: string
  readonly instanceId: string
  readonly status: string
  readonly comment: string
  readonly commands: readonly string[]
}

export interface ArtifactState {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly finalized: boolean
  readonly path: string
}

/** Where the one-time parameters of a job are; others belong to the account. */
const ownParameters = '/gpu-actions/'

const iso = (ms: number): string => new Date(ms).toISOString()

/** The state of the cloud now. */
export function stateOf(cloud: Cloud): CloudState {
  const instances = [...cloud.ec2.instances.values()]
  const volumes = [...cloud.ec2.volumes.values()]
  const interfaces = [...cloud.ec2.interfaces.values()]
  const spotRequests = [...cloud.ec2.spotRequests.values()]
  const attachable = ({ id, instance, state, tags }: (typeof volumes)[number] | (typeof interfaces)[number]) => ({
    id,
    instanceId: instance,
    state,
    tags,
  })
  return {
    now: iso(cloud.clock.now()),
    living: {
      instances: instances.filter(({ state }) => state !== 'terminated').length,
      volumes: volumes.length,
      interfaces: interfaces.length,
      clusters: [...cloud.clusters.clusters.values()].filter(({ deletedAt }) => deletedAt === null).length,
      spotRequests: spotRequests.filter(isLiving).length,
      parameters: [...cloud.ssm.parameters.values()].filter(({ name }) => name.startsWith(ownParameters)).length,
    },
    instances: instances.map(instance => ({
      id: instance.id,
      type: instance.type.name,
      region: instance.region,
      zone: instance.zone.name,
      state: instance.state,
      stateReason: instance.stateReason,
      imageId: instance.image.id,
      subnetId: instance.subnet.id,
      clientToken: instance.clientToken,
      tags: instance.tags,
      launchTime: iso(instance.launchTime),
      terminatedAt: instance.terminatedAt === null ? null : iso(instance.terminatedAt),
      volumes: instance.volumes,
      interfaces: instance.interfaces,
      lifecycle: instance.lifecycle,
      spotRequestId: instance.spotRequest,
      capacityReservationId: instance.capacityReservation,
      ssm: instance.ssm,
      userData: instance.userData === null ? null : new TextDecoder().decode(instance.userData),
    })),
    volumes: volumes.map(attachable),
    interfaces: interfaces.map(attachable),
    spotRequests: spotRequests.map(({ id, region, instanceType, state, status, instance, tags }) => ({
      id,
      region,
      type: instanceType.name,
      state,
      statusCode: status.code,
      instanceId: instance,
      tags,
    })),
    parameters: [...cloud.ssm.parameters.values()].map(({ name, type }) => ({ name, type })),
    commands: [...cloud.ssm.commands.values()].flatMap(({ id, comment, commands, invocations }) =>
      invocations.map(({ instanceId, status }) => ({ id, instanceId, status, comment, commands })),
    ),
    artifacts: cloud.artifacts
      .list()
      .map(({ id, name, size, isFinalized, path }) => ({ id, name, size, finalized: isFinalized, path })),
    clusters: clusterViews(cloud),
    calls: cloud.calls.counts(),
    callLog: cloud.calls.list(),
  }
}
