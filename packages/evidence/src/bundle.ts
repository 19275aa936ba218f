import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gather } from './gather.ts'
import { filesOf, writeManifest } from './manifest.ts'
import { makePicture } from './picture.ts'
import { makeReport } from './report.ts'
import type { Evidence, Missing, Run } from './schema.ts'
import { worthOf } from './worth.ts'

export const evidenceFile = 'evidence.json'
export const reportFile = 'report.md'
export const pictureFile = 'throughput.svg'

/** A file that the user wants in the evidence. */
export interface ExtraFile {
  /** Where it lies. */
  readonly source: string
  /** Its path below `extra/`, with `/`. */
  readonly path: string
}

export interface Collecting {
  /** The run directory. */
  readonly directory: string
  /** The folder of the evidence; what was in it is replaced. */
  readonly target: string
  readonly run: Run
  readonly extra: readonly ExtraFile[]
  /** What is already known to be missing: paths that nothing was found for. */
  readonly missing: readonly Missing[]
}

export interface Collected {
  readonly evidence: Evidence
  /** Everything in the folder, relative to it, the manifest included. */
  readonly files: readonly string[]
}

async function carry(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  await copyFile(source, target)
}

const unknownHost = (result: Evidence['result']): string =>
  result?.job == null
    ? 'no result tells what the host was'
    : 'the API of a cluster tells nothing of the host that its job ran on'

/** Characters that an archive for every file system cannot hold. */
const portable = (path: string): string => path.replace(/["<>|*?\\:\p{Cc}]/gu, '_')

/**
 * Puts the evidence of one lease into a folder: `evidence.json`, `report.md`, `throughput.svg`, the records as they
 * were written below `records/`, `logs/`, extra files below `extra/`, and `manifest.json` last.
 */
export async function collectEvidence({ directory, target, run, extra, missing }: Collecting): Promise<Collected> {
  const found = await gather(directory)
  const environment = found.result?.environment ?? null
  const evidence: Evidence = {
    schema: 'gpu-actions/evidence@1',
    run,
    lease: found.lease,
    attempts: found.attempts,
    agent: found.agent,
    environment,
    result: found.result,
    ...worthOf(found),
    verdict: null,
    receipt: found.receipt,
    missing: [
      ...found.missing,
      ...(environment === null ? [{ name: 'environment', reason: unknownHost(found.result) }] : []),
      ...missing,
    ],
  }
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  for (const file of found.files) {
    await carry(join(directory, file), join(target, portable(file.startsWith('logs/') ? file : `records/${file}`)))
  }
  for (const { source, path } of extra) await carry(source, join(target, 'extra', portable(path)))
  await writeFile(join(target, evidenceFile), `${JSON.stringify(evidence, null, 2)}\n`)
  await writeFile(join(target, reportFile), makeReport(evidence))
  const picture = evidence.result === null ? undefined : makePicture(evidence.result)
  if (picture !== undefined) await writeFile(join(target, pictureFile), picture)
  await writeManifest(target)
  return { evidence, files: await filesOf(target) }
}
