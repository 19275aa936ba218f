import type { Result } from '@gpu-actions/benchmark'
import { describeOutcome, type Attempts, type EndedMachine } from '@gpu-actions/lease'
import {
  batchWords,
  blockFigures,
  clusterRows,
  deviceWords,
  doubts,
  durationWords,
  instanceType,
  intervalWords,
  priceOf,
  priceWords,
  secondsWords,
  teardownWords,
  throughputWords,
  usdWords,
  verdictWords,
} from './facts.ts'
import { cell, fenced, figure, limited, link, mostRows, plain, table } from './markdown.ts'
import { besideRows, preflightPart, scalingPart, telemetryPart } from './report-host.ts'
import { worth } from './report-worth.ts'
import type { Evidence } from './schema.ts'

const bullets = (lines: readonly string[]): string => lines.map(line => `- ${line}`).join('\n')

function headline(evidence: Evidence): string {
  const { result } = evidence
  const where = cell(instanceType(evidence) ?? result?.host)
  if (result === null) return `# ResNet-50 on ${where}: no result`
  return `# ResNet-50 on ${where}: ${throughputWords(result)}`
}

function verdictLine({ result, lease }: Evidence): string {
  if (result === null) return 'The benchmark left no result.'
  const state = result.validity.valid === false ? '**not valid**' : verdictWords(result)
  const what = `${throughputWords(result)} (${intervalWords(result)})`
  const line = `**${what}**, ${result.workload.asked.mode}, on **${deviceWords({ result, lease })}**: ${state}.`
  const reasons = doubts(result)
  return reasons.length === 0 ? line : `${line}\n\n${bullets(reasons.map(plain))}`
}

function overview(evidence: Evidence): string {
  const { lease, receipt, run } = evidence
  const machine = lease?.machines.at(-1)
  return table([
    ['what', 'value'],
    ['run', `${link(`${run.repository} run ${run.number}, attempt ${run.attempt}`, run.url)}, job ${cell(run.job)}`],
    ['commit', cell(run.headSha ?? run.sha)],
    ['lease', cell(lease?.id)],
    ['machine', [instanceType(evidence), machine?.id, machine?.zone ?? machine?.place.region].map(cell).join(', ')],
    ['image', [lease?.image?.id, lease?.image?.name].map(cell).join(', ')],
    ...clusterRows(evidence).map(([name, value]) => [name, value]),
    ['price', priceWords(priceOf(lease, receipt))],
    ['billed', secondsWords(receipt?.billedSeconds)],
    ['cost', usdWords(receipt?.costUsd)],
    ['teardown', teardownWords(evidence)],
    ['collected', cell(run.collectedAt)],
  ])
}

function benchmark(result: Result): string {
  const { asked, actual, name, version } = result.workload
  const { metrics } = result
  const rows = table([
    ['what', 'value'],
    ['status', cell(result.status)],
    ['workload', `${plain(name)}, version ${cell(version)}`],
    ['throughput', throughputWords(result)],
    ['step', metrics.latencyMs === null ? cell(null) : `${figure(metrics.latencyMs)} ms (median)`],
    [result.job === null ? 'duration of the timed part' : 'duration', durationWords(result)],
    ['epochs', asked.stepsPerEpoch === null ? `${asked.epochs}` : `${asked.epochs} of ${asked.stepsPerEpoch} steps`],
    ['batch size', batchWords(result)],
    ['image size', asked.imageSize === null ? cell(null) : `${asked.imageSize} px`],
    ['precision', asked.precision === null ? cell(null) : `${cell(actual?.precision)} (asked for ${asked.precision})`],
    ['memory format', cell(actual?.memoryFormat)],
    ['peak memory', metrics.peakMemoryBytes === null ? cell(null) : `${figure(metrics.peakMemoryBytes / 2 ** 30, 3)} GiB`],
    ['warm-up', `${cell(result.warmup?.stepMs.length)} steps, ${secondsWords(result.warmup?.seconds)}`],
    ['set-up before the program', secondsWords(result.setupSeconds)],
    ...besideRows(result),
    ['seed', cell(actual?.seed)],
  ])
  return `## Benchmark\n\n${rows}`
}

/** Fastest, median and slowest step of a block, in milliseconds. */
function spread(stepMs: readonly number[]): readonly string[] {
  const sorted = [...stepMs].sort((a, b) => a - b)
  const [low = Number.NaN, high = low] = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return [sorted[0], (low + high) / 2, sorted.at(-1)].map(ms => figure(ms))
}

function blocks(result: Result): string {
  const figures = blockFigures(result)
  if (figures.length === 0) return ''
  const shown = limited(
    result.blocks.map((block, index) => [
      String(index + 1),
      String(block.stepMs.length),
      figure(figures[index]),
      ...spread(block.stepMs),
      `${figure(block.lossFirst)} → ${figure(block.lossLast)}`,
    ]),
  )
  const header = ['block', 'steps', 'images/s', 'fastest step, ms', 'median step, ms', 'slowest step, ms', 'loss']
  const rest = figures.length > mostRows ? `\n\n${figures.length - mostRows} more blocks are in \`evidence.json\`.` : ''
  return `## Blocks\n\n${sparkline(figures)}\n\n${table([header, ...shown])}${rest}\n\n![step times](throughput.svg)`
}

