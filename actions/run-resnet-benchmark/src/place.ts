import { createHash } from 'node:crypto'
import type { RunDirectories } from '@gpu-actions/action-kit'

/** Where the record of a run goes, and which lease that is. */
export interface RecordPlace {
  /** The run directory: a lease id, or `host-<name>`. */
  readonly id: string
  /** null for a host that was not rented here. */
  readonly leaseId: string | null
}

/** The machines that a lease's record names; none when it is not readable as one. */
function machineIdsOf(record: unknown): readonly string[] {
  if (typeof record !== 'object' || record === null || !('machines' in record) || !Array.isArray(record.machines)) {
    return []
  }
  return record.machines.flatMap((machine: unknown) =>
    typeof machine === 'object' && machine !== null && 'id' in machine && typeof machine.id === 'string'
      ? [machine.id]
      : [],
  )
}

/**
 * Finds the run directory of a host: that of the lease that was named, else of the lease of this job that holds the
 * instance, else one of the host's own.
 */
export async function placeOf(
  host: {
    readonly leaseId?: string | undefined
    readonly instanceId?: string | undefined
    readonly sshHost?: string | undefined
  },
  directories: RunDirectories,
): Promise<RecordPlace> {
  if (host.leaseId !== undefined) return { id: host.leaseId, leaseId: host.leaseId }
  // Colons of an address can be in no name of an artifact.
  if (host.sshHost !== undefined) return { id: `host-${host.sshHost.replaceAll(':', '-')}`, leaseId: null }
  if (host.instanceId === undefined) return { id: 'host-local', leaseId: null }
  for (const id of await directories.list()) {
    if (machineIdsOf(await directories.open(id).read('lease.json')).includes(host.instanceId)) {
      return { id, leaseId: id }
    }
  }
  return { id: `host-${host.instanceId}`, leaseId: null }
}

/** What deploy-agent's record says of a cluster; null when it is not readable as one. */
function agentOf(
  record: unknown,
): { readonly clusterId: string; readonly host: string; readonly leaseId: string | null } | null {
  if (typeof record !== 'object' || record === null) return null
  const text = (name: string): string | null => {
    const found: unknown = Reflect.get(record, name)
    return typeof found === 'string' ? found : null
  }
  const [clusterId, host] = [text('clusterId'), text('host')]
  return clusterId === null || host === null ? null : { clusterId, host, leaseId: text('leaseId') }
}

/**
 * Finds the run directory of a cluster's job: that of the lease that was named, else the one in which deploy-agent has
 * recorded the cluster, else that of the instance, else one of the cluster's own, under a name that does not tell its id.
 */
export async function clusterPlaceOf(
  cluster: {
    readonly clusterId: string
    readonly leaseId?: string | undefined
    readonly instanceId?: string | undefined
  },
  directories: RunDirectories,
): Promise<RecordPlace & { readonly host: string | null }> {
  for (const id of await directories.list()) {
    const agent = agentOf(await directories.open(id).read('agent.json'))
    if (agent?.clusterId !== cluster.clusterId) continue
    if (cluster.leaseId === undefined || cluster.leaseId === id) return { id, leaseId: agent.leaseId, host: agent.host }
  }
  if (cluster.leaseId !== undefined || cluster.instanceId !== undefined)
    return { ...(await placeOf(cluster, directories)), host: cluster.instanceId ?? null }
  const name = createHash('sha256').update(cluster.clusterId).digest('hex').slice(0, 8)
  return { id: `host-cluster-${name}`, leaseId: null, host: null }
}
