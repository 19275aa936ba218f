import type { Rates } from './simulate.ts'

/** What the rule has promised (issue: numbers that can be trusted). Shares. */
const promises = {
  /** False alarms after confirmation, unimodal noise: 20 hosts, and 10 to 19. */
  unimodal: { enough: 0.001, provisional: 0.003 },
  /** The same for two kinds of hosts and a level that moves. */
  others: 0.01,
  /** Losses of 3 % that are found within three runs, where hosts differ by at most 0.5 % and there are 20. */
  found: { loss: 0.03, cv: 0.005, share: 0.95 },
  /** A `pass` says that a loss of 5 % would have been seen: such a loss may pass in this share of cases, whatever noise. */
  hidden: { loss: 0.05, passed: 0.01 },
  /** Where hosts differ by this much, a loss that matters cannot be told: fewer than 2 % of runs may pass. */
  tooNoisy: { cv: 0.02, passed: 0.02 },
} as const

/** Fewer trials leave a count of a rare event too uncertain to be held against a promise without slack. */
const exactTrials = 20_000

export interface Target {
  readonly sentence: string
  readonly met: boolean
  readonly seen: number
}

/** Every promise against every cell that it is about. */
export function targetsOf(rates: readonly Rates[]): readonly Target[] {
  return rates.flatMap(rate => [falseAlarms(rate), ...detection(rate), ...hidden(rate), ...noise(rate)])
}

function falseAlarms({ model, history, trials, falseAlarms: seen }: Rates): Target {
  const limit =
    model.kind === 'unimodal'
      ? history >= 20
        ? promises.unimodal.enough
        : promises.unimodal.provisional
      : promises.others
  return {
    sentence: `${model.name}, ${history} hosts: false alarms after confirmation at most ${limit * 100} %`,
    met: seen <= limit + slack(limit, trials),
    seen,
  }
}

function detection({ model, history, trials, found }: Rates): readonly Target[] {
  const { loss, cv, share } = promises.found
  const seen = found.get(loss)?.withinThree
  if (seen === undefined || history < 20 || model.kind !== 'unimodal' || model.cv > cv) return []
  const sentence = `${model.name}, ${history} hosts: at least ${share * 100} % of ${loss * 100} % losses found within three runs`
  return [{ sentence, met: seen >= share - slack(share, trials), seen }]
}

function hidden({ model, history, trials, found }: Rates): readonly Target[] {
  const { loss, passed } = promises.hidden
  const seen = found.get(loss)?.passed
  if (seen === undefined) return []
  const sentence = `${model.name}, ${history} hosts: at most ${passed * 100} % of ${loss * 100} % losses pass`
  return [{ sentence, met: seen <= passed + slack(passed, trials), seen }]
}

function noise({ model, history, trials, passed: seen }: Rates): readonly Target[] {
  const { cv, passed } = promises.tooNoisy
  if (model.kind !== 'unimodal' || model.cv < cv || history < 20) return []
  const sentence = `${model.name}, ${history} hosts: too noisy to tell, fewer than ${passed * 100} % pass`
  return [{ sentence, met: seen <= passed + slack(passed, trials), seen }]
}

/** Three standard errors with few trials, nothing with enough. */
const slack = (share: number, trials: number): number =>
  trials >= exactTrials ? 0 : 3 * Math.sqrt((share * (1 - share)) / trials)
