import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { seededRandom } from '../src/statistics.ts'
import { pairedDifference } from '../src/statistics/paired.ts'
import { runsNeeded } from '../src/verdict/baseline.ts'
import {
  verdicts,
  type HistoryEntry,
  type JudgedRun,
  type Verdict,
  type VerdictQuestion,
} from '../src/verdict/judged.ts'
import { historyEntryOf, judgedRunOf, type Comparable } from '../src/verdict/from-result.ts'
import { pairedVerdictOf } from '../src/verdict/paired-verdict.ts'
import { verdictOf } from '../src/verdict/verdict.ts'

const environment = { key: 'a', fields: { torch: '2.8.0' } }
const entry = (throughput: number, more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  throughput,
  environment,
  host: null,
  ...more,
})
const run = (throughput: number | null, more: Partial<JudgedRun> = {}): JudgedRun => ({
  throughput,
  valid: true,
  doubts: [],
  environment,
  host: null,
  ...more,
})

function normals(seed: number): () => number {
  const random = seededRandom(seed)
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
/** Hosts around 1000 images per second. */
function hosts(count: number, cv: number, seed = 1): readonly HistoryEntry[] {
  const normal = normals(seed)
  return Array.from({ length: count }, () => entry(1000 * (1 + cv * normal())))
}
const quiet = hosts(20, 0.002)
const judge = (
  history: readonly HistoryEntry[],
  throughputs: readonly number[],
  more: Partial<VerdictQuestion> = {},
): Verdict => {
  const [first = Number.NaN, ...others] = throughputs
  return verdictOf({ history, run: run(first), confirmations: others.map(value => run(value)), ...more })
}

describe('with twenty quiet hosts', () => {
  test('a run at their level passes and says which loss it would have shown', () => {
    const verdict = judge(quiet, [1001])
    expect(verdict).toMatchObject({ verdict: 'pass', provisional: false, hosts: 20, hostsNeeded: 0 })
    expect(verdict.smallestDetectableLoss).toBeCloseTo(0.0298, 3)
    expect(verdict.reasons[0]).toMatch(/a loss of 3\.0 % would have been seen/)
  })

  test('a loss of 3 % asks for a second host and is believed when that one agrees', () => {
    const first = judge(quiet, [970])
    expect(first).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 1 })
    expect(first.d).toBeCloseTo(-0.03, 2)
    expect(first.z).toBeLessThan(-3.5)
    expect(judge(quiet, [970, 968])).toMatchObject({ verdict: 'regressed', hostsNeeded: 0 })
  })

  test('a second host without the loss makes the first one suspect', () => {
    expect(judge(quiet, [970, 1001])).toMatchObject({ verdict: 'suspect-host', hostsNeeded: 0 })
  })

  test('a second host half-way neither confirms nor clears', () => {
    expect(judge(quiet, [970, 988])).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 0 })
    expect(judge(quiet, [970, 988]).reasons[0]).toContain('neither confirms')
  })

  test('a gain of 3 % is an improvement when two hosts show it', () => {
    expect(judge(quiet, [1030])).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 1 })
    expect(judge(quiet, [1030, 1031]).verdict).toBe('improved')
    expect(judge(quiet, [1030, 1000]).verdict).toBe('pass')
  })

  test('a loss below 2 % does not count, however many scales it is', () => {
    expect(judge(quiet, [982]).verdict).toBe('pass')
  })

  test('the confirmation must be another host, valid, in the same environment', () => {
    const [slow, other] = [run(970, { host: 'one' }), run(968, { host: 'two' })]
    const confirmedBy = (confirmation: JudgedRun): Verdict =>
      verdictOf({ history: quiet, run: slow, confirmations: [confirmation] })
    expect(confirmedBy(other).verdict).toBe('regressed')
    for (const bad of [
      { ...other, host: 'one' },
      { ...other, valid: false, doubts: ['It was hot.'] },
      { ...other, environment: { key: 'b', fields: {} } },
    ]) {
      expect(confirmedBy(bad).verdict).toBe('inconclusive')
    }
  })
})

