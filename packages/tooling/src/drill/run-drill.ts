import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from '@gpu-actions/action-kit/ports'
import type { CloudState } from '@gpu-actions/offline-cloud'
import { runWorkflow, type WorkflowResult } from '@gpu-actions/workflow-runner'
import { anyDemo } from '../demo/demos.ts'
import { placeBystanders } from './bystanders.ts'
import { healCloud, moveClock, until } from './clock.ts'
import { gatherFacts, wantedLeases } from './facts.ts'
import { judge, type DrillFacts, type Verdict } from './judge.ts'
import { lastResort } from './last-resort.ts'
import type { Drill, Moment } from './model.ts'
import { openStage, runnerOptions, type Equipment, type Stage } from './stage.ts'
import { sweep } from './sweep.ts'
import { isBilled, leaseOf } from './witness.ts'
import { secretsOf, workflowFile } from './workflow-file.ts'

export type { Equipment } from './stage.ts'

export interface Drilled {
  readonly drill: Drill
  readonly facts: DrillFacts
  readonly verdict: Verdict
  readonly seconds: number
  /** Everything that was said, with the seconds since the start. */
  readonly log: readonly string[]
}

/** No workflow of a drill may take longer, in real time. */
const patienceMs = 240_000
/** How long a machine may take from the end of its time to its power-off, in real time. */
const guestPatienceMs = 20_000
/** How long volumes and interfaces may take to go once their machine has, in real time. */
const settlingMs = 5_000

/** Runs one drill: the workflow with its death, then the machines' own limit, then the sweep; then it is judged. */
export async function runDrill(drill: Drill, equipment: Equipment): Promise<Drilled> {
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  const log: string[] = []
  const say = (line: string): void => void log.push(`${seconds().toFixed(2).padStart(7)} ${line}`)
  const stage = await openStage(drill, equipment, say)
  try {
    const facts = await play(stage)
    const verdict = judge(facts)
    for (const problem of verdict.problems) say(`PROBLEM ${problem}`)
    return { drill, facts, verdict, seconds: seconds(), log }
  } finally {
    await stage.close()
  }
}

async function play(stage: Stage): Promise<DrillFacts> {
  const { cloud, drill, witness, wire, faults, log, director } = stage
  const foreign = await placeBystanders(cloud, drill.bystanders, drill.runId)
  cloud.addFaults(drill.cloud.faults)
  const result = await runJobs(stage)
  // A call that was under way when its caller died still arrives.
  await wire.idle()
  const overAt = Date.parse(witness.look().now)
  const billedAfterJobs = billed(witness.look(), foreign)
  log(`drill: the workflow is over (${result?.conclusion ?? 'it threw'}); still billed: ${billedAfterJobs.length}`)
  await guestLimit(stage, foreign)
  const billedAfterGuest = billed(witness.look(), foreign)
  await healCloud(cloud)
  if (stage.equipment.withoutSweep !== true) {
    await sweep(stage, foreign).catch((error: unknown) => void faults.push(messageOf(error)))
  }
  await settle(stage, foreign)
  return {
    ...gatherFacts({ state: witness.look(), foreign, calls: wire.calls, endingSince: witness.endingSince }),
    death: drill.strike.death,
    struckAt: director.struckAt() ?? fromTheStart(drill),
    uselessFrom: stage.struckTime() ?? director.workedUntil() ?? overAt,
    resort: lastResort(drill),
    billedAfterJobs,
    billedAfterGuest,
    receipts: witness.receipts,
    isControl: drill.strike.death === 'nothing' && drill.cloud.faults.length === 0,
    conclusion: result?.conclusion ?? 'none',
    wantedLeases: wantedLeases(drill),
    faults,
  }
}

/** Deaths that nobody has to bring about. */
const fromTheStart = ({ strike: { death, moment } }: Drill): Moment | null =>
  ['nothing', 'step-fails', 'lost-reply', 'outputs-lost', 'results-down'].includes(death) ? moment : null

