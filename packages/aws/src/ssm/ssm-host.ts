import { formatDuration, OutsideFault } from '@gpu-actions/action-kit/ports'
import { hostOver, type Host, type RunOptions, type Transport, type TransportResult } from '@gpu-actions/host'
import { codeOf, faultOf, isTransient } from '../errors.ts'
import { cancelCommand, deliverySeconds, invocationOf, sendScript, type SsmTarget } from './command.ts'
import { scriptBytes } from './script-text.ts'
import { knownStanding, standingOf, type Standing } from './standing.ts'

/** Biggest file over SSM, in bytes: about 60 commands when it cannot be compressed. */
const fileBytes = 1024 * 1024
/** `GetCommandInvocation` keeps the first 24,000 characters of standard output. */
const outputBytes = 23_900
/** Time over the sum of the command's own time limits, before the agent counts as deaf, in milliseconds. */
const deafMs = 20_000
/** Consecutive questions about one command are at least so far apart, in milliseconds. */
const askMs = 2_000

/**
 * When to ask for the first time after sending: learnt, so that a look takes two calls on a quick agent and on a slow
 * one. A little sooner after each hit, clearly later after each miss.
 */
export function firstAsk(): { readonly ms: () => number; readonly learn: (hit: boolean) => void } {
  let ms = 1_000
  return {
    ms: () => ms,
    learn: hit => {
      ms = hit ? Math.max(400, ms * 0.98) : Math.min(3_000, ms * 1.5)
    },
  }
}

interface Waiting {
  readonly timeoutMs: number
  readonly first: ReturnType<typeof firstAsk>
  readonly signal?: AbortSignal
}

const deaf: Standing = {
  kind: 'failed',
  says: 'has had no outcome for longer than it may take',
  advice: 'See whether the machine still runs and its agent is Online.',
}

/** Standard error joins standard output in the script, so only the agent itself writes here; the exit code we know. */
const agentsWords = (stderr: string): string => stderr.replace(/^\n?failed to run commands: exit status \d+\n?$/, '')

/** Waits for the end of a command that was sent. */
async function outcomeOf(target: SsmTarget, commandId: string, waiting: Waiting): Promise<TransportResult> {
  const { clock, instanceId } = target
  const sentAt = clock.now()
  const deadline = sentAt + waiting.timeoutMs + deliverySeconds * 1000 + deafMs
  await clock.sleep(waiting.first.ms(), waiting.signal)
  for (let calls = 1, pause = askMs; ; calls++, pause = Math.min(pause * 1.3, 5_000)) {
    const invocation = await invocationOf(target, commandId, sentAt, waiting.signal)
    const standing = invocation && standingOf(invocation)
    const over = standing !== undefined && standing.kind !== 'going'
    if (calls === 1) waiting.first.learn(over)
    if (invocation !== undefined && standing?.kind === 'ended')
      return {
        exitCode: invocation.ResponseCode ?? -1,
        output: `${invocation.StandardOutputContent ?? ''}${agentsWords(invocation.StandardErrorContent ?? '')}`,
        calls,
      }
    if (over) throw statusFault(instanceId, standing, invocation?.StatusDetails ?? 'none', waiting.timeoutMs)
    if (clock.now() >= deadline) {
      await cancelCommand(target, commandId)
      throw statusFault(instanceId, deaf, invocation?.StatusDetails ?? 'Delayed', waiting.timeoutMs)
    }
    await clock.sleep(pause * (1 + clock.random() / 4), waiting.signal)
  }
}

function statusFault(instanceId: string, standing: Standing, details: string, timeoutMs: number): OutsideFault {
  const code = details.replaceAll(' ', '')
  const says =
    code === 'ExecutionTimedOut' ? `ran longer than ${formatDuration(timeoutMs)} and was ended` : standing.says
  return new OutsideFault({
    what: `A script on ${instanceId} over SSM ${says}`,
    advice: standing.advice ?? 'See the command in the Systems Manager console.',
    cause: Object.assign(new Error(`StatusDetails: ${details}`), { name: code }),
  })
}

/** Failures that say something of the moment, not of the call. */
function mayPass(failure: unknown): boolean {
  if (!(failure instanceof OutsideFault)) return false
  const code = codeOf(failure.cause)
  const standing = knownStanding(code)
  if (standing !== undefined) return standing.kind !== 'failed' || standing.mayPass === true
  return code === 'InvalidInstanceId' || isTransient(faultOf(failure.cause))
}

/**
 * A machine that is reached over the Systems Manager: no port is open, no key is needed.
 * Scripts and their output are kept by the service and shown to whoever may list commands: nothing secret goes in.
 */
export function ssmHost(target: SsmTarget): Host {
  const { instanceId } = target
  const first = firstAsk()
  const run = async (script: string, options: RunOptions = {}): Promise<TransportResult> => {
    const { timeoutMs = 60_000, signal } = options
    signal?.throwIfAborted()
    const sent = await sendScript(target, script, Math.max(1, Math.ceil(timeoutMs / 1000)))
    try {
      const result = await outcomeOf(target, sent.id, { timeoutMs, first, ...(signal ? { signal } : {}) })
      return { ...result, calls: sent.calls + (result.calls ?? 0) }
    } catch (error) {
      if (signal?.aborted === true) await cancelCommand(target, sent.id)
      throw error
    }
  }
  const transport: Transport = {
    name: `${instanceId} over SSM`,
    run,
    limits: { scriptBytes, outputBytes, fileBytes },
    folder: '/var/lib/gpu-actions',
    units: true,
    pace: { firstMs: 2_000, maxMs: 17_000, msPerCall: 8_500, patienceMs: 180_000 },
    mayPass,
  }
  return hostOver(transport, target)
}
