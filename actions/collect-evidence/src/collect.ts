import { join } from 'node:path'
import {
  messageOf,
  OutsideFault,
  runUrl,
  UserFault,
  type Log,
  type RunContext,
  type RunDirectories,
  type Values,
} from '@gpu-actions/action-kit'
import {
  collectEvidence as collectFiles,
  instanceType,
  makeSummary,
  type ArtifactLink,
  type Collected,
  type ExtraFile,
  type Missing,
  type Run,
} from '@gpu-actions/evidence'
import type { collectEvidence } from './action.ts'

export interface Upload {
  readonly name: string
  /** The folder that paths in the archive are relative to. */
  readonly folder: string
  /** Relative to the folder. */
  readonly files: readonly string[]
  readonly retentionDays: number
}

export interface Uploaded {
  readonly id: number
  /** SHA-256 of the archive, hexadecimal. */
  readonly digest: string
}

/** Where evidence outlives the runner. */
export interface ArtifactStore {
  /** @returns `taken` when this run already has an artifact of that name */
  upload(upload: Upload): Promise<Uploaded | 'taken'>
}

/** All that collecting touches. */
export interface CollectPorts {
  readonly run: RunContext
  /** The newest commit of a pull request; null for other events. */
  readonly headSha: string | null
  readonly runDirectories: RunDirectories
  readonly artifacts: ArtifactStore
  readonly log: Log
  readonly clock: { now(): number }
  /** Finds what a `path` entry names. */
  findFiles(pattern: string): Promise<readonly ExtraFile[]>
  setOutput(id: keyof typeof collectEvidence.outputs, value: string | number): void
  summarize(markdown: string): Promise<void>
}

type CollectInputs = Values<typeof collectEvidence.inputs>

/** The lease to collect: the one that was chosen, else the only one of this job. */
async function chooseLease(chosen: string | undefined, directories: RunDirectories): Promise<string> {
  const ids = await directories.list()
  if (chosen !== undefined) {
    if (ids.includes(chosen)) return chosen
    throw new UserFault(`This job has no lease ${chosen}`, ids.map(id => `it has ${id}`)) // prettier-ignore
  }
  const [only, ...others] = ids
  if (only === undefined) {
    throw new UserFault('No lease was found in this job, so there is nothing to collect', [
      'run collect-evidence in the same job as provision and run-resnet-benchmark, after them, with `if: always()`',
      'if the provision step ran, its log says why there is no lease',
    ])
  }
  if (others.length > 0) {
    throw new UserFault(
      'This job has several leases or hosts: choose one with the input lease-id, in a step for each',
      ids,
    )
  }
  return only
}

async function findExtra(patterns: readonly string[], ports: CollectPorts) {
  const extra: ExtraFile[] = []
  const missing: Missing[] = []
  for (const pattern of patterns) {
    const found = await ports.findFiles(pattern)
    extra.push(...found)
    if (found.length > 0) continue
    ports.log.warning(`path: nothing was found for '${pattern}'`)
    missing.push({ name: pattern, reason: 'the input `path` names it, and nothing was found for it' })
  }
  return { extra, missing }
}

function tellMissing({ evidence, files }: Collected, log: Log): void {
  for (const { name, reason } of evidence.missing) {
    const spoiled = files.includes(`records/${name}.json`)
    if (spoiled) log.warning(`The evidence lacks ${name}: ${reason}`)
    else log.info(`The evidence lacks ${name}: ${reason}`)
  }
}

const describeRun = ({ run, headSha, clock }: CollectPorts): Run => ({
  repository: run.repository,
  id: run.runId,
  number: run.runNumber,
  attempt: run.attempt,
  job: run.job,
  workflow: run.workflow,
  event: run.event,
  actor: run.actor,
  sha: run.sha,
  headSha,
  ref: run.ref,
  url: runUrl(run),
  collectedAt: new Date(clock.now()).toISOString(),
})

const artifactUrl = ({ serverUrl, repository, runId }: RunContext, id: number): string =>
  `${serverUrl}/${repository}/actions/runs/${runId}/artifacts/${id}`

/** The name with its placeholders filled in. */
const artifactName = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{([^}]*)\}/g, (found, word: string) => values[word] ?? found)

/** Uploads under the name, or, when that is taken, with the end of the lease id behind it. */
async function upload(leaseId: string, wanted: Upload, { artifacts, log }: CollectPorts) {
  const names = [wanted.name, `${wanted.name}-${leaseId.slice(-8)}`]
  for (const name of names) {
    const uploaded = await artifacts.upload({ ...wanted, name })
    if (uploaded !== 'taken') return { ...uploaded, name }
    log.info(`This run already has an artifact ${name}.`)
  }
  throw new UserFault(`This run already has artifacts ${names.join(' and ')}`, ['name: choose another one'])
}

/**
 * Collects the evidence of one lease, uploads it and writes the summary. The evidence stays on the runner's disk
 * whatever becomes of the upload.
 */
export async function collect(inputs: CollectInputs, ports: CollectPorts): Promise<void> {
  const { run, log } = ports
  const leaseId = await chooseLease(inputs.leaseId, ports.runDirectories)
  const directory = ports.runDirectories.open(leaseId).path
  const target = join(directory, 'evidence')
  const collected = await collectFiles({
    directory,
    target,
    run: describeRun(ports),
    ...(await findExtra(inputs.path ?? [], ports)),
  })
  ports.setOutput('evidence-path', target)
  log.info(`The evidence of lease ${leaseId}, ${collected.files.length} files, lies in ${target}`)
  tellMissing(collected, log)
  if (!inputs.upload) return ports.summarize(makeSummary(collected.evidence, null))

  const name = artifactName(inputs.name, {
    'instance-type': instanceType(collected.evidence) ?? (leaseId.startsWith('host-') ? leaseId : 'unknown'),
    run_number: run.runNumber,
    'lease-id': leaseId,
  })
  let artifact: ArtifactLink | null = null
  try {
    const wanted = { name, folder: target, files: collected.files, retentionDays: inputs.retentionDays }
    const uploaded = await upload(leaseId, wanted, ports)
    artifact = {
      name: uploaded.name,
      url: artifactUrl(run, uploaded.id),
    }
    ports.setOutput('artifact-name', artifact.name)
    ports.setOutput('artifact-id', uploaded.id)
    ports.setOutput('artifact-url', artifact.url)
    ports.setOutput('digest', uploaded.digest)
    log.info(`Uploaded as ${artifact.name}: ${artifact.url}`)
  } catch (error) {
    if (error instanceof UserFault) throw error
    throw new OutsideFault({
      what: `Uploading the evidence as ${name} failed: ${messageOf(error)}`,
      advice: `The evidence is complete and lies in ${target} on the runner. Look at https://www.githubstatus.com and run the job again, or upload that folder with actions/upload-artifact in a step with \`if: always()\`.`,
      cause: error instanceof Error ? error.cause : undefined,
    })
  } finally {
    await ports.summarize(makeSummary(collected.evidence, artifact))
  }
}
