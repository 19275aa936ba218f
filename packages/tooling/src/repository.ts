import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** What a `uses:` path may also be called: alias → action. */
export const aliases: Readonly<Record<string, string>> = { provision: 'provision-ec2-gpu' }

/** One action as its folder shows it. */
export interface ActionFolder {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly hasPost: boolean
}

/** Every action that has a main entry, by name. */
export function findActions(repository: string = root): readonly ActionFolder[] {
  const folder = join(repository, 'actions')
  return readdirSync(folder)
    .sort()
    .map(name => ({ name, path: join(folder, name), hasPost: existsSync(join(folder, name, 'src/post.ts')) }))
    .filter(({ path }) => existsSync(join(path, 'src/main.ts')))
}

/** Paths of all files below a folder, relative to it, with forward slashes, in order. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}
