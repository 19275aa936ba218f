import { join } from 'node:path'
import { ec2Access, ec2Ending, isFinal, regionsOf, type AwsWorld } from '@gpu-actions/aws'
import {
  joinSweep,
  sweep,
  sweepFault,
  sweepMarkdown,
  sweepRecord,
  sweepSentences,
  type Place,
  type SweepReport,
} from '@gpu-actions/lease'
import { sweepClusters } from './clusters.ts'
import type { SweepContext } from './context.ts'
import { withParameters } from './parameters.ts'

/** The run directory of a sweep; it belongs to no lease. */
const directory = 'sweep'

/** Where the account's regions are asked for when nothing names one. */
const anyRegion = 'us-east-1'

/** Finds what has outlived its lease, shows it, and ends it unless this is a dry run. */
export async function sweepOrphans(context: SweepContext, world: AwsWorld): Promise<void> {
  const { clock, inputs, log, run, signal } = context
  const deadline = clock.now() + inputs.timeout
  const home = world.clientsFor(inputs.awsRegion?.[0] ?? world.environmentRegion ?? anyRegion)
  const access = ec2Access(region => world.clientsFor(region), home.region)
  const account = await access.account()
  const regions = inputs.awsRegion ?? (await regionsOf(home))
  const places: readonly Place[] = [...new Set(regions)].map(region => ({ account, region }))
  log.info(`Looking for what ${run.repository} has rented in ${regions.join(', ')} (account ${account})`)
  const report = await sweep({
    provider: withParameters(ec2Ending(access), world, log),
    clock,
    log,
    signal,
    repository: run.repository,
    places,
    now: () => home.serviceNow(),
    graceMs: inputs.grace,
    maxAgeMs: inputs.maxAge,
    dryRun: inputs.dryRun,
    deadline,
    isFinal,
  })
  await tell(context, joinSweep(report, ...(await sweepClusters(context, world, report, deadline))))
}

async function tell(context: SweepContext, report: SweepReport): Promise<void> {
  const { inputs, log } = context
  const { totals } = report
  const records = context.runDirectories.open(directory)
  await sweepRecord.write(records, report)
  await context.summarize(sweepMarkdown(report))
  for (const sentence of sweepSentences(report)) log.info(sentence)
  for (const problem of report.problems) log.warning(problem)
  context.setOutput('alive', totals.alive)
  context.setOutput('orphans', totals.overdue)
  context.setOutput('ended', totals.ended)
  context.setOutput('remaining', totals.overdue - totals.ended)
  context.setOutput('cost-per-hour', totals.overdueUsdPerHour)
  context.setOutput('report-path', join(records.path, sweepRecord.file))
  if (inputs.dryRun && totals.overdue > 0) {
    log.warning(`${totals.overdue} that outlived their lease were found, and left alone: this is a dry run.`)
  }
  const fault = sweepFault(report)
  if (fault !== null) throw fault
}
