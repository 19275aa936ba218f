import { isMap, isScalar, parseAllDocuments, visit, type YAMLMap } from 'yaml'
import type { ActionDefinition } from '@gpu-actions/action-kit'
import { aliases } from '../repository.ts'

/** What our actions are called in `uses:`, before the path. */
const ours = 'org/gpu-actions'

/** What the `uses:` of a workflow can mean. */
export interface UsesSurroundings {
  readonly definitions: ReadonlyMap<string, Pick<ActionDefinition, 'inputs'>>
  /** Names of workflow files that `./.github/workflows/…` may mean. */
  readonly workflows: ReadonlySet<string>
}

/**
 * What is wrong with the `uses:` of a YAML text: an action of ours that does not exist, an input it has not, a required
 * one that is missing, someone else's action without a full commit SHA and a comment that tells the version.
 */
export function faultsOfUses(yaml: string, surroundings: UsesSurroundings): readonly string[] {
  const faults: string[] = []
  for (const document of parseAllDocuments(yaml)) {
    faults.push(...document.errors.map(({ message }) => message))
    visit(document, {
      Map(_, step) {
        const uses = step.get('uses', true)
        if (!isScalar(uses) || typeof uses.value !== 'string') return
        const version = (uses.comment ?? '').trim()
        faults.push(
          ...faultsOfStep(uses.value, version, inputsOf(step), surroundings).map(
            fault => `${String(uses.value)}: ${fault}`,
          ),
        )
      },
    })
  }
  return faults
}

function faultsOfStep(
  uses: string,
  version: string,
  given: readonly string[],
  { definitions, workflows }: UsesSurroundings,
): readonly string[] {
  const [, local] = /^\.\/\.github\/workflows\/(.+)$/.exec(uses) ?? []
  if (local !== undefined) return workflows.has(local) ? [] : ['there is no such workflow']
  if (uses.startsWith('./')) return []
  const [name = '', ref = ''] = uses.split('@')
  if (!name.startsWith(`${ours}/`)) {
    if (!/^[0-9a-f]{40}$/.test(ref)) return ['is not pinned to a full commit SHA']
    return /^v\d+\.\d+\.\d+$/.test(version) ? [] : ['has no comment that tells the version, such as # v1.2.3']
  }
  const path = name.slice(ours.length + 1)
  if (path.startsWith('.github/workflows/')) {
    return workflows.has(path.slice('.github/workflows/'.length)) ? [] : ['there is no such workflow']
  }
  const definition = definitions.get(aliases[path] ?? path)
  if (definition === undefined) return ['there is no such action']
  if (!/^v\d+$/.test(ref)) return ['is not at a major version such as @v1']
  const unknown = given.filter(key => !Object.hasOwn(definition.inputs, key)).map(key => `has no input "${key}"`)
  const missing = Object.entries(definition.inputs)
    .filter(([id, input]) => input.required && !given.includes(id))
    .map(([id]) => `needs the input "${id}"`)
  return [...unknown, ...missing]
}

function inputsOf(step: YAMLMap): readonly string[] {
  const given = step.get('with')
  return isMap(given) ? given.items.map(({ key }) => (isScalar(key) ? String(key.value) : '')) : []
}

/** The YAML blocks of a Markdown text. */
export const yamlBlocks = (markdown: string): readonly string[] =>
  [...markdown.matchAll(/^```ya?ml\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
