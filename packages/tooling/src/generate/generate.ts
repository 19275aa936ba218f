import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../repository.ts'
import { actionYml } from './action-yml.ts'
import { loadDefinitions, type Definitions } from './definitions.ts'
import { between, inputTable, markdownTable, outputTable } from './readme.ts'

/** A file that is generated, whole or in part. */
export interface Generated {
  /** Relative to the repository. */
  readonly path: string
  readonly content: string
  readonly stale: boolean
}

/** What every generated file should hold, and whether it does. */
export async function generatedFiles(repository: string = root): Promise<readonly Generated[]> {
  const definitions = await loadDefinitions(repository)
  const read = (path: string): string => readFileSync(join(repository, path), 'utf8')
  const file = (path: string, content: string): Generated => ({
    path,
    content,
    stale: !existsSync(join(repository, path)) || read(path) !== content,
  })
  const files: Generated[] = []
  for (const [name, definition] of definitions) {
    files.push(file(`actions/${name}/action.yml`, actionYml(definition)))
    const readme = `actions/${name}/README.md`
    if (!existsSync(join(repository, readme))) throw new Error(`${readme} is missing: its prose is written by hand`)
    const tables = [
      ['inputs', await inputTable(definition)] as const,
      ['outputs', await outputTable(definition)] as const,
    ]
    files.push(file(readme, withTables(readme, read(readme), tables)))
  }
  if (existsSync(join(repository, 'README.md')) && read('README.md').includes('<!-- actions -->')) {
    files.push(
      file('README.md', withTables('README.md', read('README.md'), [['actions', await actionTable(definitions)]])),
    )
  }
  return files
}

/** Writes what is stale; gives the paths written. */
export async function writeGenerated(repository: string = root): Promise<readonly string[]> {
  const stale = (await generatedFiles(repository)).filter(file => file.stale)
  for (const { path, content } of stale) writeFileSync(join(repository, path), content)
  return stale.map(({ path }) => path)
}

function withTables(path: string, text: string, tables: readonly (readonly [string, string])[]): string {
  try {
    return tables.reduce((current, [name, table]) => between(current, name, table), text)
  } catch (error) {
    throw new Error(`${path} ${error instanceof Error ? error.message : String(error)}`)
  }
}

const actionTable = (definitions: Definitions): Promise<string> =>
  markdownTable([
    ['action', 'what it does'],
    ...[...definitions.values()].map(({ name, description }) => [`[\`${name}\`](actions/${name})`, description]),
  ])