/** Numbers only: no text of a record gets into the picture. */
function sparkline(figures: readonly number[]): string {
  const shown = figures.slice(0, mostRows)
  const top = Math.max(...shown) * 1.1
  return [
    '```mermaid',
    'xychart-beta',
    '    title "Images per second, block by block"',
    `    x-axis "block" [${shown.map((_, index) => index + 1).join(', ')}]`,
    `    y-axis "images/s" 0 --> ${figure(top)}`,
    `    bar [${shown.map(value => figure(value)).join(', ')}]`,
    '```',
  ].join('\n')
}

/** Rows of all leaves of a record, under their path. */
function leaves(value: unknown, path: string): string[][] {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`))
  }
  const known = value === null || typeof value === 'string' || typeof value === 'number'
  return [[plain(path), known ? cell(value) : plain(JSON.stringify(value) ?? '')]]
}

function environment(record: Evidence['environment']): string {
  if (record === null) return ''
  return `## Environment\n\n${table([['what', 'value'], ...limited(leaves(record, ''))])}`
}

function attemptTable(record: Attempts | null): string {
  if (record === null || record.attempts.length === 0) return ''
  const rows = limited(
    record.attempts.map(({ number, offer, at, outcome }) => [
      String(number),
      cell(offer.instanceType),
      cell(offer.zone ?? offer.place.region),
      cell(offer.market),
      cell(at),
      outcome === null ? 'nobody knows: its caller ended before the answer came' : plain(describeOutcome(outcome)),
    ]),
  )
  return `## Launch attempts\n\n${table([['attempt', 'type', 'place', 'market', 'at', 'outcome'], ...rows])}`
}

function teardown(evidence: Evidence): string {
  const { receipt } = evidence
  if (receipt === null) return ''
  const rows = limited(
    receipt.machines.map(machine => [
      cell(machine.id),
      cell(machine.state),
      cell(machine.launchedAt),
      cell(machine.endOfBilling),
      cell(machine.goneAt),
      secondsWords(machine.billedSeconds),
      usdWords(machine.costUsd),
      secondsWords(machine.wasteSeconds),
      secondsWords(machine.idleSeconds),
    ]),
  )
  const header = ['machine', 'last seen', 'launched', 'end of billing', 'seen gone', 'billed', 'cost', 'before use', 'after use']
  const resources = limited(
    receipt.resources.map(one => [
      cell(one.kind),
      cell(one.name ?? one.id),
      cell(one.place),
      cell(one.goneAt),
      cell(one.problem),
    ]),
  )
  const resourceTable =
    resources.length === 0 ? [] : [table([['resource', 'name', 'at', 'seen gone', 'problem'], ...resources])]
  const left = receipt.left.map(
    one => `### Left: ${plain(one.kind)} ${plain(one.name ?? one.id)}, ${plain(one.state)}\n\n${link('Console', one.consoleLink)}\n\n${fenced(one.byHand)}`, // prettier-ignore
  )
  const costs = receipt.machines.flatMap(costNotes)
  const notes = costs.length === 0 ? [] : [bullets(costs)]
  const problems = receipt.problems.length === 0 ? [] : [bullets(receipt.problems.map(plain))]
  return ['## Teardown', `${teardownWords(evidence)}.`, table([header, ...rows]), ...notes, ...resourceTable, ...left, ...problems].join('\n\n')
}

/** What a figure for the cost needs beside it: why there is none, and what it holds beside the machine itself. */
function costNotes({ id, freeOfCharge, noCost, extras }: EndedMachine): readonly string[] {
  const beside = (extras ?? []).map(({ what, usdPerHour }) => `${plain(what)} ${usdWords(usdPerHour)} an hour`)
  return [
    ...(freeOfCharge === null ? [] : [`${plain(id)} itself cost nothing: ${plain(freeOfCharge)}`]),
    ...(noCost === undefined ? [] : [`${plain(id)} has no known cost: ${plain(noCost)}`]),
    ...(beside.length === 0 ? [] : [`${plain(id)}, in its cost: ${beside.join(', ')}`]),
  ]
}

function missingPart({ missing }: Evidence): string {
  if (missing.length === 0) return ''
  return `## Missing\n\n${bullets(missing.map(({ name, reason }) => `${plain(name)}: ${plain(reason)}`))}`
}

/** `report.md`: the evidence for a person, readable in a minute. Whatever came from a record is text in it. */
export function makeReport(evidence: Evidence): string {
  const { result } = evidence
  const parts = [
    headline(evidence),
    verdictLine(evidence),
    overview(evidence),
    missingPart(evidence),
    teardown(evidence),
    result === null ? '' : benchmark(result),
    result === null ? '' : blocks(result),
    worth(evidence),
    result === null ? '' : scalingPart(result),
    preflightPart(result?.preflight ?? null),
    telemetryPart(result?.telemetry ?? null),
    environment(evidence.environment),
    attemptTable(evidence.attempts),
    '`evidence.json` holds all records with the raw step times, `manifest.json` the SHA-256 of every file.',
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}
