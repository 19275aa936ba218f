import { parseArgs } from 'node:util'
import { noiseModels, type NoiseModel } from './bench/verdict/noise-models.ts'
import { simulatePaired } from './bench/verdict/paired.ts'
import { peerRules } from './bench/verdict/peer-rules.ts'
import { costTable, ourTable, peerTable, table, targetLines } from './bench/verdict/report.ts'
import { simulate, simulatePeers, smallestLossFound, type Rates } from './bench/verdict/simulate.ts'
import { targetsOf } from './bench/verdict/targets.ts'

const { values } = parseArgs({
  options: { trials: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
})
const [trials, seed] = [Number(values.trials), Number(values.seed)]
if (!Number.isInteger(trials) || trials < 100) throw new RangeError('--trials must be a whole number of at least 100')
if (!Number.isInteger(seed)) throw new RangeError('--seed must be a whole number')

/** Models that show where each public rule is strong or weak. */
const shownBesidePeers = new Set([
  'CV 0.12 %, slow hosts',
  'CV 0.5 %, slow hosts',
  'CV 2 %, slow hosts',
  'CPU-bound, skewed',
  'two kinds: 30 % are 4 % slow',
  'drift: −0.2 % a run',
])
const losses = [0.03, 0.05, 0.1]
const started = performance.now()
const full = cells(20, losses)
const few = [12, 10].map(history => ({ history, rates: cells(history, [0.03, 0.05]) }))

console.log(`${trials} trials a cell, seed ${seed}. A suspicion is settled on fresh hosts, three runs at most.`)
console.log('Found: by the first run and its confirmation / within three runs.\n')
console.log(`With 20 hosts of history\n\n${ourTable(full)}\n`)
for (const { history, rates } of few) console.log(`With ${history} hosts (provisional)\n\n${ourTable(rates)}\n`)
printPeers()
printSmallestLosses()
printPaired()

const targets = targetsOf([...full, ...few.flatMap(({ rates }) => rates)])
for (const line of targetLines(targets)) console.log(line)
console.log(`(${((performance.now() - started) / 1000).toFixed(0)} s)`)
process.exitCode = targets.every(({ met }) => met) ? 0 : 1

function cells(history: number, lost: readonly number[]): readonly Rates[] {
  return noiseModels.map((model, index) => simulate({ model, history, trials, seed: seedOf(index), losses: lost }))
}

function seedOf(index: number): number {
  return seed * 1000 + index
}

function printPeers(): void {
  console.log('The rules of public tools on the same noise, 20 hosts; found: by two hosts\n')
  const compared = full.map((ours, index) => {
    const cell = { model: ours.model, history: 20, trials, seed: seedOf(index), losses }
    const shown = shownBesidePeers.has(ours.model.name)
    const rules = shown ? peerRules : peerRules.slice(-1)
    const peers = simulatePeers(cell, rules)
    if (shown) console.log(`${peerTable(ours.model, peers, ours)}\n`)
    return { plain: peers.at(-1), ours }
  })
  console.log('What our extension of the MAD rule costs: as written → ours\n')
  console.log(`${costTable(compared.flatMap(({ plain, ours }) => (plain === undefined ? [] : [{ plain, ours }])))}\n`)
}

function printSmallestLosses(): void {
  const rows = [20, 10].flatMap(history =>
    noiseModels.flatMap((model, index) =>
      isPlain(model)
        ? [
            [
              model.name,
              String(history),
              shareWords(smallestLossFound({ model, history, trials: Math.ceil(trials / 5), seed: seedOf(index) })),
            ],
          ]
        : [],
    ),
  )
  console.log(
    `The smallest loss that is found within three runs in 95 % of cases\n\n${table(['noise model', 'hosts', 'loss'], rows)}\n`,
  )
}

function printPaired(): void {
  const changes = [0, -0.03, -0.05]
  const rows = [
    [0.002, 20],
    [0.02, 60],
    [0.06, 150],
  ].map(([cv = 0, pairs = 0]) => {
    const rates = simulatePaired(cv, pairs, Math.min(100, Math.ceil(trials / 100)), seed, changes)
    return [
      `CV ${cv * 100} % within pairs, ${pairs} pairs`,
      shareWords(rates.covered),
      ...changes.map(
        change => `${shareWords(rates.passed.get(change) ?? 0)} / ${shareWords(rates.regressed.get(change) ?? 0)}`,
      ),
    ]
  })
  console.log('Base and head interleaved on one host: pass / regressed\n')
  console.log(`${table(['noise', 'interval holds', ...changes.map(change => `true ${change * 100} %`)], rows)}\n`)
}

function isPlain({ name }: NoiseModel): boolean {
  return /^CV (0\.12|0\.5|1|2|4|6) %, slow/.test(name)
}

function shareWords(share: number | null): string {
  return share === null ? 'over 60 %' : `${(share * 100).toFixed(1)} %`
}
