import type { Cloud } from '../cloud.ts'
import { stopForCapacity, takeAway } from './lifecycle.ts'
import type { Instance, Interruption } from './model.ts'
import { requestOf, settle } from './spot-requests.ts'

/**
 * Gives a spot instance the notice that EC2 takes it away `noticeSeconds` from now, and takes it. False where there is
 * nothing to take: an instance of another market, one that is not running, one that has its notice already.
 */
export function interrupt(
  cloud: Cloud,
  instance: Instance,
  noticeSeconds: number,
  status: Interruption['status'] = 'instance-terminated-no-capacity',
): boolean {
  const request = requestOf(cloud, instance)
  if (request === undefined || instance.state !== 'running' || instance.interruption !== null) return false
  const now = cloud.clock.now()
  instance.interruption = { noticeAt: now, endsAt: now + noticeSeconds * 1000, status }
  const stops = request.onInterruption !== 'terminate'
  settle(cloud, request, stops ? 'active' : 'closed', stops ? 'marked-for-stop' : 'marked-for-termination')
  cloud.clock.after(noticeSeconds * 1000, () => {
    if (!stops) return takeAway(cloud, instance, 'Server.SpotInstanceTermination', 'Spot instance termination')
    if (!stopForCapacity(cloud, instance)) return
    const isPrice = status === 'instance-terminated-by-price'
    settle(cloud, request, 'disabled', isPrice ? 'instance-stopped-by-price' : 'instance-stopped-no-capacity')
  })
  return true
}
