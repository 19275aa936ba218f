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
  host: { readonly leaseId?: string | undefined; readonly instanceId?: string | undefined },
  directories: RunDirectories,
): Promise<RecordPlace> {
  if (host.leaseId !== undefined) return { id: host.leaseId, leaseId: host.leaseId }
  if (host.instanceId === undefined) return { id: 'host-local', leaseId: null }
  for (const id of await directories.list()) {
    if (machineIdsOf(await directories.open(id).read('lease.json')).includes(host.instanceId)) {
      return { id, leaseId: id }
    }
  }
  return { id: `host-${host.instanceId}`, leaseId: null }
}
