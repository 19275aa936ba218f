import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import type { WorkflowOptions } from '@gpu-actions/workflow-runner'
import { stepEnvironment } from '../demo/cloud.ts'
import { mapRepositories } from '../demo/consumer.ts'
import { anyDemo } from '../demo/demos.ts'
import { moveClock } from './clock.ts'
import { createDirector, type Director } from './director.ts'
import type { Drill } from './model.ts'
import { startWire, type Wire } from './wire.ts'
import { createWitness, type Witness } from './witness.ts'

/** What a drill is done with. Tests take layers away to see that the loss is found. */
export interface Equipment {
  readonly releaseTree: string
  /** Divides the runner's own waits at a cancel. */
  readonly timeScale: number
  /** Changes the workflow file. */
  readonly rewrite?: (workflow: string) => string
  /** The machines' own time is never up. */
  readonly withoutGuestLimit?: boolean
  readonly withoutSweep?: boolean
}

/** Everything that one drill holds while it runs. */
export interface Stage {
  readonly drill: Drill
  readonly equipment: Equipment
  readonly folder: string
  readonly cloud: OfflineCloud
  readonly wire: Wire
  readonly witness: Witness
  readonly director: Director
  readonly log: (line: string) => void
  /** What went wrong with the drill itself. */
  readonly faults: string[]
  /** The loss of all runners, and the cancel button. */
  readonly lost: AbortController
  readonly cancel: AbortController
  /** When the death struck, in milliseconds of the cloud's clock; null: not yet. */
  readonly struckTime: () => number | null
  readonly close: () => Promise<void>
}

/** A runner that has not been heard of for so long is lost to GitHub (about ten minutes). */
const silenceSeconds = 600
/** Longer than any session lives that the workflows ask for. */
const sessionSeconds = 3_700

export async function openStage(drill: Drill, equipment: Equipment, log: (line: string) => void): Promise<Stage> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gpu-actions-drill-'))
  const { timings, reservations } = drill.cloud
  const cloud = await startOfflineCloud({ scenario: { timings, reservations: [...reservations] }, python: null })
  const lost = new AbortController()
  const cancel = new AbortController()
  let struckTime: number | null = null
  const now = (): number => Date.parse(cloud.state().now)
  const weapons = {
    log,
    now,
    cancel: () => cancel.abort(),
    loseRun: () => lost.abort(),
    storm: (calls: number) => cloud.addFaults([{ kind: 'throttled', operation: 'ec2:*', count: calls }]),
    noticeLoss: () => moveClock(cloud, silenceSeconds),
    // What goes by meanwhile is the drill's doing, not a leftover.
    async expireCredentials() {
      if (drill.strike.sessionsEnd) return cloud.addFaults([{ kind: 'sessions-expire' }])
      await moveClock(cloud, sessionSeconds)
      struckTime = now()
    },
  }
  const director = createDirector(drill, weapons, () => {
    struckTime ??= now()
  })
  const wire = await startWire(cloud.url, director)
  const witness = createWitness(cloud)
  return {
    drill,
    equipment,
    folder,
    cloud,
    wire,
    witness,
    director,
    log,
    faults: [],
    lost,
    cancel,
    struckTime: () => struckTime,
    async close() {
      witness.stop()
      await wire.stop()
      await cloud.stop()
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** What every workflow of a drill is run with: the cloud by way of the wire. */
export async function runnerOptions(stage: Stage, workflows: string, file: string): Promise<WorkflowOptions> {
  const { cloud, drill, folder, wire, equipment, log } = stage
  return {
    file: path.join(workflows, file),
    secrets: anyDemo.secrets,
    vars: anyDemo.vars,
    runId: drill.runId,
    repositories: await mapRepositories(workflows, equipment.releaseTree),
    env: stepEnvironment(cloud.env),
    envOf: place => ({ AWS_ENDPOINT_URL: wire.endpoint(place) }),
    directory: path.join(folder, file),
    log,
  }
}
