import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { appendFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** An artifact of a workflow run. `size` in bytes and `hash` (`sha256:…`) are known once it is finalized. */
export interface Artifact {
  readonly id: number
  readonly run: string
  readonly job: string
  readonly name: string
  readonly mimeType: string
  readonly createdAt: number
  /** The secret part of its signed URLs. */
  readonly signature: string
  /** The file that holds its content. */
  readonly path: string
  size: number
  hash: string | null
  isFinalized: boolean
}

/** Artifacts and their bytes, in a folder of their own. */
export interface ArtifactStore {
  create(artifact: Pick<Artifact, 'run' | 'job' | 'name' | 'mimeType' | 'createdAt'>): Artifact
  byName(run: string, name: string): Artifact | undefined
  byId(id: number): Artifact | undefined
  list(): readonly Artifact[]
  /** Forgets an artifact and deletes its bytes. */
  remove(artifact: Artifact): Promise<void>
  /** Keeps a block until it is named in a block list. */
  putBlock(artifact: Artifact, blockId: string, bytes: Uint8Array): Promise<void>
  /** Puts the content together from blocks; false when one of them was never sent. */
  putBlockList(artifact: Artifact, blockIds: readonly string[]): Promise<boolean>
  putContent(artifact: Artifact, bytes: Uint8Array): Promise<void>
  digest(artifact: Artifact): Promise<{ readonly hash: string; readonly size: number } | null>
}

const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === code

export function createArtifactStore(directory: string): ArtifactStore {
  const artifacts = new Map<number, Artifact>()
  let count = 0
  const blockFile = (artifact: Artifact, blockId: string): string =>
    join(directory, `${artifact.id}.blocks`, createHash('sha256').update(blockId).digest('hex'))

  return {
    create(given) {
      count += 1
      const id = 7_000_000_000 + count
      const artifact: Artifact = {
        ...given,
        id,
        signature: randomBytes(24).toString('base64url'),
        path: join(directory, `${id}.zip`),
        size: 0,
        hash: null,
        isFinalized: false,
      }
      artifacts.set(id, artifact)
      return artifact
    },
    byName: (run, name) => [...artifacts.values()].find(artifact => artifact.run === run && artifact.name === name),
    byId: id => artifacts.get(id),
    list: () => [...artifacts.values()],
    async remove(artifact) {
      artifacts.delete(artifact.id)
      await rm(artifact.path, { force: true })
      await rm(join(directory, `${artifact.id}.blocks`), { recursive: true, force: true })
    },
    async putBlock(artifact, blockId, bytes) {
      await mkdir(join(directory, `${artifact.id}.blocks`), { recursive: true })
      await writeFile(blockFile(artifact, blockId), bytes)
    },
    async putBlockList(artifact, blockIds) {
      await mkdir(directory, { recursive: true })
      await writeFile(artifact.path, '')
      for (const blockId of blockIds) {
        try {
          await appendFile(artifact.path, await readFile(blockFile(artifact, blockId)))
        } catch (cause) {
          if (hasCode(cause, 'ENOENT')) return false
          throw cause
        }
      }
      await rm(join(directory, `${artifact.id}.blocks`), { recursive: true, force: true })
      return true
    },
    async putContent(artifact, bytes) {
      await mkdir(directory, { recursive: true })
      await writeFile(artifact.path, bytes)
    },
    async digest(artifact) {
      try {
        const hash = createHash('sha256')
        await pipeline(createReadStream(artifact.path), hash)
        return { hash: `sha256:${hash.digest('hex')}`, size: (await stat(artifact.path)).size }
      } catch (cause) {
        if (hasCode(cause, 'ENOENT')) return null
        throw cause
      }
    },
  }
}
