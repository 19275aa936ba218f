import type { Difference } from '../environment-key.ts'
import { rule } from './rule.ts'

/** A share as a person reads it: 0.031 is `3.1 %`. */
export const percent = (share: number): string => `${(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`

const against = (d: number): string => `${percent(Math.abs(d))} ${d < 0 ? 'slower' : 'faster'} than its level`

/** What a verdict says. */
export const say = {
  noHistory: 'There is no earlier result.',
  otherKey: 'No earlier result has this environment key: a new history begins.',
  difference: ({ field, before, after }: Difference): string =>
    `\`${field}\` was ${before ?? 'unknown'} and is ${after ?? 'unknown'}.`,
  invalidRun: 'The run is not valid, so it is not compared.',
  invalidConfirmation: 'The run on the second host is not valid, so the suspicion is not settled.',
  confirmedElsewhere: 'The second run has another environment key, so it confirms nothing.',
  sameHost: 'The second run was made on the same host; a slow host can only be told from slow code on another one.',
  fewHosts: (hosts: number): string =>
    `There are ${hosts} earlier hosts with this environment key; a verdict needs ${rule.fewestHosts}.`,
  provisional: (hosts: number): string =>
    `Provisional: ${hosts} earlier hosts; with ${rule.enoughHosts} false alarms are three times rarer.`,
  suspectHost: (first: number, second: number): string =>
    `The first host was ${against(first)}, another one ${against(second)}: the host is suspect, not the code.`,
  halfway: (first: number, second: number): string =>
    `The first host was ${against(first)}, another one ${against(second)}: that neither confirms the change nor clears the code.`,
  fastHost: (first: number, second: number): string =>
    `The first host was ${against(first)}, another one ${against(second)}: the host was fast, not the code.`,
  confirmed: (ds: readonly number[], z: number): string =>
    `${ds.length} hosts say the same: ${ds.map(against).join(', ')} (z of the first: ${z.toFixed(1)}).`,
  unconfirmed: (d: number, peers: number, runs: number, needed: number): string =>
    `The run is ${against(d)}; ${peers === 0 ? 'no earlier host was' : `${peers} earlier hosts were`} like that. ${runs} of ${needed} hosts have been asked.`,
  knownKind: (d: number, peers: number, hosts: number): string =>
    `The run is ${against(d)}, as were ${peers} of ${hosts} earlier hosts: a slow kind of host cannot be told from slow code here.`,
  slowerMode: (level: number, fastest: number): string =>
    `Hosts come in two kinds here, and this one is of the slower kind (${percent(1 - level / fastest)} below the faster): a loss of the same size cannot be told from it.`,
  drift: (d: number): string =>
    `The run is ${against(d)}, but the newest ${rule.recent} hosts already were on that way: the level drifts, or changed before this run. If the change was wanted, mark its first run by hand.`,
  driftedLevel: `The run is slower than the newest ${rule.recent} hosts, though not than the whole history: the level drifts.`,
  tooNoisy: (loss: number, lossToFind: number, cv: number): string =>
    `The history is too noisy to tell: hosts differ by ${percent(cv)}, so that only a loss of ${percent(loss)} would have been seen, and ${percent(lossToFind)} was asked for.`,
  pass: (d: number, loss: number): string =>
    `The run is ${percent(Math.abs(d))} ${d < 0 ? 'below' : 'above'} its level; a loss of ${percent(loss)} would have been seen.`,
} as const
