import { blockThroughput, type Result } from '@gpu-actions/benchmark'
import { formatUsd, type Lease, type Price, type Receipt } from '@gpu-actions/lease'
import { cell, dash, figure, plain } from './markdown.ts'
import type { Evidence } from './schema.ts'

/** Every phrase here is Markdown; what came from a record is escaped. */

/** The type that was rented, or that a launch was tried for last; null for a host that was not rented. */
export function instanceType({ lease, attempts }: Pick<Evidence, 'lease' | 'attempts'>): string | null {
  return (
    lease?.machines.at(-1)?.instanceType ??
    lease?.offer?.instanceType ??
    attempts?.attempts.at(-1)?.offer.instanceType ??
    null
  )
}

/** `412.3 images/s`, or a dash. */
export const throughputWords = (result: Result | null): string =>
  result?.metrics.throughput == null ? dash : `${figure(result.metrics.throughput)} images/s`

/** `valid`, `not valid`, or that nobody can tell. */
export function verdictWords({ validity }: Result): string {
  if (validity.valid === null) return 'not judged'
  return validity.valid ? 'valid' : 'not valid'
}

/** `95 % interval 410.1 to 414.9`, or that there is none. */
export function intervalWords({ metrics }: Result): string {
  if (metrics.throughputLow === null || metrics.throughputHigh === null) return 'without an interval'
  return `95 % interval ${figure(metrics.throughputLow)} to ${figure(metrics.throughputHigh)} within this run`
}

/** The GPU's own name, or `cpu`; of a job, which does not tell it, what the machine itself showed before. */
export function deviceWords({ result, lease }: Pick<Evidence, 'result' | 'lease'>): string {
  const gpus = lease?.gpus ?? null
  if (result?.job == null || result.device !== null || gpus === null) return cell(result?.device)
  return `${gpus.count > 1 ? `${gpus.count} × ` : ''}${plain(gpus.name)} (of the machine; the job does not tell)`
}

/** The timed part, or the whole command where that is all that is known. */
export function durationWords(result: Result | null): string {
  const whole = result?.job?.durationSeconds
  return whole == null ? secondsWords(result?.metrics.durationSeconds) : `${secondsWords(whole)} (the whole command)`
}

/** Rows of the cluster and its job, each a name and a value; none where there was no cluster. The id stays in the records. */
export function clusterRows({ agent, result }: Pick<Evidence, 'agent' | 'result'>): readonly (readonly [string, string])[] {
  const job = result?.job ?? null
  if (agent === null && job === null) return []
  const api = agent?.apiHost ?? job?.api
  return [
    ['cluster', `${cell(agent?.clusterName)} at ${cell(api)}, ${cell(agent?.status)}`],
    ['agent version', cell(agent?.agentVersion)],
    ['cluster active after', secondsWords(agent?.activationSeconds)],
    ['job', [job?.id, job?.status].map(cell).join(', ')],
  ]
}

/** Seconds with a unit: `84.2 s`. */
export const secondsWords = (seconds: number | null | undefined): string =>
  seconds === null || seconds === undefined ? dash : `${figure(seconds, 3)} s`

/** `128`, or `64 (asked for 128)` when the memory did not suffice. */
export function batchWords(result: Result | null): string {
  if (result === null) return dash
  const { asked, actual } = result.workload
  if (actual === null) return result.job === null ? `${dash} (asked for ${asked.batchSize})` : `${asked.batchSize} (asked for)`
  return actual.batchSize === asked.batchSize ? `${asked.batchSize}` : `${actual.batchSize} (asked for ${asked.batchSize})`
}

/** Images per second of each finished block. */
export function blockFigures(result: Result): readonly number[] {
  const batchSize = result.workload.actual?.batchSize
  return batchSize === undefined ? [] : result.blocks.map(block => blockThroughput(block.stepMs, batchSize))
}

export const usdWords = (usd: number | null | undefined): string =>
  usd === null || usd === undefined ? dash : plain(formatUsd(usd))

export const priceWords = (price: Price | null | undefined): string =>
  price === null || price === undefined
    ? dash
    : `${usdWords(price.usdPerHour)} an hour (${plain(price.source)}, ${plain(price.date)})`

/** The price of the lease, as it was at launch. */
export const priceOf = (lease: Lease | null, receipt: Receipt | null): Price | null =>
  receipt?.machines.at(-1)?.price ?? lease?.machines.at(-1)?.price ?? lease?.offer?.price ?? null

const machines = (count: number): string => (count === 1 ? '1 machine' : `${count} machines`)

/** What the receipt proves, in a line. */
export function teardownWords({ receipt, lease, attempts, agent, result }: Evidence): string {
  const unrented = lease === null && attempts === null && agent === null && result !== null && result.leaseId === null
  if (receipt === null && unrented) return 'nothing to end: the host was not rented'
  if (receipt === null) return '**not proved**: there is no receipt'
  if (receipt.remaining > 0) return `**${receipt.remaining} remaining**: see the receipt for how to end it by hand`
  const gone = receipt.machines.filter(machine => machine.goneAt !== null).length
  const resources = receipt.resources.map(resource => `, ${plain(resource.kind)} seen gone`).join('')
  const ending = receipt.ending.length > 0 ? `, ${machines(receipt.ending.length)} still shutting down (not billed)` : ''
  return `0 remaining, ${machines(gone)} seen gone${resources}${ending}`
}

/** Why there is no figure, or why it should not be used; empty when it is good. */
export function doubts(result: Result | null): readonly string[] {
  if (result === null) return []
  return [...(result.error === null ? [] : [result.error]), ...result.validity.reasons]
}
