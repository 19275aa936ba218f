import { DescribeCapacityReservationsCommand } from '@aws-sdk/client-ec2'
import { formatDuration, UserFault } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from '../clients.ts'
import { calling, codeOf } from '../errors.ts'

/** A capacity reservation or a capacity block. */
export interface ReservationFacts {
  readonly id: string
  readonly isBlock: boolean
  readonly state: string
  readonly instanceType: string
  readonly zone: string
  /** Machines that it still has room for. */
  readonly free: number
  /** Milliseconds since the epoch; null when it has none. */
  readonly startsAt: number | null
  readonly endsAt: number | null
}

/** AWS begins to end the machines of a block this long before its end. */
const beforeEndMs = 30 * 60_000

/** @throws UserFault when it is not in the region, OutsideFault */
export async function findReservation(clients: AwsClients, id: string): Promise<ReservationFacts> {
  const { region } = clients
  const call = {
    doing: `Looking up the capacity reservation ${id}`,
    permission: 'ec2:DescribeCapacityReservations',
    region,
  }
  const missing = (): UserFault =>
    new UserFault(`capacity-reservation-id: ${id} is not in ${region}, or not shared with this account`)
  const reply = await calling(call, async () => {
    try {
      return await clients.ec2().send(new DescribeCapacityReservationsCommand({ CapacityReservationIds: [id] }))
    } catch (error) {
      if (codeOf(error).startsWith('InvalidCapacityReservationId')) throw missing()
      throw error
    }
  })
  const [found] = reply.CapacityReservations ?? []
  if (found === undefined) throw missing()
  return {
    id,
    isBlock: found.ReservationType === 'capacity-block',
    state: found.State ?? 'unknown',
    instanceType: found.InstanceType ?? '',
    zone: found.AvailabilityZone ?? '',
    free: found.AvailableInstanceCount ?? 0,
    startsAt: found.StartDate?.getTime() ?? null,
    endsAt: found.EndDate?.getTime() ?? null,
  }
}

const duration = (ms: number): string => formatDuration(Math.max(0, ms))
const moment = (ms: number | null): string => (ms === null ? 'an unknown time' : new Date(ms).toISOString())

/** Why nothing can be launched into it now, as sentences that go on from its id; none when it can. */
export function reservationLacks(
  facts: ReservationFacts,
  wish: { readonly block: boolean; readonly ttlMs: number; readonly now: number },
): readonly string[] {
  const { isBlock, state, free, startsAt, endsAt } = facts
  const lacking: string[] = []
  if (isBlock !== wish.block) {
    lacking.push(
      isBlock ? 'is a capacity block: set market to capacity-block' : 'is no capacity block: set market to on-demand',
    )
  }
  const early = ['scheduled', 'pending', 'payment-pending', 'assessing', 'delayed', 'future-scheduled'].includes(state)
  if (early || (startsAt !== null && startsAt > wish.now)) {
    const wait = startsAt === null ? '' : `: start the job in ${duration(startsAt - wish.now)}`
    lacking.push(`has not started yet (${state}, starts at ${moment(startsAt)})${wait}`)
  } else if (state !== 'active') {
    lacking.push(`is ${state}`)
  } else if (free < 1) {
    lacking.push('has no free machine left: wait until another one in it ends')
  }
  const lastEnd = endsAt === null ? Infinity : endsAt - (isBlock ? beforeEndMs : 0)
  if (wish.now + wish.ttlMs > lastEnd && state === 'active') {
    const left = lastEnd - wish.now
    const why = isBlock ? 'AWS begins to end its machines 30 minutes before that' : 'it takes no machine after that'
    lacking.push(
      `ends at ${moment(endsAt)}, and ${why}: ${left < 60_000 ? 'it is too late for a launch' : `set ttl to at most ${duration(Math.floor(left / 60_000) * 60_000)}`}`,
    )
  }
  return lacking
}
