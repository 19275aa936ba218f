import { readFile } from 'node:fs/promises'
import path from 'node:path'

/** What a person wants to know of one evidence.json at once. */
export interface Brief {
  readonly instanceType: string
  readonly throughput: string
  readonly device: string
  readonly cost: string
  readonly remaining: string
}

type Json = Readonly<Record<string, unknown>>

const mapAt = (value: unknown, key: string): Json => {
  const inner = isMap(value) ? value[key] : undefined
  return isMap(inner) ? inner : {}
}

const isMap = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value)

const figure = (value: unknown, digits: number) => (typeof value === 'number' ? value.toFixed(digits) : 'unknown')

/** Reads the figures of an evidence.json; what is missing is called unknown, never 0. */
export function readBrief(evidence: unknown): Brief {
  const metrics = mapAt(mapAt(evidence, 'result'), 'metrics')
  const device = mapAt(evidence, 'result')['device']
  const receipt = mapAt(evidence, 'receipt')
  const offer = mapAt(mapAt(evidence, 'lease'), 'offer')
  const { throughputLow: low, throughputHigh: high } = metrics
  const interval =
    typeof low === 'number' && typeof high === 'number'
      ? ` (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`
      : ''
  return {
    instanceType: typeof offer['instanceType'] === 'string' ? offer['instanceType'] : 'unknown',
    throughput: `${figure(metrics['throughput'], 2)} images/s${interval}`,
    device: typeof device === 'string' ? device : 'unknown',
    cost: `${figure(receipt['costUsd'], 6)} USD`,
    remaining: typeof receipt['remaining'] === 'number' ? String(receipt['remaining']) : 'unknown',
  }
}

/** The briefs of all evidence below a folder, in the order of the files. */
export async function readBriefs(folder: string, files: readonly string[]): Promise<readonly Brief[]> {
  const found = files.filter(file => path.basename(file) === 'evidence.json')
  return Promise.all(found.map(async file => readBrief(JSON.parse(await readFile(path.join(folder, file), 'utf8')))))
}

export const briefLines = (brief: Brief): readonly string[] => [
  `throughput  ${brief.throughput} on ${brief.instanceType}, device: ${brief.device}`,
  `cost        ${brief.cost}`,
  `receipt     ${brief.remaining} remaining`,
]
