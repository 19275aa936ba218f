import { parseArgs } from 'node:util'
import { quantileSorted } from 'simple-statistics'
import { countLongLease, measureJobEnds, servicesOf } from './bench/lease/long-job.ts'
import { measureQueue } from './bench/lease/queue.ts'
import { awsCalls, measureLease, type Reaction } from './bench/lease/reactions.ts'
import { measureSweep } from './bench/lease/sweeping.ts'

/**
 * What a lease costs in calls and in time that is ours, against its budgets. Everything is the real bundles, spawned as the
 * runner spawns them, on the offline cloud.
 */
const budgets = {
  /** Spawn of provision to the launch call, median. */
  launchMs: 300,
  /** A change to its being noticed, median, while starting and ending. */
  noticeMs: 1_500,
  /** The end of a job over Systems Manager. */
  jobEndMs: 10_000,
  /** API calls of a lease of 20 minutes, and a minute of following a job. */
  calls: 200,
  callsPerMinute: 8,
  overheadMs: 10_000,
  sweepLooks: 30,
} as const

const { values } = parseArgs({
  options: {
    leases: { type: 'string', default: '10' },
    instances: { type: 'string', default: '10000' },
    only: { type: 'string' },
    // A time depends on the machine and on what else it does: calls always count, times with --strict only.
    strict: { type: 'boolean', default: false },
  },
})

let failed = false

function say(what: string, figure: string, within: boolean, budget: string, isTime = true): void {
  failed ||= !within && (!isTime || values.strict)
  console.log(`${within ? '✓' : '✗'} ${what.padEnd(44)} ${figure.padStart(24)}   budget ${budget}`)
}

const sorted = (figures: readonly number[]): number[] => figures.toSorted((a, b) => a - b)
const median = (figures: readonly number[]): number => quantileSorted(sorted(figures), 0.5)
const spread = (figures: readonly number[]): string =>
  `${median(figures).toFixed(0)} ms, p95 ${quantileSorted(sorted(figures), 0.95).toFixed(0)}`

async function reactions(): Promise<void> {
  const count = Number(values.leases)
  const leases: Reaction[] = []
  for (let index = 0; index < count; index++) leases.push(await measureLease())
  console.log(`\n${count} leases on clouds with random delays; median and 95th percentile`)
  const of = (name: 'launch' | 'running' | 'online' | 'gone' | 'overhead'): readonly number[] =>
    leases.map(lease => lease[name])
  const tell = (what: string, figures: readonly number[], limit: number): void =>
    say(what, spread(figures), median(figures) <= limit, `${limit} ms median`)
  tell('spawn → launch call received', of('launch'), budgets.launchMs)
  tell('running → noticed', of('running'), budgets.noticeMs)
  tell('online with Systems Manager → noticed', of('online'), budgets.noticeMs)
  tell('all of it gone → teardown has ended', of('gone'), budgets.noticeMs)
  tell('our own overhead in the whole chain', of('overhead'), budgets.overheadMs)
  const calls = leases.map(lease => awsCalls(lease.calls))
  console.log(`  calls: ${median(calls)} (median), mostly ${servicesOf(leases[0]?.calls ?? {})}`)
}

async function jobs(): Promise<void> {
  const ends = await measureJobEnds([3, 11, 23, 37, 52, 61])
  console.log('\nthe end of a job, followed over Systems Manager')
  say(
    'ended → noticed, six jobs of 3 to 61 s',
    spread(ends),
    median(ends) <= budgets.jobEndMs,
    `${budgets.jobEndMs} ms median`,
  )
}

async function calls(): Promise<void> {
  const lease = await countLongLease()
  console.log('\na lease with a job of 20 simulated minutes')
  say('API calls in all', String(lease.calls), lease.calls <= budgets.calls, String(budgets.calls), false)
  console.log(`  provision ${lease.provision}, following ${lease.follow}, teardown ${lease.teardown}`)
  console.log(`  mostly ${lease.mostly}`)
  const { perMinute } = lease
  say(
    'API calls in a minute of following',
    perMinute.toFixed(1),
    perMinute <= budgets.callsPerMinute,
    String(budgets.callsPerMinute),
    false,
  )
}

async function queue(): Promise<void> {
  const { waitedMs, launchCalls } = await measureQueue(40)
  console.log('\nfive offers dry, the sixth free after 40 s')
  say('free → launched', `${(waitedMs / 1000).toFixed(1)} s`, waitedMs <= 10_000, '10 s')
  console.log(`  launch calls: ${launchCalls}`)
}

async function sweeping(): Promise<void> {
  const count = Number(values.instances)
  const { looks, terminateCalls, seconds, ended, untouched, peakMb } = await measureSweep(count)
  console.log(`\na sweep over ${count} instances: 200 of ours expired, 100 of ours alive, the rest foreign`)
  say('calls to look', String(looks), looks <= budgets.sweepLooks, String(budgets.sweepLooks), false)
  say('ended', `${ended} of 200`, ended === 200, '200', false)
  say('everything else untouched', untouched ? 'yes' : 'NO', untouched, 'yes', false)
  console.log(`  ${terminateCalls} terminate calls, ${seconds.toFixed(1)} s, peak memory ${peakMb.toFixed(0)} MB`)
}

const parts: Readonly<Record<string, () => Promise<void>>> = { reactions, jobs, calls, queue, sweeping }
for (const [name, part] of Object.entries(parts)) {
  if (values.only === undefined || values.only === name) await part()
}
process.exitCode = failed ? 1 : 0
