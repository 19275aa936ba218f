import type { Place } from './faults.ts'
import { at, unsupported, WorkflowFault } from './faults.ts'
import type { Fields } from './fields.ts'
import { entriesOf, fieldsOf, literal, literals, placeOf } from './fields.ts'
import type { Entry, Template } from './template.ts'
import { parseWorkflow } from './template.ts'

export type InputType = 'string' | 'boolean' | 'number' | 'choice'

/** A declared input of `workflow_dispatch` or `workflow_call`. */
export interface InputDefinition {
  readonly name: string
  readonly type: InputType
  readonly required: boolean
  readonly fallback: Template | null
  readonly options: readonly string[]
}

export interface SecretDefinition {
  readonly name: string
  readonly required: boolean
}

export interface CallInterface {
  readonly inputs: readonly InputDefinition[]
  readonly secrets: readonly SecretDefinition[]
  readonly outputs: readonly Entry[]
}

export interface Defaults {
  readonly shell: Template | null
  readonly workingDirectory: Template | null
}

/** Of all permissions only the one that decides about OIDC tokens means something here. `null`: not set. */
export type IdToken = 'write' | 'none' | null

export interface Step {
  readonly id: string | null
  readonly name: Template | null
  readonly condition: Template | null
  readonly env: Template | null
  readonly continueOnError: Template | null
  readonly timeoutMinutes: Template | null
  readonly place: Place
  readonly work:
    | { readonly kind: 'action'; readonly uses: string; readonly inputs: Template | null }
    | {
        readonly kind: 'script'
        readonly script: Template
        readonly shell: Template | null
        readonly workingDirectory: Template | null
      }
}

export interface Job {
  readonly id: string
  readonly name: Template | null
  readonly needs: readonly string[]
  readonly condition: Template | null
  readonly strategy: Template | null
  readonly concurrency: Template | null
  readonly idToken: IdToken
  readonly place: Place
  readonly work:
    | {
        readonly kind: 'steps'
        readonly runsOn: Template
        readonly env: Template | null
        readonly defaults: Defaults
        readonly timeoutMinutes: Template | null
        readonly outputs: readonly Entry[]
        readonly steps: readonly Step[]
      }
    | {
        readonly kind: 'call'
        readonly path: string
        readonly inputs: Template | null
        readonly secrets: Template | 'inherit' | null
      }
}

export interface Workflow {
  /** Path inside the repository, as it stands in messages. */
  readonly path: string
  readonly name: string
  readonly runName: Template | null
  readonly events: readonly string[]
  readonly schedules: readonly string[]
  readonly dispatch: readonly InputDefinition[]
  readonly call: CallInterface | null
  readonly env: Template | null
  readonly defaults: Defaults
  readonly idToken: IdToken
  readonly concurrency: Template | null
  readonly jobs: readonly Job[]
}

/** Parses and reads a workflow; throws WorkflowFault that lists everything unknown or unsupported. */
export function readWorkflow(path: string, content: string): Workflow {
  const root = parseWorkflow(path, content)
  const faults: string[] = []
  const fields = fieldsOf(
    root,
    'workflow',
    ['name', 'run-name', 'description', 'on', 'env', 'defaults', 'permissions', 'concurrency', 'jobs'],
    faults,
  )
  const events = readEvents(fields['on'])
  const dispatch = events.find(event => event.key === 'workflow_dispatch')
  const call = events.find(event => event.key === 'workflow_call')
  const workflow: Workflow = {
    path,
    name: literal(fields['name']) ?? path,
    runName: fields['run-name'] ?? null,
    events: events.map(event => event.key),
    schedules: events.filter(event => event.key === 'schedule').flatMap(event => readSchedules(event.value)),
    dispatch:
      dispatch === undefined ? [] : readInputs(fieldsOf(dispatch.value, 'dispatch', ['inputs'], faults), faults),
    call: call === undefined ? null : readCall(call.value, faults),
    env: fields['env'] ?? null,
    defaults: readDefaults(fields['defaults'], faults),
    idToken: readPermissions(fields['permissions']),
    concurrency: fields['concurrency'] ?? null,
    jobs: entriesOf(fields['jobs'] ?? null).map(entry => readJob(entry, faults)),
  }
  if (faults.length > 0) throw new WorkflowFault(faults)
  return workflow
}

function readEvents(on: Template | undefined): Entry[] {
  if (on === undefined) return []
  if (on.kind === 'map') return [...on.entries]
  const nothing: Template = { kind: 'scalar', value: null, place: on.place }
  return literals(on).map(key => ({ key, value: nothing, place: on.place }))
}

const readSchedules = (schedule: Template): string[] =>
  schedule.kind !== 'list'
    ? []
    : schedule.items.flatMap(item =>
        entriesOf(item).flatMap(({ key, value }) => (key === 'cron' ? literals(value) : [])),
      )

function readInputs(fields: Fields, faults: string[]): InputDefinition[] {
  return entriesOf(fields['inputs'] ?? null).map(({ key, value, place }) => {
    const names = ['description', 'type', 'required', 'default', 'options', 'deprecationMessage']
    const input = fieldsOf(value, `input '${key}'`, names, faults)
    const type = literal(input['type']) ?? 'string'
    if (!isInputType(type)) faults.push(unsupported(placeOf(input['type'], place), `input type '${type}'`))
    return {
      name: key,
      type: isInputType(type) ? type : 'string',
      required: literal(input['required']) === 'true',
      fallback: input['default'] ?? null,
      options: literals(input['options']),
    }
  })
}