describe('there is no verdict', () => {
  test('without a history', () => {
    expect(verdictOf({ history: [], run: run(1000) })).toMatchObject({ verdict: 'incomparable', hosts: 0, level: null })
  })

  test('with another environment key, and the changed field is named', () => {
    const other = run(1000, { environment: { key: 'b', fields: { torch: '2.9.0' } } })
    const verdict = verdictOf({ history: quiet, run: other })
    expect(verdict.verdict).toBe('incomparable')
    expect(verdict.reasons).toContain('`torch` was 2.8.0 and is 2.9.0.')
  })

  test.each([
    ['is not valid', run(1000, { valid: false, doubts: ['The GPU was hot.'] })],
    ['cannot be judged', run(1000, { valid: null, doubts: ['The GPU was hot.'] })],
    ['has no figure', run(null, { doubts: ['The GPU was hot.'] })],
  ])('on a run that %s', (_, bad) => {
    const verdict = verdictOf({ history: quiet, run: bad })
    expect(verdict.verdict).toBe('inconclusive')
    expect(verdict.reasons).toContain('The GPU was hot.')
  })

  test('with nine hosts, and a provisional one with ten to nineteen', () => {
    expect(judge(quiet.slice(0, 9), [700])).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 0 })
    for (const count of [10, 19])
      expect(judge(quiet.slice(0, count), [1000])).toMatchObject({ verdict: 'pass', provisional: true })
    expect(judge(quiet.slice(0, 10), [1000]).reasons.join(' ')).toContain('Provisional')
  })

  test('in a history too noisy to show the loss that is looked for', () => {
    const noisy = hosts(20, 0.03)
    const verdict = judge(noisy, [1000])
    expect(verdict.verdict).toBe('inconclusive')
    expect(verdict.reasons[0]).toContain('too noisy to tell')
    expect(judge(noisy, [1000], { lossToFind: 0.5 }).verdict).toBe('pass')
    expect(judge(noisy, [500, 510]).verdict).toBe('regressed')
  })
})

describe('a CPU whose runs differ by 6 %', () => {
  const cpu = hosts(20, 0.06, 3)

  test('shows a doubling of the time on two hosts, and passes a clean run when that is what is looked for', () => {
    expect(judge(cpu, [500], { lossToFind: 0.5 })).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 1 })
    expect(judge(cpu, [500, 520], { lossToFind: 0.5 }).verdict).toBe('regressed')
    expect(judge(cpu, [1000], { lossToFind: 0.5 }).verdict).toBe('pass')
  })
})

describe('what counts of a history', () => {
  test('is one run a host, the newest', () => {
    const repeated = [
      ...quiet,
      ...Array.from({ length: 30 }, () => entry(500, { host: 'again' })),
      entry(1000, { host: 'again' }),
    ]
    expect(judge(repeated, [1000])).toMatchObject({ verdict: 'pass', hosts: 21 })
  })

  test('begins anew at a level that was marked by hand', () => {
    const lower = hosts(12, 0.002, 5).map(({ throughput }, index) => entry(0.9 * throughput, { newLevel: index === 0 }))
    const history = [...hosts(30, 0.002), ...lower]
    expect(judge(history, [900])).toMatchObject({ verdict: 'pass', hosts: 12, provisional: true })
    expect(judge(history, [1000, 1000]).verdict).toBe('improved')
  })

  test('is the newest fifty hosts', () => {
    expect(judge(hosts(80, 0.002), [1000]).hosts).toBe(50)
  })

  test('is not of another environment', () => {
    const others = hosts(40, 0.002).map(one => ({ ...one, environment: { key: 'b', fields: {} } }))
    expect(judge([...others, ...quiet], [1000]).hosts).toBe(20)
  })
})

