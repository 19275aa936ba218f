import type { RunDirectories } from '@gpu-actions/action-kit'
import { leaseRecord, type Lease } from '@gpu-actions/lease'

/** Whose machine it is, and where its records go. */
export interface Place {
  /** The run directory: a lease id, or `host-<instance>`. */
  readonly id: string
  /** null for a machine that was not rented in this job. */
  readonly leaseId: string | null
  readonly lease: Lease | undefined
}

const leaseIn = async (directories: RunDirectories, id: string): Promise<Lease | undefined> => {
  try {
    return await leaseRecord.read(directories.open(id))
  } catch {
    // Some other version's: whose machine it is then, nobody can tell.
    return undefined
  }
}

/** The lease that was named, else the one of this job that holds the instance, else a place of the instance's own. */
export async function placeOf(
  machine: { readonly leaseId?: string | undefined; readonly instanceId: string },
  directories: RunDirectories,
): Promise<Place> {
  const { leaseId, instanceId } = machine
  if (leaseId !== undefined) return { id: leaseId, leaseId, lease: await leaseIn(directories, leaseId) }
  for (const id of await directories.list()) {
    const lease = await leaseIn(directories, id)
    if (lease?.machines.some(({ id: machineId }) => machineId === instanceId)) return { id, leaseId: id, lease }
  }
  return { id: `host-${instanceId}`, leaseId: null, lease: undefined }
}

/** The longest that a job may last on GitHub's runners, in milliseconds. */
const longestJobMs = 6 * 3_600_000

/**
 * When the machine has ended at the latest; of one whose lease is not known, when the job has.
 * @param serviceNow on the clock of AWS, as the expiry of a lease is: the runner's own may be hours away from it
 * @returns milliseconds since the epoch, on that clock
 */
export const machineEnd = ({ lease }: Pick<Place, 'lease'>, serviceNow: number): number =>
  lease === undefined ? serviceNow + longestJobMs : Date.parse(lease.expiresAt)
