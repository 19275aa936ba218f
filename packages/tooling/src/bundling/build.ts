import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findActions } from '../repository.ts'
import { bundle, type RolldownSettings } from './bundle.ts'
import { licensesOf } from './licenses.ts'
import { bundleWithNcc, type NccSettings } from './ncc.ts'
import { packPrograms } from './programs.ts'
import { entriesOf, stubSource } from './registry.ts'

/** ncc.config.js. Folders are relative to the repository. */
export interface BuildSettings {
  readonly output: string
  readonly intermediate: string
  readonly rolldown: RolldownSettings
  readonly ncc: NccSettings
}

/**
 * Builds every action of the repository into one folder: index.js and its chunks, a stub for each action and phase,
 * package.json and licenses.txt. The folder is replaced when everything is there, and the same sources give the same
 * bytes.
 * @returns the names of the stubs
 */
export async function buildBundles(root: string, settings: BuildSettings): Promise<readonly string[]> {
  const entries = entriesOf(findActions(root))
  if (entries.length === 0) throw new Error(`${root}/actions holds no action with a src/main.ts`)
  const programs = writePrograms(root)
  const intermediate = join(root, settings.intermediate)
  const modules = await bundle({ root, entries, programs, settings: settings.rolldown, output: intermediate })

  const draft = join(root, 'build/dist-draft')
  await bundleWithNcc({ entry: join(intermediate, 'index.js'), settings: settings.ncc, output: draft })
  for (const { name } of entries) writeFileSync(join(draft, `${name}.js`), stubSource(name))
  writeFileSync(join(draft, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(draft, 'licenses.txt'), licensesOf(modules))

  const output = join(root, settings.output)
  rmSync(output, { recursive: true, force: true })
  renameSync(draft, output)
  return entries.map(({ name }) => name)
}

/** Where the zipapp lies, relative to the repository. */
export const programsPath = 'packages/benchmark/build/programs.pyz'

function writePrograms(root: string): string {
  const path = join(root, programsPath)
  const sources = join(root, 'packages/benchmark/programs')
  if (!existsSync(sources)) throw new Error(`${sources} is missing: there is nothing to run on a host`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, packPrograms(sources))
  return path
}