const isInputType = (type: string): type is InputType => ['string', 'boolean', 'number', 'choice'].includes(type)

function readCall(call: Template, faults: string[]): CallInterface {
  const fields = fieldsOf(call, 'workflow_call', ['inputs', 'secrets', 'outputs'], faults)
  const secrets = entriesOf(fields['secrets'] ?? null).map(({ key, value }) => ({
    name: key,
    required: literal(fieldsOf(value, `secret '${key}'`, ['description', 'required'], faults)['required']) === 'true',
  }))
  const outputs = entriesOf(fields['outputs'] ?? null).flatMap(({ key, value, place }) => {
    const output = fieldsOf(value, `output '${key}'`, ['description', 'value'], faults)['value']
    return output === undefined ? [] : [{ key, value: output, place }]
  })
  return { inputs: readInputs(fields, faults), secrets, outputs }
}

function readDefaults(defaults: Template | undefined, faults: string[]): Defaults {
  if (defaults === undefined) return { shell: null, workingDirectory: null }
  const run = fieldsOf(defaults, 'defaults', ['run'], faults)['run']
  const fields = run === undefined ? {} : fieldsOf(run, 'defaults.run', ['shell', 'working-directory'], faults)
  return { shell: fields['shell'] ?? null, workingDirectory: fields['working-directory'] ?? null }
}

function readPermissions(permissions: Template | undefined): IdToken {
  if (permissions === undefined) return null
  if (permissions.kind === 'scalar') return permissions.value === 'write-all' ? 'write' : 'none'
  const idToken = entriesOf(permissions).find(entry => entry.key === 'id-token')
  return idToken !== undefined && literal(idToken.value) === 'write' ? 'write' : 'none'
}

const jobKeys = ['name', 'needs', 'if', 'strategy', 'concurrency', 'permissions']
const stepsJobKeys = [...jobKeys, 'runs-on', 'env', 'defaults', 'timeout-minutes', 'outputs', 'steps']
const callJobKeys = [...jobKeys, 'uses', 'with', 'secrets']

function readJob({ key: id, value, place }: Entry, faults: string[]): Job {
  const calls = entriesOf(value).some(entry => entry.key === 'uses')
  const fields = fieldsOf(value, `job '${id}'`, calls ? callJobKeys : stepsJobKeys, faults)
  return {
    id,
    name: fields['name'] ?? null,
    needs: literals(fields['needs']),
    condition: fields['if'] ?? null,
    strategy: fields['strategy'] ?? null,
    concurrency: fields['concurrency'] ?? null,
    idToken: readPermissions(fields['permissions']),
    place,
    work: calls ? readCallWork(fields, place, faults) : readStepsWork(fields, place, faults),
  }
}

function readCallWork(fields: Fields, place: Place, faults: string[]): Job['work'] {
  const path = literal(fields['uses']) ?? ''
  if (!path.startsWith('./')) {
    faults.push(unsupported(placeOf(fields['uses'], place), `a reusable workflow of another repository (${path})`))
  }
  const secrets = fields['secrets'] ?? null
  const inherits = secrets?.kind === 'scalar' && secrets.value === 'inherit'
  return { kind: 'call', path, inputs: fields['with'] ?? null, secrets: inherits ? 'inherit' : secrets }
}

function readStepsWork(fields: Fields, place: Place, faults: string[]): Job['work'] {
  const steps = fields['steps']
  return {
    kind: 'steps',
    runsOn: fields['runs-on'] ?? { kind: 'scalar', value: null, place },
    env: fields['env'] ?? null,
    defaults: readDefaults(fields['defaults'], faults),
    timeoutMinutes: fields['timeout-minutes'] ?? null,
    outputs: entriesOf(fields['outputs'] ?? null),
    steps: steps?.kind === 'list' ? steps.items.map(step => readStep(step, faults)) : [],
  }
}

const stepKeys = ['id', 'name', 'if', 'env', 'continue-on-error', 'timeout-minutes']

function readStep(template: Template, faults: string[]): Step {
  const { place } = template
  const keys = entriesOf(template).map(entry => entry.key)
  const own = keys.includes('uses') ? ['uses', 'with'] : ['run', 'shell', 'working-directory']
  const fields = fieldsOf(template, 'step', [...stepKeys, ...own], faults)
  const uses = literal(fields['uses'])
  const script = fields['run']
  if (uses === null && script === undefined) faults.push(at(place, 'a step needs `uses` or `run`'))
  return {
    id: literal(fields['id']),
    name: fields['name'] ?? null,
    condition: fields['if'] ?? null,
    env: fields['env'] ?? null,
    continueOnError: fields['continue-on-error'] ?? null,
    timeoutMinutes: fields['timeout-minutes'] ?? null,
    place,
    work:
      uses !== null
        ? { kind: 'action', uses, inputs: fields['with'] ?? null }
        : {
            kind: 'script',
            script: script ?? { kind: 'scalar', value: '', place },
            shell: fields['shell'] ?? null,
            workingDirectory: fields['working-directory'] ?? null,
          },
  }
}
