import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { evidenceFile, instanceType, parseEvidence, type Evidence } from '@gpu-actions/evidence'

const figure = (value: number | null | undefined, digits: number): string => value?.toFixed(digits) ?? 'unknown'

/** What a person wants to know of one evidence at once. What is missing is called unknown, never 0. */
export function briefLines(evidence: Pick<Evidence, 'lease' | 'attempts' | 'result' | 'receipt'>): readonly string[] {
  const { result, receipt } = evidence
  const { throughput, throughputLow: low, throughputHigh: high } = result?.metrics ?? {}
  const interval = low == null || high == null ? '' : ` (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`
  const place = `on ${instanceType(evidence) ?? 'an unknown type'}, device: ${result?.device ?? 'unknown'}`
  return [
    `throughput  ${figure(throughput, 2)} images/s${interval} ${place}`,
    `cost        ${figure(receipt?.costUsd, 6)} USD`,
    `receipt     ${receipt?.remaining ?? 'unknown'} remaining`,
  ]
}

/** All evidence among the files of a folder, in the order of the files. */
export async function readEvidence(folder: string, files: readonly string[]): Promise<readonly Evidence[]> {
  const found = files.filter(file => path.basename(file) === evidenceFile)
  return Promise.all(
    found.map(async file => parseEvidence(JSON.parse(await readFile(path.join(folder, file), 'utf8')))),
  )
}
