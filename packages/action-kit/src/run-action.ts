import * as core from '@actions/core'
import { readInputs, type ActionDefinition, type Inputs, type Outputs, type Values } from './definition.ts'
import { describeFailure } from './failure.ts'
import { jobIdToken } from './id-token.ts'
import { actionLog } from './log.ts'
import { systemClock, type Clock } from './ports/clock.ts'
import type { Log } from './ports/log.ts'
import { readRunContext, type RunContext } from './run-context.ts'
import { runDirectories, type RunDirectories } from './run-directory.ts'

/** Everything that an action may touch; what it needs of the world comes through here. */
export interface PostContext<O extends Outputs = Outputs> {
  readonly run: RunContext
  readonly runDirectories: RunDirectories
  readonly log: Log
  readonly clock: Clock
  /** Aborts when the job is cancelled; the runner kills the step ten seconds later. */
  readonly signal: AbortSignal
  /** Hides a value in all that is printed from now on. */
  mask(secret: string): void
  /**
   * A new OIDC token of the job for an audience, masked; to be had as often as wanted, in a post too.
   * @throws UserFault when the job may not have one, OutsideFault
   */
  readonly idToken: (audience: string) => Promise<string>
  setOutput(id: keyof O & string, value: string | number | boolean | null): void
  /** Appends Markdown to the step's summary. */
  summarize(markdown: string): Promise<void>
}

export interface ActionContext<I extends Inputs, O extends Outputs> extends PostContext<O> {
  readonly inputs: Values<I>
}

/** The job was cancelled, or timed out, while the action worked. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/**
 * Runs an action's main: reads all inputs, masks the secret ones, then works. The one place where an action fails.
 */
export function runAction<I extends Inputs, O extends Outputs>(
  definition: ActionDefinition<I, O>,
  work: (context: ActionContext<I, O>) => Promise<void>,
): Promise<void> {
  return boundary(async () => {
    for (const [id, input] of Object.entries(definition.inputs)) {
      if (input.secret) mask(core.getInput(id))
    }
    const inputs = readInputs(definition, id => core.getInput(id))
    await withContext<O>(context => work({ ...context, inputs }))
  })
}

/** What an input says now that the job ends; undefined when it is empty. Not checked, and without its fallback. */
export type LateInput<I extends Inputs> = (id: keyof I & string) => string | undefined

/**
 * Runs an action's post. What it does follows from the state that main left, because the inputs may have been wrong, or
 * may read differently by the time the job ends.
 * @param definition for an action that cannot do its work without a secret, which must not be in the state: the runner
 *   evaluates inputs anew for the post, and `late` reads them. Secret ones are masked first.
 */
export function runPost<I extends Inputs, O extends Outputs>(
  work: (context: PostContext, late: LateInput<I>) => Promise<void>,
  definition?: ActionDefinition<I, O>,
): Promise<void> {
  return boundary(async () => {
    for (const [id, input] of Object.entries(definition?.inputs ?? {})) {
      if (input.secret) mask(core.getInput(id))
    }
    await withContext(context => work(context, id => core.getInput(id) || undefined))
  })
}

function mask(secret: string): void {
  if (secret !== '') core.setSecret(secret)
}

async function boundary(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    const failure =
      thrown instanceof Cancelled ? { message: `Cancelled: ${thrown.message}`, details: '' } : describeFailure(thrown)
    actionLog.error(failure.message)
    process.exitCode = core.ExitCode.Failure
    if (failure.details !== '') actionLog.info(failure.details)
  }
}

async function withContext<O extends Outputs>(work: (context: PostContext<O>) => Promise<void>): Promise<void> {
  const run = readRunContext(process.env)
  const cancel = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void =>
    cancel.abort(new Cancelled(`the runner sent ${signal}; what was begun is ended by the steps that always run`))
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    await work({
      run,
      runDirectories: runDirectories(run.temp),
      log: actionLog,
      clock: systemClock,
      signal: cancel.signal,
      mask,
      idToken: audience => jobIdToken(audience, process.env),
      setOutput: (id, value) => core.setOutput(id, value ?? ''),
      summarize: async markdown => void (await core.summary.addRaw(markdown, true).write()),
    })
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}
