import { OutsideFault, type Log } from '@gpu-actions/action-kit/ports'
import * as v from 'valibot'
import { words } from './notices.ts'
import { count, later, list, measured, object } from './raw.ts'
import type { preflightLevels, preflightNeeds } from './words.ts'

/** What is to be checked before a run, and what becomes of the run when a check fails. */
export interface PreflightWish {
  /** `warn`: it is told. `require`: there is no run. */
  readonly need: Exclude<(typeof preflightNeeds)[number], 'off'>
  readonly level: (typeof preflightLevels)[number]
}

const status = v.picklist(['pass', 'warn', 'fail', 'skipped'])

export const checkEntries = {
  name: words,
  /** `skipped`: it could not run, or there is nothing to judge by; never a pass. */
  status,
  reason: words,
  /** What was read, in words. */
  signal: v.nullable(words),
  threshold: v.nullable(words),
  /** Where the threshold comes from. */
  source: v.nullable(words),
  /** null: the whole host */
  gpu: v.nullable(count),
}

export const preflightEntries = {
  level: v.picklist(['quick', 'all']),
  /** The worst of all checks; `skipped` when none could run. */
  status,
  checks: list(object(checkEntries)),
  /** Of the slowest GPU; of the CPU where that is measured. */
  measured: object({
    /** Read and written by a copy, bytes per second. */
    memoryBytesPerSecond: measured,
    memoryTriadBytesPerSecond: measured,
    matmulFlops: measured,
    hostToDeviceBytesPerSecond: measured,
    deviceToHostBytesPerSecond: measured,
  }),
  seconds: v.number(),
}

export const preflightSchema = object(preflightEntries)
export const preflightLater = later(preflightSchema)

export type Preflight = v.InferOutput<typeof preflightSchema>
export type Check = Preflight['checks'][number]

/** One check in a sentence. */
export function checkWords({ name, status: word, reason, signal, threshold, gpu }: Check): string {
  const where = gpu === null ? '' : ` (GPU ${gpu})`
  const read = [...(signal === null ? [] : [signal]), ...(threshold === null ? [] : [`wanted: ${threshold}`])]
  return `${name}${where}: ${word}, ${reason}${read.length === 0 ? '' : ` [${read.join('; ')}]`}`
}

const ofStatus = (checks: readonly Check[], word: Check['status']): readonly Check[] =>
  checks.filter(check => check.status === word)

/** Tells of all checks: of those that failed as a warning, of those that passed by number only. */
export function tellPreflight({ checks, status: word }: Preflight, log: Pick<Log, 'info' | 'warning'>): void {
  const counted = (['pass', 'warn', 'fail', 'skipped'] as const).map(one => `${ofStatus(checks, one).length} ${one}`)
  log.info(`Preflight: ${word} (${counted.join(', ')})`)
  for (const check of ofStatus(checks, 'skipped')) {
    if (check.signal !== null) log.info(`Preflight: ${checkWords(check)}`)
  }
  for (const check of ofStatus(checks, 'warn')) log.warning(`Preflight: ${checkWords(check)}`)
  for (const check of ofStatus(checks, 'fail')) log.warning(`Preflight: ${checkWords(check)}`)
}

/**
 * Why there is no run, with `require`.
 * @returns null when nothing failed
 */
export function unfitFault(
  preflight: Preflight | null,
  need: PreflightWish['need'],
  host: string,
): OutsideFault | null {
  if (need !== 'require') return null
  if (preflight === null) {
    return new OutsideFault({
      what: `The preflight on ${host} came to no end, and \`preflight\` is \`require\``,
      advice: 'Read logs/preflight.log of the evidence; `preflight: warn` measures all the same.',
    })
  }
  const failed = ofStatus(preflight.checks, 'fail')
  if (failed.length === 0) return null
  return new OutsideFault({
    what: [`${host} is not fit to be measured:`, ...failed.map(check => `- ${checkWords(check)}`)].join('\n'),
    advice: 'Run the job again on another machine; `preflight: warn` measures this one all the same.',
  })
}
