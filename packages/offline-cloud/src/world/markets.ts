import * as v from 'valibot'
import { typeNamed } from './instance-types.ts'
import { regionNamed } from './network.ts'
import { priceScheduleSchema, scheduleSchema } from './schedule.ts'

const positive = v.pipe(v.number(), v.minValue(0))

/** Spot by zone and type; what it does not name has its usual price and no limit. */
export const spotSchema = v.record(
  v.string(),
  v.record(
    v.string(),
    v.strictObject({
      usdPerHour: v.exactOptional(priceScheduleSchema),
      capacity: v.exactOptional(scheduleSchema),
    }),
  ),
)
export type SpotMarket = v.InferOutput<typeof spotSchema>

const reservationSchema = v.pipe(
  v.strictObject({
    id: v.exactOptional(v.pipe(v.string(), v.regex(/^cr-[0-9a-f]{17}$/, 'an id is cr- and 17 hexadecimal digits'))),
    region: v.string(),
    zone: v.string(),
    type: v.string(),
    count: v.pipe(v.number(), v.integer(), v.minValue(1)),
    kind: v.exactOptional(v.picklist(['default', 'capacity-block'])),
    startsInSeconds: v.exactOptional(positive),
    endsInSeconds: v.exactOptional(positive),
  }),
  v.check(({ type }) => typeNamed(type) !== undefined, 'there is no such type'),
  v.check(
    ({ region, zone }) => regionNamed(region)?.zones.some(({ name }) => name === zone) === true,
    'there is no such zone in the region',
  ),
  v.check(
    ({ kind, type }) => kind !== 'capacity-block' || typeNamed(type)?.inBlocks === true,
    'this type is not sold in capacity blocks',
  ),
  v.check(
    ({ kind, endsInSeconds }) => kind !== 'capacity-block' || endsInSeconds !== undefined,
    'a capacity block has an end: endsInSeconds',
  ),
)

/** Capacity reservations and capacity blocks; times are from the cloud's start. */
export const reservationsSchema = v.array(reservationSchema)
export type ReservationData = v.InferOutput<typeof reservationSchema>