describe('where hosts come in two kinds', () => {
  const kinds = hosts(20, 0.002).map(({ throughput }, index) => entry(index % 3 === 1 ? 0.96 * throughput : throughput))

  test('a run of the slower kind is no loss and no pass, until another host is of the faster kind', () => {
    const slower = judge(kinds, [960])
    expect(slower).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 1 })
    expect(slower.reasons[0]).toContain('two kinds')
    expect(judge(kinds, [960, 959]).verdict).toBe('inconclusive')
    expect(judge(kinds, [960, 1001]).verdict).toBe('pass')
    expect(judge(kinds, [1001]).verdict).toBe('pass')
  })

  test('a loss on both kinds is one', () => {
    expect(judge(kinds, [930, 928]).verdict).toBe('regressed')
    // Slower than either kind, then a host like the slower kind: it may be one of the faster kind that lost 4 %.
    expect(judge(kinds, [920, 960]).verdict).toBe('inconclusive')
    expect(judge(kinds, [920, 1001]).verdict).toBe('suspect-host')
  })

  test('a few slow hosts in the history ask for more hosts before a loss like theirs is believed', () => {
    const withSlow = (count: number): readonly HistoryEntry[] =>
      quiet.map(({ throughput }, index) =>
        entry(index % 6 === 2 && index / 6 < count ? 0.962 * throughput : throughput),
      )
    expect(judge(withSlow(1), [962, 961]).verdict).toBe('regressed')
    expect(judge(withSlow(2), [962, 961])).toMatchObject({ verdict: 'inconclusive', hostsNeeded: 1 })
    expect(judge(withSlow(2), [962, 961, 963]).verdict).toBe('regressed')
    expect(judge(withSlow(2), [930, 931]).verdict).toBe('regressed')
  })
})

describe('where the level moves', () => {
  test('a fall that the newest hosts already show is not blamed on this run', () => {
    const fallen = hosts(20, 0.002).map(({ throughput }, index) => entry(index < 16 ? throughput : 0.96 * throughput))
    const verdict = judge(fallen, [960, 961])
    expect(verdict.verdict).toBe('inconclusive')
    expect(verdict.reasons[0]).toMatch(/drifts|other|kind/)
  })

  test('a level that rose unmarked does not let a run at the old level pass', () => {
    const risen = hosts(20, 0.002).map(({ throughput }, index) => entry(index < 17 ? throughput : 1.04 * throughput))
    expect(judge(risen, [1000])).toMatchObject({ verdict: 'inconclusive' })
    expect(judge(risen, [1000]).reasons[0]).toContain('drifts')
  })
})

test.each([
  [0, 20, 2],
  [1, 20, 2],
  [2, 20, 3],
  [3, 20, 3],
  [4, 20, 4],
  [0, 10, 2],
  [1, 10, 3],
  [2, 10, 4],
])('%i like hosts among %i ask for %i hosts, of which 4 means that more would not help', (peers, count, needed) => {
  expect(runsNeeded(peers, count)).toBe(needed)
})

describe('any verdict', () => {
  const throughput = fc.double({ min: 1, max: 5000, noNaN: true })
  const histories = fc.array(throughput, { maxLength: 40 })

  test('is one of the six, has a reason, and measures no distance that it does not know', () => {
    fc.assert(
      fc.property(histories, fc.array(throughput, { minLength: 1, maxLength: 3 }), (values, runs) => {
        const verdict = judge(
          values.map(value => entry(value)),
          runs,
        )
        expect(verdicts).toContain(verdict.verdict)
        expect(verdict.reasons.length).toBeGreaterThan(0)
        expect(verdict.reasons.join(' ')).not.toMatch(/NaN|undefined|Infinity|null/)
        expect(verdict.d === null).toBe(verdict.z === null)
        expect(verdict.hostsNeeded).toBeGreaterThanOrEqual(0)
        const unjudged = ['inconclusive', 'incomparable'].includes(verdict.verdict)
        expect(unjudged || verdict.hosts >= 10).toBe(true)
      }),
    )
  })

  test('does not depend on the unit', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 0.85, max: 1.1, noNaN: true }),
        fc.constantFrom(0.25, 8),
        (seed, at, factor) => {
          const history = hosts(20, 0.004, seed)
          const scaled = history.map(one => entry(one.throughput * factor))
          const word = (verdict: Verdict): readonly unknown[] => [verdict.verdict, verdict.hostsNeeded]
          expect(word(judge(scaled, [1000 * at * factor]))).toEqual(word(judge(history, [1000 * at])))
        },
      ),
    )
  })

  test('is not better for a slower run', () => {
    // From worst to best, as far as a single confirmed level goes.
    const worth = { regressed: 0, 'suspect-host': 1, inconclusive: 1, incomparable: 1, pass: 2, improved: 3 }
    const speed = fc.double({ min: 0.8, max: 1.2, noNaN: true })
    fc.assert(
      fc.property(speed, speed, (one, other) => {
        const [slow, fast] = [Math.min(one, other) * 1000, Math.max(one, other) * 1000]
        const worthOf = (value: number): number => worth[judge(quiet, [value, value]).verdict]
        expect(worthOf(slow)).toBeLessThanOrEqual(worthOf(fast))
      }),
    )
  })
})

