import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Action } from './actions.ts'
import { inputVariable, parseReference } from './actions.ts'
import { createLineReader } from './commands.ts'
import { baseEnvironment, runnerEnvironment } from './context.ts'
import type { Contexts } from './expressions.ts'
import { evaluateMap, evaluateText } from './expressions.ts'
import { contextsOf } from './job-state.ts'
import type { JobState, Planned } from './job-state.ts'
import { runProcess } from './process.ts'
import type { ProcessEnd } from './process.ts'
import { annotate } from './step-files.ts'
import type { StepPlace } from './types.ts'
import type { Step } from './workflow.ts'

/** What to start for a step. */
interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** The shells of `run:` and how GitHub calls them; `{0}` is the script's file. */
const shells: Readonly<Record<string, { readonly call: string; readonly suffix: string }>> = {
  '': { call: 'bash -e {0}', suffix: '.sh' },
  bash: { call: 'bash --noprofile --norc -eo pipefail {0}', suffix: '.sh' },
  sh: { call: 'sh -e {0}', suffix: '.sh' },
  python: { call: 'python3 {0}', suffix: '.py' },
}

/** GitHub's SIGINT, then 7.5 s, SIGTERM, then 2.5 s, then the tree is killed. */
const interruptMs = 7500
const terminateMs = 2500

const nodeBinary = () => process.env['GPU_ACTIONS_NODE'] ?? process.execPath

/** `Run org/gpu-actions/provision@v1`, `Post Run …`: the step's name as GitHub shows it. */
export function displayName({ phase, step }: Planned, contexts: Contexts): string {
  const { work } = step
  const uses = work.kind === 'action' ? work.uses : (firstLine(evaluateText(work.script, contexts)) ?? '')
  const name = step.name === null ? `Run ${uses}` : evaluateText(step.name, contexts)
  return phase === 'main' ? name : `${phase === 'pre' ? 'Pre' : 'Post'} ${name}`
}

const firstLine = (script: string) =>
  script
    .split('\n')
    .map(line => line.trim())
    .find(line => line !== '')

/** The variables of a step without its files: strongest last. */
function stepEnvironment(state: JobState, planned: Planned, stepEnv: Readonly<Record<string, string>>) {
  const { run, place, jobId, fixed, paths } = state
  const base = baseEnvironment(place)
  const given = Object.fromEntries(
    Object.entries(run.options.env).filter(([name]) => mayHave(name, planned, state.idToken)),
  )
  const github = Object.fromEntries(Object.entries(fixed['github'] ?? {}))
  const merged: Record<string, string> = { ...base, ...given, ...state.env, ...stepEnv }
  const searchPath = [...paths, merged['PATH'] ?? ''].join(path.delimiter)
  return {
    ...merged,
    PATH: searchPath,
    ...runnerEnvironment(place, jobId, github),
    GITHUB_ACTION: planned.id,
  }
}

function mayHave(name: string, { step }: Planned, idToken: boolean): boolean {
  if (name.startsWith('ACTIONS_ID_TOKEN_REQUEST_')) return idToken
  return !name.startsWith('ACTIONS_') || step.work.kind === 'action'
}

async function scriptCommand(state: JobState, step: Step, contexts: Contexts): Promise<Omit<Command, 'env'>> {
  const { work } = step
  if (work.kind !== 'script') throw new Error('a step without a script')
  const shell = evaluateText(work.shell ?? state.defaults.shell, contexts)
  const known = shells[shell] ?? (shell.includes('{0}') ? { call: shell, suffix: '' } : null)
  if (known === null) throw new Error(`shell '${shell}' is not supported by this runner`)
  const script = evaluateText(work.script, contexts)
  const file = path.join(state.place.temp, `${randomUUID()}${known.suffix}`)
  await writeFile(file, script.endsWith('\n') ? script : `${script}\n`)
  for (const line of script.trimEnd().split('\n')) state.log.line(line)
  const [program = '', ...args] = known.call.split(' ').map(word => word.replace('{0}', file))
  const folder = evaluateText(work.workingDirectory ?? state.defaults.workingDirectory, contexts)
  return { file: program, args, cwd: path.resolve(state.place.workspace, folder) }
}

