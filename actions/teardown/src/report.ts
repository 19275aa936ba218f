import { messageOf, OutsideFault } from '@gpu-actions/action-kit'
import {
  leftAdvice,
  leftLine,
  receiptMarkdown,
  receiptSentences,
  sum,
  toMicros,
  toUsd,
  type Left,
  type Receipt,
} from '@gpu-actions/lease'
import type { TeardownContext } from './leases.ts'

/** What became of one lease, or of what was registered without one. */
export interface Ended {
  /** For sentences: `lease 1-1-0a1b2c3d`. */
  readonly name: string
  /** null when its end failed before there was anything to write down */
  readonly receipt: Receipt | null
  /** Where the receipt was written. */
  readonly path: string | null
  /** What kept the machines from being looked at. */
  readonly error: unknown
  /** Resources that are left although there is no receipt to name them. */
  readonly left: readonly Left[]
  /** Why they are. */
  readonly problems: readonly string[]
}

const problemsOf = (receipt: Receipt): readonly string[] => [
  ...receipt.problems,
  ...receipt.resources.flatMap(({ problem }) => (problem === null ? [] : [problem])),
]

const login =
  'For clusters: with the inputs user-pool-id, client-id, username and password teardown logs in by itself when the id token has expired.'

/** Log, summary, outputs; and the failure, when anything is left. */
export async function report(context: TeardownContext, ended: readonly Ended[]): Promise<void> {
  const { log } = context
  const receipts = ended.flatMap(({ receipt }) => (receipt === null ? [] : [receipt]))
  for (const receipt of receipts) {
    for (const sentence of receiptSentences(receipt)) log.info(sentence)
    await context.summarize(receiptMarkdown(receipt))
  }
  const machines = receipts.flatMap(receipt => receipt.machines)
  const left = ended.flatMap(one => one.receipt?.left ?? one.left)
  const ending = receipts.flatMap(receipt => receipt.ending)
  const failed = ended.filter(({ error }) => error !== undefined)
  const cost = sum(receipts.map(receipt => (receipt.costUsd === null ? null : toMicros(receipt.costUsd))))
  context.setOutput('receipt-path', ended.flatMap(({ path }) => (path === null ? [] : [path])).join('\n'))
  context.setOutput(
    'terminated',
    machines.filter(({ state }) => state === 'gone' || state === 'ending' || state === 'unseen').length,
  )
  context.setOutput('remaining', left.length + failed.length)
  context.setOutput('billed-seconds', sum(receipts.map(receipt => receipt.billedSeconds)))
  context.setOutput('cost', cost === null ? null : toUsd(cost))
  if (ending.length > 0) {
    log.warning(`${ending.join(', ')}: still ending. That cannot be undone and is not billed; it was not seen gone.`)
  }
  const [first] = failed
  if (first !== undefined && left.length === 0 && failed.length === 1) throw first.error
  if (left.length + failed.length === 0) return
  throw failure(left, failed, [...receipts.flatMap(problemsOf), ...ended.flatMap(({ problems }) => problems)])
}

function failure(left: readonly Left[], failed: readonly Ended[], problems: readonly string[]): OutsideFault {
  const resources = new Set(['cluster', 'parameter'])
  const isHarmless = failed.length === 0 && left.every(({ kind }) => resources.has(kind))
  const count = left.length + failed.length
  const more = [
    ...left.map(leftLine),
    ...failed.map(({ name, error }) => `- ${name}: ${messageOf(error)}`),
    ...new Set(problems),
  ].join('\n')
  const advice = [
    left.length > 0 ? leftAdvice(left) : 'Run teardown again.',
    ...(left.some(({ kind }) => kind === 'cluster') ? [login] : []),
  ].join('\n')
  return isHarmless
    ? new OutsideFault({
        what: `No machine is left, but ${count} that belonged to one could not be ended\n${more}`,
        advice,
      })
    : new OutsideFault({ what: `${count} could not be ended and can still cost money\n${more}`, advice })
}
