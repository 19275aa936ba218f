import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { filesBelow } from '../repository.ts'

/** Bytes as they lie and as they travel: each file gzipped by itself. */
export interface Size {
  readonly raw: number
  readonly gzipped: number
}

/** The size of all files of a folder, or of those named. */
export function measureFiles(folder: string, paths: readonly string[] = filesBelow(folder)): Size {
  const contents = paths.map(path => readFileSync(join(folder, path)))
  return {
    raw: contents.reduce((sum, bytes) => sum + bytes.length, 0),
    gzipped: contents.reduce((sum, bytes) => sum + gzipSync(bytes, { level: 9 }).length, 0),
  }
}
