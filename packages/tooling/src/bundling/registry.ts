import { join } from 'node:path'
import type { ActionFolder } from '../repository.ts'

/** One thing a runner can start: an action's main, or its post. */
export interface Entry {
  /** `teardown`, `provision-ec2-gpu-post`: the name of its stub. */
  readonly name: string
  /** Absolute path of the source that runs when it is imported. */
  readonly source: string
}

/** Main and post of every action. Two entries, never one with a flag: killed before the flag is written, post would launch again. */
export const entriesOf = (actions: readonly ActionFolder[]): readonly Entry[] =>
  actions.flatMap(({ name, path, hasPost }) => [
    { name, source: join(path, 'src/main.ts') },
    ...(hasPost ? [{ name: `${name}-post`, source: join(path, 'src/post.ts') }] : []),
  ])

/** The module all bundles grow from: every entry behind an import of its own, so that a start loads one of them. */
export function registrySource(entries: readonly Entry[]): string {
  const lines = entries.map(({ name, source }) => `  ${quoted(name)}: () => import(${quoted(source)}),`)
  return `const entries = {\n${lines.join('\n')}\n}\n\nexport const start = name => entries[name]()\n`
}

/** What `runs.main` and `runs.post` name. */
export const stubSource = (name: string): string => `import { start } from './index.js'\nawait start(${quoted(name)})\n`

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
