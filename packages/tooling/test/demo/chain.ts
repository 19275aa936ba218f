import { describe } from '@jest/globals'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOfflineCloud } from '@gpu-actions/offline-cloud'
import type { OfflineCloud, OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { runWorkflow } from '@gpu-actions/workflow-runner'
import type { StepProcess, WorkflowOptions, WorkflowResult } from '@gpu-actions/workflow-runner'
import { unzipSync } from 'fflate'
import { stepEnvironment } from '../../src/demo/cloud.ts'
import { layOutConsumer, mapRepositories } from '../../src/demo/consumer.ts'
import { anyDemo } from '../../src/demo/demos.ts'
import { root } from '../../src/repository.ts'

export const releaseTree = path.join(root, 'build', 'release-tree')

/** Runs where these variables are set; elsewhere a skip, in CI a failure. */
export const needing = (...variables: readonly string[]) =>
  variables.every(name => process.env[name]) || process.env['CI'] === 'true' ? describe : describe.skip

/** The smallest benchmark that still has 5 blocks. */
export const smallBenchmark = { allow_cpu: 'true', image_size: '32', batch_size: '2', steps_per_epoch: '5' }

export interface Bench {
  readonly cloud: OfflineCloud
  readonly folder: string
  readonly close: () => Promise<void>
}

/** A cloud of its own and a folder, for one test. */
export async function openBench(options: OfflineCloudOptions = {}): Promise<Bench> {
  if (!existsSync(releaseTree)) throw new Error('build/release-tree/ is missing: npm run release:tree lays it')
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gpu-actions-chain-'))
  const cloud = await startOfflineCloud(options)
  const close = async () => {
    await cloud.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { cloud, folder, close }
}

export const nothingLives = { instances: 0, volumes: 0, interfaces: 0, clusters: 0, spotRequests: 0, parameters: 0 }

/** A cloud, a consumer with the examples, and the runner between them. */
export interface Chain extends Bench {
  /** The consumer's `.github/workflows`. */
  readonly workflows: string
  /** What the runs printed. */
  readonly log: readonly string[]
  readonly run: (file: string, options?: Partial<WorkflowOptions>) => Promise<WorkflowResult>
  /** SIGKILLs the process of a step's main. */
  readonly kill: (step: string) => void
  /** Resolves as soon as it holds; rejects with the log after two minutes. */
  readonly until: (what: string, holds: () => boolean) => Promise<void>
  /** Resolves as soon as the cloud has received a call. */
  readonly called: (operation: string) => Promise<void>
}

export async function openChain(options: OfflineCloudOptions = {}): Promise<Chain> {
  const bench = await openBench(options)
  const { cloud, folder } = bench
  const { workflows } = await layOutConsumer(path.join(folder, 'consumer'), 'runner')
  const log: string[] = []
  const processes: StepProcess[] = []
  const until: Chain['until'] = async (what, holds) => {
    const deadline = Date.now() + 120_000
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`${what} did not happen:\n${log.join('\n')}`)
      await sleep(5)
    }
  }
  return {
    ...bench,
    workflows,
    log,
    until,
    called: operation => until(operation, () => (cloud.state().calls[operation] ?? 0) > 0),
    kill(step) {
      const found = processes.find(each => each.step === step && each.phase === 'main')
      if (found === undefined) throw new Error(`the step ${step} has no process`)
      process.kill(found.pid, 'SIGKILL')
    },
    run: async (file, given = {}) =>
      runWorkflow({
        file: path.join(workflows, file),
        inputs: smallBenchmark,
        secrets: anyDemo.secrets,
        vars: anyDemo.vars,
        repositories: await mapRepositories(workflows),
        env: stepEnvironment(cloud.env),
        directory: path.join(folder, 'runner'),
        log: line => log.push(line),
        ...given,
        onProcess: started => {
          processes.push(started)
          given.onProcess?.(started)
        },
      }),
  }
}

/** The steps of all jobs by name, with how they ended. */
export const stepsOf = (result: WorkflowResult): Readonly<Record<string, string>> =>
  Object.fromEntries(result.jobs.flatMap(job => job.steps.map(step => [step.name, step.conclusion] as const)))

export interface UnpackedEvidence {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  readonly evidence: {
    readonly missing: readonly { readonly name: string }[]
    readonly result: { readonly device: string | null } | null
    readonly receipt: { readonly remaining: number } | null
  }
}

/** Every artifact that was uploaded, as text. */
export async function evidenceOf(cloud: OfflineCloud): Promise<readonly UnpackedEvidence[]> {
  const { artifacts } = cloud.state()
  return Promise.all(
    artifacts.map(async ({ name, path: file }) => {
      const entries = Object.entries(unzipSync(new Uint8Array(await readFile(file))))
      const files = Object.fromEntries(entries.map(([entry, bytes]) => [entry, Buffer.from(bytes).toString('utf8')]))
      return { name, files, evidence: JSON.parse(files['evidence.json'] ?? 'null') as UnpackedEvidence['evidence'] }
    }),
  )
}

/** Texts of all files below a folder, by their path. */
export async function textsBelow(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  const texts = await Promise.all(files.map(async file => [file, await readFile(file, 'utf8')] as const))
  return Object.fromEntries(texts)
}
