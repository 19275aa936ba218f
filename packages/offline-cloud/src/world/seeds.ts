import * as v from 'valibot'
import { offeredIn, typeNamed } from './instance-types.ts'
import { regionNamed, type ZoneData } from './network.ts'

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000))

/** The zones that an entry may stand in. */
export function zonesOf(seed: {
  readonly region: string
  readonly zone?: string
  readonly type: string
}): readonly ZoneData[] {
  const zones = regionNamed(seed.region)?.zones ?? []
  return zones.filter(({ name }) => offeredIn(name, seed.type) && (seed.zone === undefined || name === seed.zone))
}

const seedSchema = v.pipe(
  v.strictObject({
    count: v.exactOptional(count),
    region: v.pipe(
      v.string(),
      v.check(name => regionNamed(name) !== undefined, 'there is no such region'),
    ),
    zone: v.exactOptional(v.string()),
    type: v.pipe(
      v.string(),
      v.check(name => typeNamed(name) !== undefined, 'there is no such instance type'),
    ),
    state: v.exactOptional(v.picklist(['pending', 'running', 'shutting-down', 'stopped', 'terminated'])),
    market: v.exactOptional(v.picklist(['on-demand', 'spot'])),
    tags: v.exactOptional(v.record(v.string(), v.string())),
    clientToken: v.exactOptional(v.string()),
    launchedSecondsAgo: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
    protected: v.exactOptional(v.boolean()),
  }),
  v.check(seed => zonesOf(seed).length > 0, 'no such zone of the region offers the type'),
)

export const seedsSchema = v.array(seedSchema)

/**
 * Instances that are there from the start, `count` of them, with no machine behind them: they stay in their state
 * until somebody ends them. Without a zone they go round the zones that offer the type. Tags, which their volumes and
 * interfaces get too, and the client token may hold `{n}`: the number of the instance within its entry, from 1. One
 * running on-demand instance, launched now, is what an entry stands for that says no more.
 */
export type Seed = v.InferOutput<typeof seedSchema>
