import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ActionDefinition } from '@gpu-actions/action-kit'
import { findActions, root } from '../repository.ts'

/** The definitions of all actions, by folder name. */
export type Definitions = ReadonlyMap<string, ActionDefinition>

/**
 * Imports the definition of every action from its `src/action.ts`.
 * @throws Error that names every folder whose definition does not fit it
 */
export async function loadDefinitions(repository: string = root): Promise<Definitions> {
  const definitions = new Map<string, ActionDefinition>()
  const faults: string[] = []
  for (const { name, path, hasPost } of findActions(repository)) {
    const file = join(path, 'src/action.ts')
    const { action } = existsSync(file) ? await importDefinition(file) : {}
    if (action === undefined) faults.push(`${file} does not export "action"`)
    else if (action.name !== name) faults.push(`${file} calls the action "${action.name}"`)
    else if (action.post !== hasPost)
      faults.push(`${file} says post: ${String(action.post)}, and src/post.ts says otherwise`)
    else definitions.set(name, action)
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return definitions
}

const importDefinition = async (file: string): Promise<{ readonly action?: ActionDefinition }> =>
  (await import(pathToFileURL(file).href)) as { readonly action?: ActionDefinition }
