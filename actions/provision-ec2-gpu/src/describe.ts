import {
  describeOutcome,
  formatUsd,
  words,
  type Attempt,
  type Lease,
  type Machine,
  type Offer,
} from '@gpu-actions/lease'

/** Text that a service wrote, for a cell of a table. */
const cell = (text: string): string => text.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|')

/** The attempts as Markdown. */
export function attemptTable(attempts: readonly Attempt[]): string {
  const rows = attempts.map(attempt => {
    const { outcome } = attempt
    const said = outcome === null ? 'no answer was recorded' : describeOutcome(outcome)
    const request = outcome?.kind === 'refused' ? (outcome.requestId ?? '') : ''
    return `| ${attempt.number} | ${attempt.at} | ${words(attempt.offer)} | ${cell(said)} | ${attempt.calls} | ${attempt.waitedSeconds} s | ${cell(request)} |`
  })
  return [
    '### Launch attempts',
    '',
    '| # | time | offer | outcome | calls | waited | request |',
    '|---:|---|---|---|---:|---:|---|',
    ...rows,
    '',
  ].join('\n')
}

/** The machine that can be used, as Markdown. */
export function readyTable(lease: Lease, offer: Offer, machine: Machine, page: string): string {
  const { gpus } = lease
  return [
    `### Lease ${lease.id}`,
    '',
    '| machine | type | zone | GPUs that answered | price | ends itself |',
    '|---|---|---|---|---|---|',
    `| ${machine.id} | ${machine.instanceType} | ${machine.zone} | ${gpus === null ? 'not asked' : `${gpus.count} × ${cell(gpus.name)}`} | ${offer.price === null ? 'unknown' : `${formatUsd(offer.price.usdPerHour)}/h`} | ${lease.expiresAt} |`,
    '',
    `Launched by [this run](${page}).`,
    '',
  ].join('\n')
}