const billed = (state: CloudState, foreign: readonly string[]): readonly string[] =>
  state.instances.filter(instance => isBilled(instance) && !foreign.includes(instance.id)).map(({ id }) => id)

async function runJobs(stage: Stage): Promise<WorkflowResult | null> {
  const { drill, equipment, folder, faults, log, director, witness } = stage
  const workflows = path.join(folder, 'consumer', '.github', 'workflows')
  await mkdir(workflows, { recursive: true })
  const text = workflowFile(drill)
  await writeFile(path.join(workflows, 'drill.yml'), equipment.rewrite?.(text) ?? text)
  log(`drill: ${JSON.stringify(drill)}`)
  const tooLong = setTimeout(() => {
    faults.push(`the workflow was not over after ${patienceMs / 1000} s`)
    stage.lost.abort()
  }, patienceMs)
  try {
    return await runWorkflow({
      ...(await runnerOptions(stage, workflows, 'drill.yml')),
      secrets: secretsOf(drill, anyDemo.secrets),
      signal: stage.cancel.signal,
      lost: stage.lost.signal,
      timeScale: equipment.timeScale,
      log: line => {
        log(line)
        if (line.includes('The job has exceeded the maximum execution time')) director.noteStrike()
      },
      onProcess: process => {
        director.onProcess(process)
        void process.ended
          .then(() => witness.readReceipts(process.temp))
          .catch((error: unknown) => faults.push(messageOf(error)))
      },
    })
  } catch (error) {
    faults.push(`the workflow runner threw: ${messageOf(error)}`)
    return null
  } finally {
    clearTimeout(tooLong)
  }
}

/** Moves the time on to where the machines end themselves, and looks whether they do. */
async function guestLimit({ cloud, drill, equipment, log, witness }: Stage, foreign: readonly string[]): Promise<void> {
  const expiries = witness
    .look()
    .instances.filter(
      instance => isBilled(instance) && !foreign.includes(instance.id) && leaseOf(instance) !== undefined,
    )
    .map(({ tags }) => Date.parse(tags['gpu-actions:expires-at'] ?? ''))
  if (expiries.length === 0 || equipment.withoutGuestLimit === true) return
  // A machine that has just been launched may still be on its way to the point where it arms its limit.
  if (!drill.cloud.guestBroken) await until(guestPatienceMs, () => witness.look().instances.every(isUp(foreign)))
  const seconds = (Math.max(...expiries) - Date.parse(witness.look().now)) / 1000 + 1
  log(`drill: ${seconds.toFixed(0)} s go by, until the machines' own time is up`)
  await moveClock(cloud, seconds)
  if (drill.cloud.guestBroken) return
  await until(guestPatienceMs, () => billed(witness.look(), foreign).length === 0)
}

const isUp =
  (foreign: readonly string[]) =>
  ({ id, state }: CloudState['instances'][number]): boolean =>
    foreign.includes(id) || state !== 'pending'

const slowestShutdown = ({ cloud: { faults } }: Drill): number =>
  Math.max(0, ...faults.map(({ kind, seconds = 0 }) => (kind === 'slow-shutdown' ? seconds : 0)))

/** Waits until what has been ordered to end is gone, with all that belongs to it. */
async function settle({ cloud, witness, drill }: Stage, foreign: readonly string[]): Promise<void> {
  // Both in their turn; then EC2 closes the spot request of a machine that has ended itself.
  const { shutdownSeconds = 1, releaseSeconds = 1, spotClosingSeconds = 60 } = drill.cloud.timings
  await moveClock(cloud, slowestShutdown(drill) + shutdownSeconds + releaseSeconds + spotClosingSeconds + 1)
  await until(settlingMs, () => {
    const { living } = witness.look()
    return living.instances <= foreign.length && living.volumes <= foreign.length && living.interfaces <= foreign.length
  })
}
