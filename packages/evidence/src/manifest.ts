import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'

export const manifestFile = 'manifest.json'

const entrySchema = v.object({
  /** Relative to the folder, with `/`. */
  path: v.string(),
  /** Bytes. */
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** Lower-case hexadecimal. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
})

/** `manifest.json`: every other file of the evidence. */
export const manifestSchema = v.object({
  schema: v.literal('gpu-actions/manifest@1'),
  files: v.pipe(v.array(entrySchema), v.readonly()),
})

export type Manifest = v.InferOutput<typeof manifestSchema>
export type ManifestEntry = Manifest['files'][number]

/** All regular files below a folder, as relative paths with `/`, in order. Links are not followed. */
export async function filesOf(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1).replaceAll('\\', '/'))
    .sort()
}

async function entryOf(folder: string, path: string): Promise<ManifestEntry> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of createReadStream(join(folder, path)) as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    size += chunk.length
  }
  return { path, size, sha256: hash.digest('hex') }
}

/** Writes the manifest of everything that lies in the folder now. */
export async function writeManifest(folder: string): Promise<Manifest> {
  const files: ManifestEntry[] = []
  for (const path of await filesOf(folder)) {
    if (path !== manifestFile) files.push(await entryOf(folder, path))
  }
  const manifest: Manifest = { schema: 'gpu-actions/manifest@1', files }
  await writeFile(join(folder, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

/** Does an entry lead out of the folder, or through a link? */
async function outside(folder: string, path: string): Promise<boolean> {
  const parts = path.split('/')
  if (path.includes('\\') || parts.some(part => part === '' || part === '.' || part === '..')) return true
  for (let depth = 1; depth <= parts.length; depth++) {
    const stat = await lstat(join(folder, ...parts.slice(0, depth))).catch(() => undefined)
    if (stat?.isSymbolicLink() === true) return true
  }
  return false
}

/**
 * Holds a folder of evidence against its manifest.
 * @returns what does not agree, one sentence each; nothing when every file is there, unchanged, and no other is
 */
export async function verifyManifest(folder: string): Promise<readonly string[]> {
  let manifest: Manifest
  try {
    manifest = v.parse(manifestSchema, JSON.parse(await readFile(join(folder, manifestFile), 'utf8')))
  } catch (error) {
    return [`${manifestFile} cannot be read: ${error instanceof Error ? error.message : String(error)}`]
  }
  const problems: string[] = []
  const listed = new Set<string>()
  const present = new Set(await filesOf(folder))
  for (const entry of manifest.files) {
    if (listed.has(entry.path)) problems.push(`${entry.path} is listed twice`)
    listed.add(entry.path)
    if (await outside(folder, entry.path)) problems.push(`${entry.path} is no path inside of the evidence`)
    else if (!present.has(entry.path)) problems.push(`${entry.path} is missing`)
    else {
      const now = await entryOf(folder, entry.path)
      if (now.size !== entry.size || now.sha256 !== entry.sha256) problems.push(`${entry.path} was changed`)
    }
  }
  for (const path of present) {
    if (path !== manifestFile && !listed.has(path)) problems.push(`${path} is not in the manifest`)
  }
  return problems
}
