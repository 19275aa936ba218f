import { batchWords, deviceWords, doubts, instanceType, intervalWords, secondsWords, teardownWords, throughputWords, usdWords } from './facts.ts' // prettier-ignore
import { cell, link, plain, table } from './markdown.ts'
import type { Evidence } from './schema.ts'

/** The uploaded evidence. */
export interface ArtifactLink {
  readonly name: string
  readonly url: string
}

/** Markdown for the run's page: the figures that one looks for first. */
export function makeSummary(evidence: Evidence, artifact: ArtifactLink | null): string {
  const { result, receipt, missing } = evidence
  const where = cell(instanceType(evidence) ?? result?.host)
  const interval = result?.metrics.throughput == null ? '' : ` (${intervalWords(result)})`
  const rows = table([
    ['ResNet-50', ''],
    ['Instance type', where],
    ['Device', deviceWords(result)],
    ['Throughput', throughputWords(result) + interval],
    ['Duration', secondsWords(result?.metrics.durationSeconds)],
    ['Epochs', cell(result?.workload.asked.epochs)],
    ['Batch size', batchWords(result)],
    ['Cost', usdWords(receipt?.costUsd)],
    ['Teardown', teardownWords(evidence)],
    ['Evidence', artifact === null ? 'not uploaded' : link(artifact.name, artifact.url)],
  ])
  const notes = [
    ...(result !== null && !result.validity.valid ? doubts(result).map(reason => `Not valid: ${reason}`) : []),
    ...missing.map(({ name, reason }) => `Missing: ${name} (${reason})`),
  ]
  const state = result === null ? 'no result' : result.validity.valid ? throughputWords(result) : 'not valid'
  const list = notes.length === 0 ? '' : `\n\n${notes.map(note => `- ${plain(note)}`).join('\n')}`
  return `## GPU benchmark on ${where}: ${state}\n\n${rows}${list}\n`
}
