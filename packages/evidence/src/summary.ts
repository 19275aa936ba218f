import { batchWords, clusterRows, deviceWords, doubts, durationWords, instanceType, intervalWords, teardownWords, throughputWords, usdWords } from './facts.ts' // prettier-ignore
import { cell, link, plain, table } from './markdown.ts'
import { worthWords } from './report-worth.ts'
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
  const ratios = worthWords(evidence)
  const rows = table([
    ['ResNet-50', ''],
    ['Instance type', where],
    ['Device', deviceWords(evidence)],
    ['Throughput', throughputWords(result) + interval],
    ...(ratios === undefined ? [] : [['Ratios', ratios]]),
    ['Duration', durationWords(result)],
    ['Epochs', cell(result?.workload.asked.epochs)],
    ['Batch size', batchWords(result)],
    ...clusterRows(evidence).map(([name, value]) => [name[0]?.toUpperCase() + name.slice(1), value]),
    ['Cost', usdWords(receipt?.costUsd)],
    ['Teardown', teardownWords(evidence)],
    ['Evidence', artifact === null ? 'not uploaded' : link(artifact.name, artifact.url)],
  ])
  const notes = [
    ...(result === null || result.validity.valid === true
      ? []
      : doubts(result).map(reason => `${result.validity.valid === null ? 'Not judged' : 'Not valid'}: ${reason}`)),
    ...missing.map(({ name, reason }) => `Missing: ${name} (${reason})`),
  ]
  const state = result === null ? 'no result' : result.validity.valid === false ? 'not valid' : throughputWords(result)
  const list = notes.length === 0 ? '' : `\n\n${notes.map(note => `- ${plain(note)}`).join('\n')}`
  return `## GPU benchmark on ${where}: ${state}\n\n${rows}${list}\n`
}
