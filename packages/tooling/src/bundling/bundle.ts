import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown, type InputOptions, type OutputOptions, type Plugin } from 'rolldown'
import { registrySource, type Entry } from './registry.ts'

/** The part of ncc.config.js that rolldown takes. */
export type RolldownSettings = InputOptions & { readonly output: OutputOptions }

const registryId = '\0registry'
const programsName = '@gpu-actions/benchmark/programs.pyz'

/** What `bundle` works on. Paths are absolute. */
export interface BundlePlan {
  readonly root: string
  readonly entries: readonly Entry[]
  /** The zipapp that `import program from '@gpu-actions/benchmark/programs.pyz'` means. */
  readonly programs: string
  readonly settings: RolldownSettings
  /** Emptied and written: index.js, one chunk a lazy import, package.json. */
  readonly output: string
}

/**
 * TypeScript to tree-shaken ES modules, for ncc to take from there.
 * @returns the paths of all modules that went in
 */
export async function bundle({ root, entries, programs, settings, output }: BundlePlan): Promise<readonly string[]> {
  const { output: outputSettings, ...inputSettings } = settings
  const build = await rolldown({
    ...inputSettings,
    cwd: root,
    input: { index: registryId },
    plugins: [virtualModules(entries, programs)],
    onLog: (level, log) => {
      // A missing export or module is a crash at run time; as a warning it would be overlooked.
      if (level === 'warn') throw new Error(`rolldown: ${log.message}`)
    },
  })
  try {
    rmSync(output, { recursive: true, force: true })
    const { output: files } = await build.write({ ...outputSettings, dir: output })
    writeFileSync(join(output, 'package.json'), '{ "type": "module" }\n')
    return files.flatMap(file => (file.type === 'chunk' ? file.moduleIds : []))
  } finally {
    await build.close()
  }
}

function virtualModules(entries: readonly Entry[], programs: string): Plugin {
  return {
    name: 'gpu-actions',
    resolveId(id) {
      if (id === registryId) return id
      return id === programsName ? programs : null
    },
    load: id => (id === registryId ? registrySource(entries) : null),
  }
}
