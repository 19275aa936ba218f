import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { CloudState } from '@gpu-actions/offline-cloud'
import { runWorkflow } from '@gpu-actions/workflow-runner'
import type { WorkflowOptions, WorkflowResult } from '@gpu-actions/workflow-runner'
import type { Arguments } from './arguments.ts'
import type { Archive } from './unpack.ts'
import { requireOwnFolder, unpackEvidence } from './unpack.ts'
import { describeLiving, fetchArtifact, isAnythingAlive, openCloud, viewCloud } from './cloud.ts'
import { CommandFault } from './command.ts'
import { layOutConsumer, mapRepositories } from './consumer.ts'
import { demoOf } from './demos.ts'

export interface SessionOptions extends Omit<Arguments, 'help' | 'file'> {
  /** A workflow of `workflows-examples`, of a consumer's `.github/workflows`, or any other. */
  readonly file: string
  readonly log: (line: string) => void
}

export interface SessionEnd {
  readonly result: WorkflowResult
  readonly view: CloudState
  /** Files below `options.evidence`, relative to it. */
  readonly evidence: readonly string[]
}

/** Where the workflow file stands as a consumer has it; the examples are laid out as one first. */
async function consumerOf(file: string, folder: string): Promise<{ file: string; workflows: string }> {
  const absolute = path.resolve(file)
  const own = path.dirname(absolute)
  if (own.endsWith(path.join('.github', 'workflows'))) return { file: absolute, workflows: own }
  const { workflows } = await layOutConsumer(path.join(folder, 'consumer'), 'runner', own)
  return { file: path.join(workflows, path.basename(absolute)), workflows }
}

/** Ctrl-C cancels the run as the button on GitHub does; a second one is the loss of the machine. */
function listenForInterrupts(log: (line: string) => void) {
  const cancel = new AbortController()
  const lost = new AbortController()
  const listener = () => {
    if (cancel.signal.aborted) return lost.abort()
    log('Interrupted: cancelling the run as GitHub does. Again: everything dies at once.')
    cancel.abort()
  }
  process.on('SIGINT', listener)
  process.on('SIGTERM', listener)
  return {
    signal: cancel.signal,
    lost: lost.signal,
    stop() {
      process.off('SIGINT', listener)
      process.off('SIGTERM', listener)
    },
  }
}

/** Runs one workflow against a cloud on this machine, brings home what it uploaded, and looks at what still lives. */
export async function runSession(options: SessionOptions): Promise<SessionEnd> {
  // Before anything runs: to learn after minutes that the evidence has no place would be too late.
  if (!existsSync(options.file)) throw new CommandFault(`there is no workflow file ${options.file}`)
  if (options.evidence !== null) await requireOwnFolder(options.evidence)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gpu-actions-'))
  const interrupts = listenForInterrupts(options.log)
  try {
    const consumer = await consumerOf(options.file, folder)
    const cloud = await openCloud(options.scenario ?? undefined)
    try {
      const demo = demoOf(options.file, new URL('/cluster-api', cloud.url).href)
      const given: WorkflowOptions = {
        file: consumer.file,
        inputs: { ...demo.inputs, ...options.inputs },
        secrets: { ...demo.secrets, ...options.secrets },
        vars: { ...demo.vars, ...options.vars },
        repositories: await mapRepositories(consumer.workflows),
        env: cloud.env,
        directory: path.join(folder, 'runner'),
        log: options.log,
        color: process.stdout.isTTY,
        timeScale: options.timeScale,
        signal: interrupts.signal,
        lost: interrupts.lost,
        ...(options.event === null ? {} : { event: options.event }),
        ...(options.cancelAfterMs === null ? {} : { cancelAfterMs: options.cancelAfterMs }),
      }
      const result = await runWorkflow(given)
      const view = await viewCloud(cloud.url)
      const evidence = options.evidence === null ? [] : await bringHome(cloud.url, view, options.evidence)
      return { result, view, evidence }
    } finally {
      await cloud.stop()
    }
  } finally {
    interrupts.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function bringHome(url: string, view: CloudState, folder: string): Promise<readonly string[]> {
  const archives: Archive[] = []
  for (const { name, finalized } of view.artifacts) {
    if (finalized) archives.push({ name, zip: await fetchArtifact(url, name) })
  }
  return archives.length === 0 ? [] : unpackEvidence(folder, archives)
}

/** 0 only for a run that succeeded and left nothing alive. */
export const exitCodeOf = ({ result, view }: SessionEnd) =>
  result.conclusion === 'success' && !isAnythingAlive(view) ? 0 : 1

export const livingLine = (view: CloudState) => `still alive in the cloud: ${describeLiving(view)}`

/** A path as one would type it from here. */
export const shown = (file: string) => {
  const relative = path.relative(process.cwd(), file)
  return relative.startsWith('..') ? file : relative === '' ? '.' : relative
}
