import { access, cp, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Place } from './faults.ts'
import { at, unsupported, WorkflowFault } from './faults.ts'
import { entriesOf, fieldsOf, literal } from './fields.ts'
import type { Template } from './template.ts'
import { parseAction } from './template.ts'

/** A JavaScript action, read from its action.yml. Paths are absolute. */
export interface Action {
  readonly name: string
  readonly folder: string
  readonly inputs: readonly ActionInput[]
  readonly outputs: readonly string[]
  readonly main: string
  readonly pre: string | null
  readonly preIf: string
  readonly post: string | null
  readonly postIf: string
}

export interface ActionInput {
  readonly name: string
  readonly fallback: Template | null
  readonly deprecation: string | null
}

/** `owner/repo/path@ref` in its parts. */
export interface RemoteReference {
  readonly repository: string
  readonly subPath: string
  readonly ref: string
}

export function parseReference(uses: string): RemoteReference | null {
  const match = /^([^/@\s]+\/[^/@\s]+)(?:\/([^@\s]+))?@(\S+)$/.exec(uses)
  return match === null ? null : { repository: match[1] ?? '', subPath: match[2] ?? '', ref: match[3] ?? '' }
}

export interface ActionSource {
  /** Remote actions by `owner/repo@ref`: the folder that stands for that repository at that ref. */
  readonly repositories: Readonly<Record<string, string>>
  /** Where the repositories are copied to, as the real runner downloads them at the start of a job. */
  readonly downloads: string
}

/** Fetches remote actions once a job, whole repositories as GitHub's runner does. */
export function createActionLoader(source: ActionSource) {
  const copies = new Map<string, Promise<string>>()
  const download = (reference: RemoteReference, place: Place): Promise<string> => {
    const key = `${reference.repository}@${reference.ref}`
    const folder = source.repositories[key]
    if (folder === undefined) {
      const mapped = Object.keys(source.repositories).join(', ') || 'none'
      throw new WorkflowFault([at(place, `uses ${key}, which is not mapped to a folder (mapped: ${mapped})`)])
    }
    const known = copies.get(key)
    if (known !== undefined) return known
    const target = path.join(source.downloads, reference.repository, reference.ref)
    const copy = cp(folder, target, { recursive: true }).then(() => target)
    copies.set(key, copy)
    return copy
  }
  return {
    /** The action of a remote `uses:`; throws WorkflowFault when it is not mapped or cannot be run here. */
    remote: async (uses: string, place: Place): Promise<Action> => {
      const reference = parseReference(uses)
      if (reference === null) throw new WorkflowFault([unsupported(place, `uses: ${uses}`)])
      return readAction(path.join(await download(reference, place), reference.subPath), uses, place)
    },
    /** The action of a local `uses: ./path`, read when its step starts, because a checkout brings it. */
    local: (workspace: string, uses: string, place: Place): Promise<Action> =>
      readAction(path.join(workspace, uses), uses, place),
  }
}

export type ActionLoader = ReturnType<typeof createActionLoader>

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

async function readAction(folder: string, uses: string, place: Place): Promise<Action> {
  const candidates = ['action.yml', 'action.yaml'].map(name => path.join(folder, name))
  const found = await Promise.all(candidates.map(exists))
  const file = candidates.find((_, index) => found[index])
  if (file === undefined) throw new WorkflowFault([at(place, `${uses}: there is no action.yml in ${folder}`)])
  const root = parseAction(`${uses}/${path.basename(file)}`, await readFile(file, 'utf8'))
  const faults: string[] = []
  const fields = fieldsOf(
    root,
    'action',
    ['name', 'description', 'author', 'inputs', 'outputs', 'runs', 'branding'],
    faults,
  )
  const runs = Object.fromEntries(entriesOf(fields['runs'] ?? null).map(({ key, value }) => [key, value]))
  const using = literal(runs['using']) ?? ''
  if (using !== 'node24' && using !== 'node20')
    faults.push(unsupported(place, `${uses}: an action that runs with '${using}'`))
  if (faults.length > 0) throw new WorkflowFault(faults)
  const script = (key: string) => {
    const name = literal(runs[key])
    return name === null ? null : path.join(folder, name)
  }
  const action: Action = {
    name: literal(fields['name']) ?? uses,
    folder,
    inputs: entriesOf(fields['inputs'] ?? null).map(readInput),
    outputs: entriesOf(fields['outputs'] ?? null).map(entry => entry.key),
    main: script('main') ?? '',
    pre: script('pre'),
    preIf: literal(runs['pre-if']) ?? 'always()',
    post: script('post'),
    postIf: literal(runs['post-if']) ?? 'always()',
  }
  const scripts = [action.main, action.pre, action.post].filter(name => name !== null)
  const there = await Promise.all(scripts.map(exists))
  const missing = scripts.filter((_, index) => there[index] !== true)
  if (missing.length > 0) throw new WorkflowFault(missing.map(name => at(place, `${uses}: ${name} does not exist`)))
  return action
}

function readInput({ key, value }: { key: string; value: Template }): ActionInput {
  const fields = Object.fromEntries(entriesOf(value).map(entry => [entry.key, entry.value]))
  return { name: key, fallback: fields['default'] ?? null, deprecation: literal(fields['deprecationMessage']) }
}

/** Environment of an action's inputs: `instance-type` is `INPUT_INSTANCE-TYPE`. */
export const inputVariable = (name: string) => `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
