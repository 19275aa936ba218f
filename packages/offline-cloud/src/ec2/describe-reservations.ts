import { texts, type QueryNode } from '../aws/query.ts'
import { items, time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { account } from '../world/account.ts'
import type { RegionData } from '../world/network.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import type { Reservation } from './model.ts'
import { page } from './pages.ts'
import { reservationById, reservationState, roomInReservation } from './reservations.ts'
import type { Answer } from './select.ts'

const platform = 'Linux/UNIX'

const fieldsOf = (cloud: Cloud): Fields<Reservation> => ({
  'instance-type': ({ type }) => [type.name],
  'owner-id': () => [account],
  'instance-platform': () => [platform],
  'availability-zone': ({ zone }) => [zone.name],
  'availability-zone-id': ({ zone }) => [zone.id],
  tenancy: () => ['default'],
  state: reservation => [reservationState(cloud, reservation)],
  'start-date': ({ startsAt }) => [time(startsAt)],
  'end-date': ({ endsAt }) => [endsAt === null ? null : time(endsAt)],
  'end-date-type': ({ endsAt }) => [endsAt === null ? 'unlimited' : 'limited'],
  'instance-match-criteria': () => ['targeted'],
})

/** DescribeCapacityReservations. */
export function describeCapacityReservations(cloud: Cloud, node: QueryNode, region: RegionData): Answer {
  const fields = fieldsOf(cloud)
  const filters = readFilters(node)
  checkFilters(filters, fields)
  const ids = texts(node, 'CapacityReservationId')
  const candidates =
    ids.length > 0
      ? ids.map(id => reservationById(cloud, region, id))
      : [...cloud.ec2.reservations.values()].filter(reservation => reservation.region === region.name)
  const fitting = candidates.filter(reservation => passes(reservation, filters, fields))
  const { members, nextToken } = page(node, fitting, ({ id }) => id, { least: 1 })
  return { capacityReservationSet: items(members.map(member => reservationView(cloud, member))), nextToken }
}

function reservationView(cloud: Cloud, reservation: Reservation): Xml {
  const { id, type, zone, endsAt } = reservation
  const state = reservationState(cloud, reservation)
  return {
    capacityReservationId: id,
    ownerId: account,
    capacityReservationArn: `arn:aws:ec2:${reservation.region}:${account}:capacity-reservation/${id}`,
    availabilityZoneId: zone.id,
    instanceType: type.name,
    instancePlatform: platform,
    availabilityZone: zone.name,
    tenancy: 'default',
    totalInstanceCount: state === 'expired' ? 0 : reservation.total,
    availableInstanceCount: state === 'active' ? roomInReservation(cloud, reservation) : 0,
    ebsOptimized: false,
    ephemeralStorage: false,
    state,
    startDate: time(reservation.startsAt),
    endDate: endsAt === null ? undefined : time(endsAt),
    endDateType: endsAt === null ? 'unlimited' : 'limited',
    instanceMatchCriteria: 'targeted',
    createDate: time(reservation.created),
    reservationType: reservation.kind,
    tagSet: '',
  }
}