describe('base and head on one host', () => {
  const pairs = (count: number, change: number, cv: number, seed = 1) => {
    const normal = normals(seed)
    return Array.from({ length: count }, () => ({
      base: 30 * (1 + cv * normal()),
      head: 30 * (1 + change) * (1 + cv * normal()),
    }))
  }
  const verdict = (count: number, change: number, cv: number): string =>
    pairedVerdictOf({ difference: pairedDifference(pairs(count, change, cv)) }).verdict

  test('pass when they are equal, and 150 noisy pairs show a loss of 5 %', () => {
    expect(verdict(400, 0, 0.06)).toBe('pass')
    expect(verdict(150, -0.05, 0.06)).toBe('regressed')
    expect(verdict(150, 0.05, 0.06)).toBe('improved')
  })

  test('pass or are regressed with few pairs where the host is quiet', () => {
    expect(verdict(20, 0, 0.002)).toBe('pass')
    expect(verdict(20, -0.03, 0.002)).toBe('regressed')
    expect(verdict(20, -0.01, 0.002)).toBe('pass')
  })

  test('are inconclusive with too few pairs, too much noise, or when base differs from itself', () => {
    expect(verdict(19, -0.5, 0.01)).toBe('inconclusive')
    expect(verdict(40, 0, 0.2)).toBe('inconclusive')
    const difference = pairedDifference(pairs(150, -0.05, 0.01))
    const control = pairedDifference(pairs(150, -0.03, 0.01, 2))
    expect(pairedVerdictOf({ difference, control })).toMatchObject({ verdict: 'inconclusive' })
    expect(pairedVerdictOf({ difference, control }).reasons[0]).toContain('differs from itself')
  })
})

describe('a result', () => {
  const record = (throughput: number | null, valid: boolean | null): Comparable => ({
    backend: 'cuda',
    workload: { name: 'resnet50-v1.5', version: 1, asked: {} as Comparable['workload']['asked'], actual: null },
    environment: { gpu: { name: 'NVIDIA A10G' } },
    flags: null,
    metrics: { throughput } as Comparable['metrics'],
    validity: { valid, reasons: valid === true ? [] : ['The GPU was hot.'] },
  })

  test('is compared by its throughput, its validity and its environment', () => {
    const history = Array.from({ length: 20 }, (_, index) =>
      historyEntryOf(record(640 + index / 10, true), `i-${index}`),
    )
    const entries = history.flatMap(one => one ?? [])
    expect(entries).toHaveLength(20)
    expect(verdictOf({ history: entries, run: judgedRunOf(record(641, true), 'i-a') }).verdict).toBe('pass')
    const slow = { history: entries, run: judgedRunOf(record(610, true), 'i-b') }
    expect(verdictOf({ ...slow, confirmations: [judgedRunOf(record(611, true), 'i-c')] }).verdict).toBe('regressed')
    expect(verdictOf({ history: entries, run: judgedRunOf(record(610, false), 'i-b') }).reasons).toContain(
      'The GPU was hot.',
    )
  })

  test('that is not valid or has no figure is no part of a history', () => {
    expect(historyEntryOf(record(640, false), 'i-1')).toBeNull()
    expect(historyEntryOf(record(640, null), 'i-1')).toBeNull()
    expect(historyEntryOf(record(null, true), 'i-1')).toBeNull()
  })
})
