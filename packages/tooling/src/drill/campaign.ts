import { availableParallelism } from 'node:os'
import { messageOf } from '@gpu-actions/action-kit/ports'
import { type Death, type Drill } from './model.ts'
import { drillOf } from './plan.ts'
import { runDrill, type Drilled, type Equipment } from './run-drill.ts'

export interface Campaign {
  readonly seed: string
  readonly count: number
  /** Drills at work at the same time. */
  readonly concurrency: number
  /** Only drills of this death. */
  readonly only: Death | null
  /** Only this one drill. */
  readonly onlyIndex: number | null
}

/** Most of a drill is waiting: so many of them at once keep the cores busy without making them late. */
export const defaults = {
  count: 60,
  concurrency: availableParallelism() * 5,
  timeScale: 3,
  only: null,
  onlyIndex: null,
} as const

/** The drills of a campaign, in order. */
export function drillsOf({ seed, count, only, onlyIndex }: Campaign): readonly Drill[] {
  if (onlyIndex !== null) return [drillOf(seed, onlyIndex)]
  const drills: Drill[] = []
  for (let index = 0; drills.length < count; index++) {
    const drill = drillOf(seed, index)
    if (only === null || drill.strike.death === only) drills.push(drill)
  }
  return drills
}

/** A drill that could not be carried out: a fault of the drill, which counts as one that failed. */
export interface Broken {
  readonly drill: Drill
  readonly error: string
}

export interface Progress {
  readonly done: number
  readonly of: number
  readonly last: Drilled | Broken
}

/** Carries out all drills, several at once. */
export async function runCampaign(
  campaign: Campaign,
  equipment: Equipment,
  tell: (progress: Progress) => Promise<void>,
): Promise<readonly (Drilled | Broken)[]> {
  const queue = [...drillsOf(campaign)]
  const of = queue.length
  const ended: (Drilled | Broken)[] = []
  const work = async (): Promise<void> => {
    for (let drill = queue.shift(); drill !== undefined; drill = queue.shift()) {
      const current = drill
      const last = await runDrill(current, equipment).catch((error: unknown): Broken => ({
        drill: current,
        error: error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error),
      }))
      ended.push(last)
      await tell({ done: ended.length, of, last })
    }
  }
  await Promise.all(Array.from({ length: Math.min(campaign.concurrency, of) }, work))
  return ended
}
