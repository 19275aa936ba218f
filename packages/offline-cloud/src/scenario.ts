import * as v from 'valibot'
import { clusterApiSchema, defaultShape, type ClusterApiShape } from './cluster/shape.ts'
import { faultList } from './faults.ts'
import { reservationsSchema, spotSchema } from './world/markets.ts'
import { quotasSchema } from './world/quotas.ts'
import { seedsSchema } from './world/seeds.ts'
import { scheduleSchema } from './world/schedule.ts'

export type { ClusterApiShape } from './cluster/shape.ts'

const seconds = v.pipe(v.number(), v.minValue(0))

const scenarioSchema = v.strictObject({
  timings: v.exactOptional(
    v.strictObject({
      pendingSeconds: v.exactOptional(seconds),
      registrationSeconds: v.exactOptional(seconds),
      shutdownSeconds: v.exactOptional(seconds),
      consistencySeconds: v.exactOptional(seconds),
      deliverySeconds: v.exactOptional(seconds),
      releaseSeconds: v.exactOptional(seconds),
      spotNoticeSeconds: v.exactOptional(seconds),
      spotClosingSeconds: v.exactOptional(seconds),
    }),
  ),
  faults: v.exactOptional(faultList),
  instances: v.exactOptional(seedsSchema),
  guests: v.exactOptional(v.strictObject({ systemd: v.exactOptional(v.boolean()) })),
  limits: v.exactOptional(v.picklist(['aws', 'none'])),
  clusterApi: v.exactOptional(clusterApiSchema),
  cognito: v.exactOptional(
    v.strictObject({ tokenSeconds: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))) }),
  ),
  capacity: v.exactOptional(v.record(v.string(), v.record(v.string(), scheduleSchema))),
  spot: v.exactOptional(spotSchema),
  quotas: v.exactOptional(quotasSchema),
  reservations: v.exactOptional(reservationsSchema),
})

/**
 * How a cloud behaves. `timings` are in seconds of the cloud's time: a launch is `pending` for `pendingSeconds`,
 * registers with SSM `registrationSeconds` after its boot, takes `shutdownSeconds` to end, its volumes and interfaces
 * another `releaseSeconds`; what is new stays invisible to reads for `consistencySeconds`; a command reaches its
 * machine after `deliverySeconds`. `capacity` says how many machines may live at once, by zone and type
 * (`{ 'us-west-2a': { 'g5.2xlarge': 1 } }`); what it does not name has no limit. A number may
 * be a schedule in the cloud's time since its start. `spot`, `quotas` and `reservations` are the other markets: the
 * README has their forms. A spot instance gets its notice `spotNoticeSeconds` ahead; its request is closed
 * `spotClosingSeconds` after the user has ended it. `limits: none` switches the request
 * limits off. `clusterApi` chooses among the replies
 * that are known of the cluster API. `cognito.tokenSeconds` is how long id and access tokens live (AWS: from 300), for
 * a token that expires in the middle of a run without a move of the clock.
 */
export type Scenario = v.InferOutput<typeof scenarioSchema>

export type Timings = Required<{ [K in keyof NonNullable<Scenario['timings']>]: number }>
export type Capacity = NonNullable<Scenario['capacity']>

const defaults: Timings = {
  pendingSeconds: 1,
  registrationSeconds: 1,
  shutdownSeconds: 1,
  consistencySeconds: 0.3,
  deliverySeconds: 0.05,
  releaseSeconds: 0.3,
  spotNoticeSeconds: 120,
  spotClosingSeconds: 60,
}

/** Checks a scenario and names what is wrong with it. */
export function readScenario(value: unknown): Scenario {
  const result = v.safeParse(scenarioSchema, value)
  if (result.success) return result.output
  const faults = result.issues.map(issue => `${v.getDotPath(issue) ?? 'scenario'}: ${issue.message}`)
  throw new RangeError(`The scenario is not valid: ${faults.join('; ')}`)
}

/** The cluster API's replies, what is not chosen as it is most often seen. */
export const clusterApiOf = (scenario: Scenario): ClusterApiShape => ({
  ...defaultShape,
  ...scenario.clusterApi,
  successCodes: { ...defaultShape.successCodes, ...scenario.clusterApi?.successCodes },
})

export const timingsOf = (scenario: Scenario): Timings => ({ ...defaults, ...scenario.timings })
