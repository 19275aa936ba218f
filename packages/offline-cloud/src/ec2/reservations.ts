import { AwsError, invalidValue } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { awsId } from '../ids.ts'
import { typeNamed } from '../world/instance-types.ts'
import type { ReservationData } from '../world/markets.ts'
import { regionNamed, type RegionData } from '../world/network.ts'
import type { LaunchRequest } from './launch-request.ts'
import { takeAway } from './lifecycle.ts'
import type { Reservation } from './model.ts'

/** EC2 begins to end the instances of a capacity block this long before the block ends, in ms. */
const clearing = 30 * 60_000

/** Makes the reservations of a scenario, and arms the end of its capacity blocks. */
export function openReservations(cloud: Cloud, given: readonly ReservationData[]): void {
  for (const data of given) {
    const zone = regionNamed(data.region)?.zones.find(({ name }) => name === data.zone)
    const type = typeNamed(data.type)
    // The scenario's schema has looked at both.
    if (zone === undefined || type === undefined) continue
    const ends = data.endsInSeconds
    const reservation: Reservation = {
      id: data.id ?? awsId('cr'),
      region: data.region,
      zone,
      type,
      total: data.count,
      kind: data.kind ?? 'default',
      created: cloud.startedAt,
      startsAt: cloud.startedAt + (data.startsInSeconds ?? 0) * 1000,
      endsAt: ends === undefined ? null : cloud.startedAt + ends * 1000,
    }
    cloud.ec2.reservations.set(reservation.id, reservation)
    if (reservation.kind === 'capacity-block' && reservation.endsAt !== null)
      cloud.clock.after(reservation.endsAt - clearing - cloud.clock.now(), () => clear(cloud, reservation))
  }
}

function clear(cloud: Cloud, reservation: Reservation): void {
  for (const instance of cloud.ec2.instances.values())
    if (instance.capacityReservation === reservation.id)
      takeAway(cloud, instance, 'Server.CapacityBlockEnded', 'the Capacity Block ends')
}

/** What a reservation is at now. */
export function reservationState(cloud: Cloud, { startsAt, endsAt }: Reservation): 'scheduled' | 'active' | 'expired' {
  const now = cloud.clock.now()
  if (now < startsAt) return 'scheduled'
  return endsAt !== null && now >= endsAt ? 'expired' : 'active'
}

/** How many more instances a reservation has room for. */
export function roomInReservation(cloud: Cloud, reservation: Reservation): number {
  const used = [...cloud.ec2.instances.values()].filter(
    ({ capacityReservation, state }) => capacityReservation === reservation.id && state !== 'terminated',
  )
  return Math.max(0, reservation.total - used.length)
}

/** A reservation by its id. Throws what EC2 answers to one that is malformed or not there. */
export function reservationById(cloud: Cloud, region: RegionData, id: string): Reservation {
  if (!/^cr-[0-9a-f]{17}$/.test(id))
    throw new AwsError('InvalidCapacityReservationId.Malformed', `The Capacity Reservation ID '${id}' is malformed.`)
  const found = cloud.ec2.reservations.get(id)
  if (found === undefined || found.region !== region.name)
    throw new AwsError('InvalidCapacityReservationId.NotFound', `The Capacity Reservation '${id}' does not exist.`)
  return found
}

/** How many of the instances a launch wants its reservation can take. Throws where it does not fit or has no room. */
export function roomForLaunch(cloud: Cloud, reservation: Reservation, request: LaunchRequest): number {
  const isBlock = reservation.kind === 'capacity-block'
  if (isBlock !== (request.choice.market === 'capacity-block'))
    throw new AwsError(
      'InvalidParameterCombination',
      isBlock
        ? `The Capacity Reservation '${reservation.id}' is a Capacity Block; launch into it with the market type capacity-block.`
        : `The Capacity Reservation '${reservation.id}' is not a Capacity Block.`,
    )
  if (reservation.type.name !== request.type.name)
    throw invalidValue(
      `The instance type ${request.type.name} does not match that of the Capacity Reservation '${reservation.id}', ` +
        `${reservation.type.name}.`,
    )
  if (request.zone !== null && request.zone !== reservation.zone.name)
    throw invalidValue(
      `The Availability Zone ${request.zone} does not match that of the Capacity Reservation '${reservation.id}', ` +
        `${reservation.zone.name}.`,
    )
  if (reservationState(cloud, reservation) === 'scheduled')
    throw new AwsError('InvalidCapacityReservationState.PendingActivation', 'Your Capacity Block is not active yet.')
  const closesAt =
    reservation.endsAt === null ? Number.POSITIVE_INFINITY : reservation.endsAt - (isBlock ? clearing : 0)
  if (cloud.clock.now() >= closesAt)
    throw new AwsError(
      'InvalidCapacityReservationState.Unavailable',
      `The Capacity Reservation '${reservation.id}' takes no more instances.`,
    )
  const room = roomInReservation(cloud, reservation)
  if (room < request.least)
    throw new AwsError(
      'ReservationCapacityExceeded',
      'The requested reservation does not have sufficient compatible and available capacity for this request.',
    )
  return Math.min(room, request.most)
}