/** Inputs are evaluated anew at every stage, defaults included: `${{ job.status }}` tells post how the job ended. */
function actionInputs(state: JobState, planned: Planned, action: Action, contexts: Contexts): Record<string, string> {
  const { work } = planned.step
  const given = evaluateMap(work.kind === 'action' ? work.inputs : null, contexts)
  const lower = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
  const declared = new Set(action.inputs.map(input => input.name.toLowerCase()))
  if (planned.phase === 'main') {
    const unexpected = [...lower.keys()].filter(name => !declared.has(name))
    if (unexpected.length > 0) {
      const valid = action.inputs.map(input => `'${input.name}'`).join(', ')
      annotate(state, 'warning', `Unexpected input(s) '${unexpected.join("', '")}', valid inputs are [${valid}]`)
    }
    for (const { name, deprecation } of action.inputs) {
      if (deprecation !== null && lower.has(name.toLowerCase())) {
        annotate(state, 'warning', `Input '${name}' has been deprecated with message: ${deprecation}`)
      }
    }
  }
  const defaults = action.inputs.map(
    ({ name, fallback }) => [name, lower.get(name.toLowerCase()) ?? evaluateText(fallback, contexts)] as const,
  )
  const undeclared = [...lower].filter(([name]) => !declared.has(name))
  return Object.fromEntries([...defaults, ...undeclared])
}

function actionCommand(state: JobState, planned: Planned, action: Action, contexts: Contexts): Command {
  const inputs = actionInputs(state, planned, action, contexts)
  const { work } = planned.step
  const uses = work.kind === 'action' ? work.uses : ''
  const reference = parseReference(uses)
  const shown = Object.entries(inputs).filter(([, value]) => value !== '')
  if (planned.phase === 'main' && shown.length > 0) {
    state.log.line('with:')
    for (const [name, value] of shown) state.log.line(`  ${name}: ${value}`)
  }
  const saved = planned.phase === 'pre' ? {} : (state.saved.get(planned.id) ?? {})
  return {
    file: nodeBinary(),
    args: [(planned.phase === 'main' ? action.main : action[planned.phase]) ?? ''],
    cwd: state.place.workspace,
    env: {
      ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [inputVariable(name), value])),
      ...Object.fromEntries(Object.entries(saved).map(([name, value]) => [`STATE_${name}`, value])),
      GITHUB_ACTION_REPOSITORY: reference?.repository ?? '',
      GITHUB_ACTION_REF: reference?.ref ?? '',
      // Where the stand-in for actions/checkout finds the repository that GitHub's would clone.
      ...(reference?.repository === 'actions/checkout' ? { WORKFLOW_RUNNER_REPOSITORY: state.run.root } : {}),
    },
  }
}

/** Starts the process of a step and reads its lines; never rejects because of what the process does. */
export async function startStep(
  state: JobState,
  planned: Planned,
  files: Readonly<Record<string, string>>,
  cancel: AbortSignal,
): Promise<ProcessEnd> {
  const stepEnv = evaluateMap(planned.step.env, contextsOf(state))
  const contexts = contextsOf(state, stepEnv)
  const environment = stepEnvironment(state, planned, stepEnv)
  const command: Command =
    planned.action === null
      ? { ...(await scriptCommand(state, planned.step, contexts)), env: {} }
      : actionCommand(state, planned, planned.action, contexts)
  const { timeScale, options } = state.run
  const place: StepPlace = { job: state.jobId, jobName: state.jobName, step: planned.id, phase: planned.phase }
  let tellEnd = () => {}
  const ended = new Promise<void>(resolve => {
    tellEnd = resolve
  })
  const end = await runProcess({
    ...command,
    env: { ...environment, ...command.env, ...options.envOf?.(place), ...files },
    onLine: createStepOutput(state),
    onStart: pid =>
      options.onProcess?.({ ...place, pid, temp: state.place.temp, ended, loseRunner: () => state.control.lose() }),
    cancel,
    kill: state.control.dead,
    waits: { afterInterrupt: interruptMs / timeScale, afterTerminate: terminateMs / timeScale },
  })
  tellEnd()
  return end
}

/** Takes each line of a step: commands are obeyed, the rest is printed. */
function createStepOutput(state: JobState): (line: string) => void {
  const read = createLineReader()
  return raw => {
    const line = read(raw)
    if (line.kind === 'text') return state.log.line(line.text)
    switch (line.name) {
      case 'add-mask':
        return state.run.masks.add(line.data)
      case 'group':
        return state.log.group(line.data)
      case 'endgroup':
        return state.log.endGroup()
      case 'error':
      case 'warning':
      case 'notice':
        return annotate(state, line.name, line.data, line.properties['title'])
      case 'add-matcher':
      case 'remove-matcher':
        return annotate(state, 'warning', `${line.name} is not supported by this runner: the lines stay plain text`)
    }
    // `debug` is shown only with ACTIONS_STEP_DEBUG, `echo` changes only what is repeated in the log.
  }
}
