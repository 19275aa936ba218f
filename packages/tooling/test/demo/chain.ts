import { describe } from '@jest/globals'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startOfflineCloud } from '@gpu-actions/offline-cloud'
import type { OfflineCloud, OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { unzipSync } from 'fflate'
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

export const nothingLives = { instances: 0, volumes: 0, interfaces: 0, clusters: 0 }

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
