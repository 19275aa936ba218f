import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { unzipSync } from 'fflate'
import { CommandFault } from './command.ts'

/** Lists what an earlier unpack made, so that a later one replaces exactly that. */
const listName = '.gpu-actions-evidence.json'

export interface Archive {
  readonly name: string
  readonly zip: Uint8Array
}

async function formerFiles(folder: string): Promise<readonly string[] | null> {
  const text = await readFile(path.join(folder, listName), 'utf8').catch(() => null)
  if (text === null) return null
  const list: unknown = JSON.parse(text)
  return Array.isArray(list) ? list.filter(name => typeof name === 'string') : null
}

/** Throws CommandFault when a folder holds files and none of them came from here: nothing of it may be replaced. */
export async function requireOwnFolder(folder: string): Promise<void> {
  const present = await readdir(folder).catch(() => [])
  if (present.length === 0 || (await formerFiles(folder)) !== null) return
  throw new CommandFault(`${folder} holds files that did not come from here; name another folder with --evidence`)
}

/** Deletes what a former unpack made; files of anybody else stay. */
async function clear(folder: string): Promise<void> {
  await requireOwnFolder(folder)
  const former = (await formerFiles(folder)) ?? []
  const inside = former.filter(name => isInside(folder, name))
  for (const name of [...inside, listName]) await rm(path.join(folder, name), { force: true })
  const folders = [...new Set(inside.map(name => path.dirname(name)))].filter(name => name !== '.')
  // Deepest first; a folder in which somebody put a file is left with it.
  for (const name of folders.toSorted((a, b) => b.length - a.length))
    await rmdir(path.join(folder, name)).catch(() => {})
}

const isInside = (folder: string, name: string) => {
  const relative = path.relative(folder, path.resolve(folder, name))
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative)
}

/**
 * Unpacks artifacts into a folder and replaces what an earlier call left there, never anything else. A single artifact
 * lies in the folder itself, several in one folder each. Returns the paths, relative to the folder.
 */
export async function unpackEvidence(folder: string, archives: readonly Archive[]): Promise<readonly string[]> {
  await clear(folder)
  await mkdir(folder, { recursive: true })
  const written: string[] = []
  for (const { name, zip } of archives) {
    for (const [entry, content] of Object.entries(unzipSync(zip))) {
      if (entry.endsWith('/')) continue
      const target = archives.length === 1 ? entry : path.join(name, entry)
      if (!isInside(folder, target)) throw new Error(`the artifact ${name} holds a path outside of it: ${entry}`)
      await mkdir(path.dirname(path.join(folder, target)), { recursive: true })
      // Never over a file of somebody else's that lay in a folder of ours.
      await writeFile(path.join(folder, target), content, { flag: 'wx' }).catch((cause: unknown) => {
        throw new CommandFault(`${path.join(folder, target)} is there already and did not come from here`, { cause })
      })
      written.push(target)
    }
  }
  await writeFile(path.join(folder, listName), `${JSON.stringify(written, null, 2)}\n`)
  return written
}
