import { setTimeout as sleep } from 'node:timers/promises'
import type { OfflineCloud } from '@gpu-actions/offline-cloud'

/** Moves the cloud's time on, and that of its machines. */
export async function moveClock({ url }: Pick<OfflineCloud, 'url'>, seconds: number): Promise<void> {
  const reply = await fetch(new URL('/_offline/clock', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ advanceSeconds: Math.max(0, seconds) }),
  })
  if (!reply.ok) throw new Error(`the clock did not move: ${reply.status} ${await reply.text()}`)
}

/** Nothing goes wrong any more. */
export async function healCloud({ url }: Pick<OfflineCloud, 'url'>): Promise<void> {
  await fetch(new URL('/_offline/faults', url), { method: 'DELETE' })
}

/** Waits until something holds. @returns whether it did within the milliseconds (of real time) */
export async function until(milliseconds: number, holds: () => boolean): Promise<boolean> {
  const deadline = performance.now() + milliseconds
  while (!holds()) {
    if (performance.now() > deadline) return false
    await sleep(100)
  }
  return true
}
