import { randomUUID } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Records } from './ports/records.ts'

const safeName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT'

function inside(folder: string, name: string): string {
  if (!safeName.test(name)) throw new RangeError(`'${name}' is no name for a record`)
  return join(folder, name)
}

/** Written aside and renamed, so that a reader never sees half a file and a kill leaves the old one. */
async function writeAtomically(path: string, content: string): Promise<void> {
  const aside = `${path}.${randomUUID()}.part`
  await writeFile(aside, content, { mode: 0o600 })
  await rename(aside, path)
}

function records(folder: string): Records {
  return {
    path: folder,
    async write(name, record) {
      await mkdir(folder, { recursive: true })
      await writeAtomically(inside(folder, name), `${JSON.stringify(record, null, 2)}\n`)
    },
    async read(name) {
      try {
        return JSON.parse(await readFile(inside(folder, name), 'utf8')) as unknown
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    async appendLog(name, text) {
      const logs = join(folder, 'logs')
      await mkdir(logs, { recursive: true })
      await appendFile(inside(logs, name), text, { mode: 0o600 })
    },
  }
}

/** All run directories of this job. */
export interface RunDirectories {
  /** The directory of a lease id, or of `host-<name>` for a host that was not rented. Made when first written to. */
  open(id: string): Records
  /** The ids that have a directory, oldest name first. */
  list(): Promise<readonly string[]>
}

/** @param temp the runner's folder for this job (`RUNNER_TEMP`) */
export function runDirectories(temp: string): RunDirectories {
  const root = join(temp, 'gpu-actions')
  return {
    open: id => records(inside(root, id)),
    async list() {
      try {
        const found = await readdir(root, { withFileTypes: true })
        return found
          .filter(entry => entry.isDirectory())
          .map(entry => entry.name)
          .sort()
      } catch (error) {
        if (isMissing(error)) return []
        throw error
      }
    },
  }
}
