import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zipSync, type Zippable } from 'fflate'
import { filesBelow } from '../repository.ts'

const shebang = '#!/usr/bin/env python3\n'

/**
 * The programs that run on a host as one file that Python runs: a zip behind a shebang line. The same sources give the
 * same bytes.
 * @param folder holds `__main__.py`
 */
export function packPrograms(folder: string): Uint8Array {
  const paths = filesBelow(folder).filter(path => path.endsWith('.py'))
  if (!paths.includes('__main__.py')) throw new Error(`${folder} has no __main__.py: Python could not run the programs`)
  // A zip's times are local times without a zone: the first moment it can express, said in local time.
  const mtime = new Date(1980, 0, 1)
  const files: Zippable = {}
  for (const path of paths) files[path] = [readFileSync(join(folder, path)), { mtime, level: 9 }]
  return Buffer.concat([Buffer.from(shebang), zipSync(files)])
}
