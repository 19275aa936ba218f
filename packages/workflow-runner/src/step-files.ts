import { randomUUID } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { blockedVariables, parsePairs, parsePaths, SUMMARY_LIMIT } from './file-commands.ts'
import type { JobState } from './job-state.ts'

/** The files a step writes its results to; every step has its own. */
export interface StepFiles {
  readonly env: Readonly<Record<string, string>>
  readonly collect: () => Promise<{ readonly outputs: Record<string, string>; readonly broken: boolean }>
}

const kinds = ['OUTPUT', 'ENV', 'PATH', 'STATE', 'STEP_SUMMARY'] as const
type Kind = (typeof kinds)[number]

/** Makes the files of one step. `collect` reads them whatever became of the step, as the runner does in a `finally`. */
export async function createStepFiles(state: JobState, stepId: string): Promise<StepFiles> {
  const id = randomUUID()
  const fileOf = (kind: Kind) => path.join(state.place.commands, `${kind.toLowerCase()}_${id}`)
  for (const kind of kinds) await writeFile(fileOf(kind), '')
  return {
    env: Object.fromEntries(kinds.map(kind => [`GITHUB_${kind}`, fileOf(kind)])),
    async collect() {
      const outputs: Record<string, string> = {}
      const take: Readonly<Record<Kind, (file: string) => Promise<void>>> = {
        PATH: async file => void state.paths.unshift(...parsePaths(await readFile(file, 'utf8')).toReversed()),
        ENV: async file => takeVariables(state, parsePairs(await readFile(file, 'utf8'))),
        STEP_SUMMARY: file => takeSummary(state, file),
        STATE: async file => {
          const saved = { ...state.saved.get(stepId), ...Object.fromEntries(parsePairs(await readFile(file, 'utf8'))) }
          state.saved.set(stepId, saved)
        },
        OUTPUT: async file => void Object.assign(outputs, Object.fromEntries(parsePairs(await readFile(file, 'utf8')))),
      }
      let broken = false
      for (const kind of ['PATH', 'ENV', 'STEP_SUMMARY', 'STATE', 'OUTPUT'] as const) {
        try {
          await take[kind](fileOf(kind))
        } catch (error) {
          broken = true
          annotate(state, 'error', `Unable to process file command '${kind.toLowerCase()}' successfully.`)
          annotate(state, 'error', error instanceof Error ? error.message : String(error))
        }
      }
      return { outputs, broken }
    },
  }
}

function takeVariables(state: JobState, pairs: readonly (readonly [string, string])[]): void {
  for (const [name, value] of pairs) {
    if (blockedVariables.has(name.toUpperCase())) {
      annotate(state, 'error', `Can't store ${name} output parameter using '$GITHUB_ENV' command.`)
    } else {
      state.env[name] = value
    }
  }
}

async function takeSummary(state: JobState, file: string): Promise<void> {
  const { size } = await stat(file)
  if (size > SUMMARY_LIMIT) {
    const kib = Math.ceil(size / 1024)
    annotate(
      state,
      'error',
      `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got ${kib}k.`,
    )
    return
  }
  const text = await readFile(file, 'utf8')
  if (text !== '')
    state.summaries.push(
      text
        .split('\n')
        .map(line => state.run.masks.hide(line))
        .join('\n'),
    )
}

/** Prints an annotation and keeps it for the job's result, masked. */
export function annotate(
  state: JobState,
  level: 'error' | 'warning' | 'notice',
  message: string,
  title?: string,
): void {
  state.log.annotate(level, title === undefined || title === '' ? message : `${title}: ${message}`)
  const { masks } = state.run
  state.annotations.push({
    level,
    message: masks.hide(message),
    title: title === undefined || title === '' ? null : masks.hide(title),
  })
}
