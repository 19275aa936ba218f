import { describe, expect, test } from '@jest/globals'
import { drawing, noiseModels, type NoiseModel } from '../src/bench/verdict/noise-models.ts'
import { peerRules } from '../src/bench/verdict/peer-rules.ts'
import { simulate, simulatePeers, smallestLossFound, type Rates } from '../src/bench/verdict/simulate.ts'
import { targetsOf } from '../src/bench/verdict/targets.ts'

const model = (name: string): NoiseModel => {
  const found = noiseModels.find(one => one.name === name)
  if (found === undefined) throw new RangeError(`there is no noise model ${name}`)
  return found
}
const tight = model('CV 0.5 %, slow hosts')
const rates = (more: Partial<Rates>): Rates => ({
  model: tight,
  history: 20,
  trials: 20_000,
  suspected: 0,
  falseAlarms: 0,
  falseImprovements: 0,
  passed: 1,
  inconclusive: 0,
  found: new Map([[0.03, { confirmed: 1, withinThree: 1, passed: 0 }]]),
  ...more,
})
const missed = (more: Partial<Rates>): number => targetsOf([rates(more)]).filter(({ met }) => !met).length

describe('a promise is broken', () => {
  test('by more false alarms than it allows for the kind of noise and the number of hosts', () => {
    expect(missed({ falseAlarms: 0.001 })).toBe(0)
    expect(missed({ falseAlarms: 0.0011 })).toBe(1)
    expect(missed({ falseAlarms: 0.0011, history: 19 })).toBe(0)
    expect(missed({ falseAlarms: 0.0031, history: 19 })).toBe(1)
    expect(missed({ falseAlarms: 0.0099, model: model('two kinds: 30 % are 4 % slow') })).toBe(0)
    expect(missed({ falseAlarms: 0.0101, model: model('drift: −0.2 % a run') })).toBe(1)
  })

  test('by losses that are not found, where it speaks of them', () => {
    const found = new Map([[0.03, { confirmed: 0.9, withinThree: 0.949, passed: 0 }]])
    expect(missed({ found })).toBe(1)
    expect(missed({ found, history: 12 })).toBe(0)
    expect(missed({ found, model: model('CV 1 %, slow hosts') })).toBe(0)
  })

  test('by a loss that passes', () => {
    const of = (passed: number) => new Map([[0.05, { confirmed: 0.9, withinThree: 0.9, passed }]])
    expect(missed({ found: of(0.01) })).toBe(0)
    expect(missed({ found: of(0.011) })).toBe(1)
  })

  test('by a pass in a history too noisy to tell', () => {
    expect(missed({ passed: 0.021, model: model('CV 4 %, slow hosts') })).toBe(1)
  })

  test('not by the luck of few trials', () => {
    expect(missed({ falseAlarms: 0.002, trials: 1000 })).toBe(0)
    expect(missed({ falseAlarms: 0.01, trials: 1000 })).toBe(1)
  })
})

describe('the noise models', () => {
  test.each(noiseModels.map(one => [one.name, one] as const))(
    '%s gives hosts around 1, the same for the same seed',
    (_, one) => {
      const draw = (seed: number): readonly number[] => {
        let state = seed
        const fleet = one.fleet(
          drawing(() => (state = (state * 16807) % 2147483647) / 2147483647),
          20,
        )
        return [...fleet.history, fleet.next(), fleet.next()]
      }
      const hosts = draw(7)
      expect(hosts).toHaveLength(22)
      expect(hosts.every(value => value > 0.5 && value < 1.5)).toBe(true)
      expect(draw(7)).toEqual(hosts)
    },
  )
})

describe('on the same hosts', () => {
  const cell = { model: tight, history: 20, trials: 400, seed: 3, losses: [0.03] }

  test('a cell comes to the same rates each time', () => {
    expect(simulate(cell)).toEqual(simulate(cell))
  })

  test('a rule that looks at the previous run only is blind for a loss that ours finds', () => {
    const previous = simulatePeers(cell, peerRules).find(({ rule }) => rule.startsWith('github-action-benchmark'))
    expect(previous?.found.get(0.03)).toBe(0)
    expect(simulate(cell).found.get(0.03)?.confirmed).toBeGreaterThan(0.8)
  })

  test('two kinds of hosts alarm the rule without our extension, and not ours', () => {
    const kinds = { ...cell, model: model('two kinds: 30 % are 12 % slow') }
    const plain = simulatePeers(kinds, peerRules.slice(-1))[0]
    expect(plain?.confirmedFalseAlarms).toBeGreaterThan(0.05)
    expect(simulate(kinds).falseAlarms).toBeLessThanOrEqual(0.01)
  })

  test('the smallest loss that is found grows with the noise', () => {
    const smallest = (name: string): number => smallestLossFound({ ...cell, trials: 200, model: model(name) }) ?? 1
    expect(smallest('CV 0.12 %, slow hosts')).toBeLessThan(0.025)
    expect(smallest('CV 2 %, slow hosts')).toBeGreaterThan(0.08)
  })
})
