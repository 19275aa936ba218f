import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../repository.ts'
import { actionYml } from './action-yml.ts'
import { loadDefinitions, type Definitions } from './definitions.ts'
import { between, inputTable, markdownTable, outputTable } from './readme.ts'

/** What generated files should hold. */
export interface Generated {
  /** Paths, relative to the repository, and whole contents of the files that are missing or hold something else. */
  readonly stale: ReadonlyMap<string, string>
  /** Pages that cannot take their tables, and why. */
  readonly faults: readonly string[]
}

/** Compares every generated file with its definition. */
export async function compareGenerated(repository: string = root): Promise<Generated> {
  const definitions = await loadDefinitions(repository)
  const stale = new Map<string, string>()
  const faults: string[] = []
  const current = (path: string): string | undefined =>
    existsSync(join(repository, path)) ? readFileSync(join(repository, path), 'utf8') : undefined
  const expect = (path: string, content: string): void => {
    if (current(path) !== content) stale.set(path, content)
  }
  const expectTables = (path: string, tables: Readonly<Record<string, string>>): void => {
    const text = current(path)
    try {
      if (text === undefined) throw new Error('is missing: its prose is written by hand')
      expect(
        path,
        Object.entries(tables).reduce((page, [name, table]) => between(page, name, table), text),
      )
    } catch (error) {
      faults.push(`${path} ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  for (const [name, definition] of definitions) {
    expect(`actions/${name}/action.yml`, actionYml(definition))
    const tables = { inputs: await inputTable(definition), outputs: await outputTable(definition) }
    expectTables(`actions/${name}/README.md`, tables)
  }
  if (current('README.md')?.includes('<!-- actions -->') === true) {
    expectTables('README.md', { actions: await actionTable(definitions) })
  }
  return { stale, faults }
}

/** Writes what is stale. */
export async function writeGenerated(repository: string = root): Promise<Generated> {
  const generated = await compareGenerated(repository)
  for (const [path, content] of generated.stale) writeFileSync(join(repository, path), content)
  return generated
}

const actionTable = (definitions: Definitions): Promise<string> =>
  markdownTable([
    ['action', 'what it does'],
    ...[...definitions.values()].map(({ name, description }) => [
      `[\`${name}\`](actions/${name}/README.md)`,
      description,
    ]),
  ])
