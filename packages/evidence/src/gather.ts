import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@gpu-actions/action-kit/ports'
import { attemptsSchema, leaseSchema, receiptSchema, type Attempts, type Lease, type Receipt } from '@gpu-actions/lease'
import { resultSchema, type Result } from '@gpu-actions/benchmark'
import { agentSchema, type AgentRecord } from '@gpu-actions/cluster-api'
import * as v from 'valibot'
import type { Missing } from './schema.ts'

/** What a run directory holds. */
export interface Gathered {
  readonly lease: Lease | null
  readonly attempts: Attempts | null
  readonly agent: AgentRecord | null
  readonly result: Result | null
  readonly receipt: Receipt | null
  readonly missing: readonly Missing[]
  /** The records and logs themselves, relative to the run directory: valid or not, known or not. */
  readonly files: readonly string[]
}

/** Which step would have written a record: the reason to give when it is not there. */
const absent = {
  lease: 'there is no lease.json: no machine was leased',
  attempts: 'there is no attempts.json: no launch was tried',
  result: 'there is no result.json: the benchmark did not end with a result',
  receipt: 'there is no receipt.json: no teardown has ended yet, or there was nothing to end',
  agent: 'there is no agent.json: the cluster of the job was not registered by deploy-agent in this job',
}

type Kind = keyof typeof absent

/** The first three faults of a record, each with the place in the record. */
function faultsOf(issues: readonly v.BaseIssue<unknown>[]): string {
  const shown = issues.slice(0, 3).map(issue => `${v.getDotPath(issue) ?? 'the record'}: ${issue.message}`)
  const more = issues.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

async function read<S extends v.GenericSchema>(
  directory: string,
  name: Kind,
  schema: S,
  missing: Missing[],
): Promise<v.InferOutput<S> | null> {
  const give = (reason: string): null => {
    missing.push({ name, reason })
    return null
  }
  const file = join(directory, `${name}.json`)
  const stat = await lstat(file).catch(() => undefined)
  if (stat === undefined) return give(absent[name])
  if (!stat.isFile()) return give(`${name}.json is no file`)
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    return give(`${name}.json cannot be read: ${messageOf(error)}`)
  }
  const parsed = v.safeParse(schema, value)
  return parsed.success ? parsed.output : give(`${name}.json is not valid: ${faultsOf(parsed.issues)}`)
}

/** Records lie at the top, logs below `logs/`. Links are not followed, half-written files are left out. */
async function carried(directory: string): Promise<readonly string[]> {
  const top = await readdir(directory, { withFileTypes: true })
  const logs = await readdir(join(directory, 'logs'), { withFileTypes: true }).catch(() => [])
  const names = (entries: typeof top, prefix: string): string[] =>
    entries.filter(entry => entry.isFile() && !entry.name.endsWith('.part')).map(entry => prefix + entry.name)
  return [...names(top, ''), ...names(logs, 'logs/')].sort()
}

/**
 * Reads a run directory: takes what is there and names what is not, or is no valid record.
 * @param directory the run directory; one that does not exist holds nothing
 */
export async function gather(directory: string): Promise<Gathered> {
  const missing: Missing[] = []
  const lease = await read(directory, 'lease', leaseSchema, missing)
  const attempts = await read(directory, 'attempts', attemptsSchema, missing)
  const result = await read(directory, 'result', resultSchema, missing)
  const receipt = await read(directory, 'receipt', receiptSchema, missing)
  // Nobody misses it where no job of a cluster ran; one that is there and wrong is named in any case.
  const agents: Missing[] = []
  const agent = await read(directory, 'agent', agentSchema, agents)
  missing.push(...agents.filter(({ reason }) => reason !== absent.agent || (result?.job ?? null) !== null))
  const exists = (await lstat(directory).catch(() => undefined))?.isDirectory() === true
  return { lease, attempts, agent, result, receipt, missing, files: exists ? await carried(directory) : [] }
}
