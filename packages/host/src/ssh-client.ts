import { spawn, type ChildProcess } from 'node:child_process'
import { formatDuration, OutsideFault } from '@gpu-actions/action-kit/ports'
import type { RunOptions } from './host.ts'
import { exchangeOf, replyReader } from './ssh-exchange.ts'
import { noClient, SshFailure, sshFault, type SshAttempt, type SshCircumstances } from './ssh-faults.ts'
import type { TransportResult } from './transport.ts'

/** How programs of the client are called. */
export interface SshPrograms {
  /** Where key, known hosts and control socket lie; they are named by relative paths, for a socket's path must be short. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
}

/** How long a script that was given up may take to end, in milliseconds. */
const endMs = 4_000
/** How much of the client's own words is kept, in characters. */
const wordsKept = 4_000

function start(programs: SshPrograms, program: string, argv: readonly string[]): ChildProcess {
  // A group of its own: a Ctrl-C that cancels the step must not cut the line on which the job is cancelled.
  return spawn(program, argv, {
    cwd: programs.folder,
    env: programs.environment,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Runs a program of the client that needs no input, such as `ssh-keyscan`, to its end. */
export async function runProgram(
  programs: SshPrograms,
  program: string,
  argv: readonly string[],
  timeoutMs: number,
): Promise<SshAttempt> {
  const child = start(programs, program, argv)
  child.stdin?.end()
  let [printed, words] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (words += chunk.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  try {
    return { code: await endOf(child, program), printed, words }
  } finally {
    clearTimeout(timer)
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

const endOf = (child: ChildProcess, program: string): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', error => reject(noClient(program, error)))
    child.once('close', code => resolve(code))
    // A connection that is kept for later calls may hold the pipes.
    child.once('exit', code => setTimeout(() => resolve(code), 500).unref())
  })

export interface ScriptCall {
  readonly argv: readonly string[]
  readonly script: string
  readonly input: Uint8Array
  readonly outputBytes: number
  readonly circumstances: SshCircumstances
}

/** Runs a script through the client. */
export async function runScript(
  programs: SshPrograms,
  call: ScriptCall,
  options: RunOptions,
): Promise<TransportResult> {
  const { timeoutMs = 60_000, signal } = options
  signal?.throwIfAborted()
  const { command, head, mark } = exchangeOf(call.script, call.input.length)
  const reply = replyReader(mark, call.outputBytes)
  const child = start(programs, 'ssh', [...call.argv, command])
  const { stdin, stdout, stderr } = child
  if (stdin === null || stdout === null || stderr === null) throw new Error('a child without pipes')
  let words = ''
  stderr.on('data', (chunk: Buffer) => {
    if (words.length < wordsKept) words += chunk.toString()
  })
  // The client may end before it has read all.
  stdin.on('error', () => undefined)
  stdin.write(head)
  if (call.input.length > 0) stdin.write(call.input)
  let gaveUp: 'late' | 'aborted' | undefined
  let killer: NodeJS.Timeout | undefined
  const giveUp = (why: 'late' | 'aborted'): void => {
    gaveUp ??= why
    // No dot: the host ends the script. Bytes that wait to be written would hold the end back.
    if (stdin.writableLength > 0) stdin.destroy()
    else stdin.end()
    killer ??= setTimeout(() => child.kill('SIGKILL'), endMs)
  }
  const timer = setTimeout(() => giveUp('late'), timeoutMs)
  const abort = (): void => giveUp('aborted')
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const ended = new Promise<void>(resolve => {
      stdout.on('data', (chunk: Buffer) => {
        reply.add(chunk)
        if (reply.ended() !== undefined) resolve()
      })
    })
    const code = await Promise.race([ended, endOf(child, 'ssh')])
    signal?.throwIfAborted()
    if (gaveUp === 'late') throw tooLong(call.circumstances, timeoutMs)
    const result = reply.ended()
    if (result !== undefined) return result
    throw sshFault({ words, printed: reply.soFar(), code: code ?? null }, call.circumstances)
  } finally {
    clearTimeout(timer)
    clearTimeout(killer)
    signal?.removeEventListener('abort', abort)
    letGo(child, gaveUp === undefined)
  }
}

const tooLong = ({ user, host }: SshCircumstances, timeoutMs: number): OutsideFault =>
  new OutsideFault({
    what: `A script on ${user}@${host} over ssh ran longer than ${formatDuration(timeoutMs)} and was ended`,
    advice: 'Give it more time, or see why it hangs or whether the machine still answers.',
    cause: new SshFailure('late', 'no end in time'),
  })

/** Leaves a client to end by itself, for that takes another way to the host and back; nobody waits for it. */
function letGo(child: ChildProcess, thank: boolean): void {
  if (thank) child.stdin?.end('.')
  else child.stdin?.destroy()
  child.stdout?.destroy()
  child.stderr?.destroy()
  child.unref()
  if (child.exitCode === null && child.signalCode === null) {
    const timer = setTimeout(() => child.kill('SIGKILL'), endMs)
    timer.unref()
    child.once('exit', () => clearTimeout(timer))
  }
}
