import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CommandFault, runCommand } from './demo/command.ts'
import { defaults, type Campaign } from './drill/campaign.ts'
import { conduct } from './drill/conduct.ts'
import { deaths } from './drill/model.ts'
import { releaseTreePath } from './release/release-tree.ts'
import { root } from './repository.ts'

const help = `npm run drill -- [options]

Random workflows on the offline cloud, a random death at a random moment in each; then everything that is left is
counted. Exit code 1 when anything was.

  --count N            drills (60)
  --seed S             what chance is made of; the same seed gives the same drills
  --only-index I       only this drill of the seed
  --only DEATH         only drills of one death: ${deaths.join(', ')}
  --concurrency K      drills at the same time
  --time-scale X       divides the runner's own waits at a cancel (3)
  --keep-logs DIR      the log of every drill, also of those that passed
  --release-tree DIR   the actions as a tag would carry them (default: what was built here)`

const options = {
  help: { type: 'boolean', short: 'h' },
  count: { type: 'string', default: String(defaults.count) },
  seed: { type: 'string', default: String(randomInt(1_000_000)) },
  'only-index': { type: 'string' },
  only: { type: 'string' },
  concurrency: { type: 'string', default: String(defaults.concurrency) },
  'time-scale': { type: 'string', default: String(defaults.timeScale) },
  'keep-logs': { type: 'string' },
  'release-tree': { type: 'string', default: join(root, releaseTreePath) },
} as const

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (cause) {
    throw new CommandFault(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function campaignOf(given: ReturnType<typeof read>): Campaign & { readonly timeScale: number } {
  const faults: string[] = []
  const number = (name: 'count' | 'concurrency' | 'only-index', least: number): number => {
    const value = Number(given[name])
    if (!Number.isInteger(value) || value < least) faults.push(`--${name} takes a whole number from ${least} on`)
    return value
  }
  const only = deaths.find(death => death === given.only) ?? null
  if (given.only !== undefined && only === null) faults.push(`--only takes one of ${deaths.join(', ')}`)
  const timeScale = Number(given['time-scale'])
  if (!(timeScale > 0)) faults.push('--time-scale takes a number above 0')
  const campaign = {
    seed: given.seed,
    count: number('count', 1),
    concurrency: number('concurrency', 1),
    only,
    onlyIndex: given['only-index'] === undefined ? null : number('only-index', 0),
    timeScale,
  }
  if (faults.length > 0) throw new CommandFault(faults.join('\n'))
  return campaign
}

async function main(): Promise<number> {
  const given = read(process.argv.slice(2))
  if (given.help === true) {
    console.log(help)
    return 0
  }
  const { timeScale, ...campaign } = campaignOf(given)
  const releaseTree = given['release-tree']
  const equipment = { releaseTree, timeScale }
  const log = (line: string): void => console.log(line)
  const { failed } = await conduct(campaign, equipment, { log, logs: given['keep-logs'] ?? null, quiet: false })
  return failed === 0 ? 0 : 1
}

await runCommand(main)
