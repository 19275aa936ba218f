import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ActionDefinition } from '@gpu-actions/action-kit'
import { findActions, root } from '../repository.ts'

/** The definitions of all actions, by folder name. */
export type Definitions = ReadonlyMap<string, ActionDefinition>

/**
 * Imports the definition of every action: the one thing made by `defineAction` that its `src/action.ts` exports.
 * @throws Error that names every folder whose definition does not fit it
 */
export async function loadDefinitions(repository: string = root): Promise<Definitions> {
  const definitions = new Map<string, ActionDefinition>()
  const faults: string[] = []
  for (const { name, path, hasPost } of findActions(repository)) {
    const file = join(path, 'src/action.ts')
    const [action, another] = existsSync(file) ? await exportedDefinitions(file) : []
    if (action === undefined || another !== undefined) faults.push(`${file} does not export one definition`)
    else if (action.name !== name) faults.push(`${file} calls the action "${action.name}"`)
    else if (action.post !== hasPost)
      faults.push(`${file} has post: ${String(action.post)}, and src/post.ts ${hasPost ? 'exists' : 'does not exist'}`)
    else definitions.set(name, action)
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return definitions
}

async function exportedDefinitions(file: string): Promise<readonly ActionDefinition[]> {
  const exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  return Object.values(exported).filter(isDefinition)
}

const isDefinition = (value: unknown): value is ActionDefinition =>
  typeof value === 'object' && value !== null && 'title' in value && 'inputs' in value && 'outputs' in value
