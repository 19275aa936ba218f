import {
  describeOutcome,
  formatUsd,
  words,
  worthTelling,
  type Attempt,
  type Lease,
  type Machine,
  type Offer,
} from '@gpu-actions/lease'
import { cell } from './describe-plan.ts'

/** Attempts in the table; a wait for capacity makes hundreds that are all alike. */
const told = 40

/** The attempts as Markdown. */
export function attemptTable(attempts: readonly Attempt[]): string {
  const chosen = worthTelling(attempts, told)
  const rows = chosen.map(attempt => {
    const { outcome } = attempt
    const said = outcome === null ? 'no answer was recorded' : describeOutcome(outcome)
    const request = outcome?.kind === 'refused' ? (outcome.requestId ?? '') : ''
    return `| ${attempt.number} | ${attempt.round} | ${attempt.at} | ${words(attempt.offer)} | ${cell(said)} | ${attempt.calls} | ${attempt.waitedSeconds} s | ${cell(request)} |`
  })
  return [
    '### Launch attempts',
    '',
    '| # | round | time | offer | outcome | calls | waited | request |',
    '|---:|---:|---|---|---|---:|---:|---|',
    ...rows,
    '',
    ...(chosen.length < attempts.length
      ? [
          `${attempts.length - chosen.length} more attempts, which were refused, are not shown; attempts.json has more.`,
          '',
        ]
      : []),
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
