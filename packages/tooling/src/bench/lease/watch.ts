import { setTimeout as pause } from 'node:timers/promises'
import type { InstanceState, OfflineCloud } from '@gpu-actions/offline-cloud'

/** When something changed in the cloud, as this computer's clock had it: milliseconds since the epoch. */
export interface Changes {
  launchedAt: number | null
  runningAt: number | null
  onlineAt: number | null
  endingAt: number | null
  terminatedAt: number | null
  /** Its volumes and interfaces are gone, too. */
  releasedAt: number | null
}

/** How closely the cloud is watched, in milliseconds: what a figure can be wrong by. */
export const watchMs = 10

/** Notes when the machine of a lease changes, until it is gone or `signal` aborts. */
export async function watchMachine(cloud: OfflineCloud, signal: AbortSignal): Promise<Changes> {
  const seen: Changes = {
    launchedAt: null,
    runningAt: null,
    onlineAt: null,
    endingAt: null,
    terminatedAt: null,
    releasedAt: null,
  }
  while (seen.releasedAt === null && !signal.aborted) {
    const { instances, living } = cloud.state()
    const [machine] = instances
    if (machine !== undefined) note(seen, machine, living.volumes + living.interfaces === 0, Date.now())
    await pause(watchMs)
  }
  return seen
}

function note(seen: Changes, { state, ssm }: InstanceState, isReleased: boolean, now: number): void {
  seen.launchedAt ??= now
  if (state === 'running') seen.runningAt ??= now
  if (ssm === 'online') seen.onlineAt ??= now
  if (state === 'shutting-down' || state === 'terminated') seen.endingAt ??= now
  if (state === 'terminated') seen.terminatedAt ??= now
  if (state === 'terminated' && isReleased) seen.releasedAt ??= now
}
