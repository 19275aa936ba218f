import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { conduct } from '../drill/conduct.ts'
import { defaults } from '../drill/campaign.ts'
import { releaseTreePath } from '../release/release-tree.ts'
import { root } from '../repository.ts'
import type { SuiteOutcome } from './outcome.ts'

/** Runs drills with a fresh seed, which it prints; each of them counts as one test. */
export async function runDrills(count: number): Promise<SuiteOutcome> {
  const suite = 'drills'
  const releaseTree = join(root, releaseTreePath)
  if (!existsSync(join(releaseTree, 'action.yml'))) {
    console.log('✗ drills: there is no release tree, the build failed')
    return { suite, passed: 0, failed: 1, skipped: [], seconds: 0 }
  }
  const campaign = { ...defaults, seed: String(randomInt(1_000_000)), count }
  const equipment = { releaseTree, timeScale: defaults.timeScale }
  const outcome = await conduct(campaign, equipment, { log: line => console.log(line), logs: null, quiet: true })
  return { suite, ...outcome, skipped: [] }
}
