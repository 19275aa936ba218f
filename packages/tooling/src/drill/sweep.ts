import { copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { runWorkflow } from '@gpu-actions/workflow-runner'
import { root } from '../repository.ts'
import { moveClock } from './clock.ts'
import { runnerOptions, type Stage } from './stage.ts'
import { isBilled } from './witness.ts'

const file = 'sweep-orphans.yml'
/** The example leaves a machine alone for ten minutes after its expiry. */
const graceSeconds = 11 * 60

/**
 * One scheduled sweep, by the example's own workflow, once the grace of whatever still lives is over.
 * @throws when the sweep itself fails
 */
export async function sweep(stage: Stage, foreign: readonly string[]): Promise<void> {
  const { cloud, folder, log, witness } = stage
  const left = witness.look().instances.filter(each => isBilled(each) && !foreign.includes(each.id))
  if (left.length > 0) await moveClock(cloud, graceSeconds)
  const workflows = path.join(folder, 'sweeper', '.github', 'workflows')
  await mkdir(workflows, { recursive: true })
  await copyFile(path.join(root, 'workflows-examples', file), path.join(workflows, file))
  log('drill: the scheduled sweep')
  const result = await runWorkflow({
    ...(await runnerOptions(stage, workflows, file)),
    event: 'schedule',
    runId: stage.drill.runId + 1,
  })
  if (result.conclusion !== 'success') throw new Error(`the sweep ended with ${result.conclusion}`)
}
