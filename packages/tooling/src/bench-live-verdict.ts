import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { historyEntryOf, judgedRunOf, verdictOf, type HistoryEntry, type JudgedRun, type Result, type Verdict } from '@gpu-actions/benchmark' // prettier-ignore
import { packPrograms } from './bundling/programs.ts'
import { measureHere, type Bench } from './bench/live-host.ts'
import { root } from './repository.ts'

// The verdict on real runs of the real benchmark: a history of hosts, a clean run that has to pass, and one that is twice
// as slow, with its confirmation, that has to be found. All "hosts" are this machine under other names, one after the
// other, so that their spread is that of its runs.
const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '12' },
    slowdown: { type: 'string', default: '1' },
    'loss-to-find': { type: 'string', default: '0.5' },
  },
})
const [hosts, slowdown, lossToFind] = [Number(values.hosts), Number(values.slowdown), Number(values['loss-to-find'])]
if (!Number.isInteger(hosts) || hosts < 1) throw new RangeError('--hosts must be a whole number of at least 1')
if (!(slowdown > 0)) throw new RangeError('--slowdown must be above 0')
if (!(lossToFind > 0 && lossToFind < 1)) throw new RangeError('--loss-to-find must lie between 0 and 1')

/** Runs that are not valid, because something else ran here meanwhile, are told and made again: so many in all. */
let spare = 5
let machines = 0
const started = performance.now()

const python = process.env['GPU_ACTIONS_PYTHON'] ?? ''
if (python === '') throw new Error('GPU_ACTIONS_PYTHON names no Python; start this with npm')
const directory = await mkdtemp(join(tmpdir(), 'gpu-actions-live-verdict-'))
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)))
const bench: Bench = {
  program: packPrograms(join(root, 'packages/benchmark/programs')),
  python,
  directory,
  signal: stop.signal,
}
try {
  process.exitCode = (await compare()) ? 0 : 1
} finally {
  await rm(directory, { recursive: true, force: true })
}
console.log(`(${((performance.now() - started) / 1000).toFixed(0)} s)`)

/**
 * A valid run, on the next simulated host.
 * @throws Error when too many were not valid
 */
async function measure(what: string, share = 0): Promise<{ readonly result: Result; readonly host: string }> {
  for (; spare >= 0; spare--) {
    const host = `host-${++machines}`
    const result = await measureHere(bench, share)
    const { throughput } = result.metrics
    const { valid, reasons } = result.validity
    const figure = throughput === null ? 'no figure' : `${throughput.toFixed(1)} images/s`
    const doubt = valid === true ? '' : `, not valid: ${reasons.join(' ')}`
    console.log(`${host.padEnd(8)} ${what.padEnd(12)} ${figure}${doubt}`)
    if (valid === true) return { result, host }
  }
  throw new Error(
    'Too many runs were not valid: this machine is too busy to tell anything. Run it again when it is quiet',
  )
}

async function judged(what: string, share = 0): Promise<JudgedRun> {
  const { result, host } = await measure(what, share)
  return judgedRunOf(result, host)
}

async function compare(): Promise<boolean> {
  const history: HistoryEntry[] = []
  for (let index = 0; index < hosts; index++) {
    const { result, host } = await measure('history')
    const entry = historyEntryOf(result, host)
    if (entry !== null) history.push(entry)
  }
  const clean = await judged('clean')
  const passed = tell('pass', 'clean', verdictOf({ history, run: clean, lossToFind }))
  const run = await judged('slowed', slowdown)
  const first = verdictOf({ history, run, lossToFind })
  console.log(`  before its confirmation: ${first.verdict}: ${first.reasons.join(' ')}`)
  const confirmations = [await judged('slowed again', slowdown)]
  const found = tell('regressed', 'slowed', verdictOf({ history, run, confirmations, lossToFind }))
  return passed && found
}

function tell(expected: Verdict['verdict'], what: string, { verdict, reasons, ...figures }: Verdict): boolean {
  const met = verdict === expected
  console.log(`${met ? '✓' : '✗'} ${what}: ${verdict}${met ? '' : ` (expected ${expected})`}: ${reasons.join(' ')}`)
  const share = (value: number | null): string => (value === null ? '–' : `${(value * 100).toFixed(1)} %`)
  console.log(`  ${figures.hosts} hosts; off the level ${share(figures.d)}; smallest detectable loss ${share(figures.smallestDetectableLoss)}`) // prettier-ignore
  return met
}
