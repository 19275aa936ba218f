import { execFile, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** How long the runner waits between signals, in milliseconds (actions/runner, ProcessInvoker.cs:32). */
export interface CancelWaits {
  readonly afterInterrupt: number
  readonly afterTerminate: number
}

export interface ProcessSpec {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  readonly onStart?: (pid: number) => void
  /** SIGINT to the entry process, then SIGTERM, then the tree is killed. */
  readonly cancel: AbortSignal
  /** The tree is killed at once: the machine under it is gone, or its five minutes are. */
  readonly kill: AbortSignal
  readonly waits: CancelWaits
}

export interface ProcessEnd {
  /** Null when a signal ended it or it could not be started. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly failure: string | null
}

/** Streams that a left-behind child keeps open are not waited for longer than this. */
const STREAMS_LIMIT_MS = 5000

const send = (pid: number, signal: NodeJS.Signals) => {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended in the meantime, which is what was wanted.
  }
}

/** Calls back for every line, whatever the chunks it arrives in; a last line without a newline counts. */
function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const take = (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
  }
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
  stream.on('end', () => {
    take(decoder.end())
    if (rest !== '') onLine(rest)
    rest = ''
  })
}

/** The process and all that descend from it, deepest last. */
async function treeOf(root: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const rows = stdout
    .trim()
    .split('\n')
    .map(row => row.trim().split(/\s+/).map(Number))
  const tree = [root]
  for (const parent of tree) {
    for (const [pid, ppid] of rows) if (ppid === parent && pid !== undefined && !tree.includes(pid)) tree.push(pid)
  }
  return tree
}

async function killTree(pid: number): Promise<void> {
  const tree = await treeOf(pid).catch(() => [pid])
  for (const member of tree) send(member, 'SIGKILL')
  send(-pid, 'SIGKILL')
}

/** Runs one entry process of a step and ends it as GitHub's runner does. Never rejects. */
export async function runProcess(spec: ProcessSpec): Promise<ProcessEnd> {
  // A process group of its own: Ctrl-C at the terminal must reach it only through the runner.
  const child = spawn(spec.file, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  readLines(child.stdout, spec.onLine)
  readLines(child.stderr, spec.onLine)
  const ended = new AbortController()
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  const end = new Promise<ProcessEnd>(resolve => {
    child.once('error', error => resolve({ exitCode: null, signal: null, failure: error.message }))
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal, failure: null }))
  })
  if (pid === undefined) return end
  spec.onStart?.(pid)
  const stopping = stopOnRequest(pid, spec, ended.signal)
  const result = await end
  await Promise.race([closed, sleep(STREAMS_LIMIT_MS, undefined, { ref: false })])
  ended.abort()
  child.stdout.destroy()
  child.stderr.destroy()
  await stopping
  return result
}

/** Resolves when the process has ended, after whatever was needed to make it end. */
async function stopOnRequest(pid: number, { cancel, kill, waits }: ProcessSpec, ended: AbortSignal): Promise<void> {
  await any([cancel, kill, ended])
  if (!kill.aborted && !ended.aborted) {
    send(pid, 'SIGINT')
    await any([kill, ended], waits.afterInterrupt)
  }
  if (!kill.aborted && !ended.aborted) {
    send(pid, 'SIGTERM')
    await any([kill, ended], waits.afterTerminate)
  }
  if (!ended.aborted) await killTree(pid)
}

/** Resolves when one of the signals is aborted, or the time is up. */
export function any(signals: readonly AbortSignal[], milliseconds?: number): Promise<void> {
  return new Promise(resolve => {
    const timer = milliseconds === undefined ? undefined : setTimeout(done, milliseconds)
    function done() {
      clearTimeout(timer)
      for (const signal of signals) signal.removeEventListener('abort', done)
      resolve()
    }
    for (const signal of signals) {
      if (signal.aborted) return done()
      signal.addEventListener('abort', done)
    }
  })
}

/**
 * Kills what a job's steps left running, found as GitHub's runner finds it: by RUNNER_TRACKING_ID in the environment.
 * Only Linux shows the environment of a process; elsewhere the list is empty.
 */
export async function killOrphans(trackingId: string): Promise<number[]> {
  const entries = await readdir('/proc').catch(() => [])
  const pids = entries.filter(name => /^\d+$/.test(name)).map(Number)
  const mark = `RUNNER_TRACKING_ID=${trackingId}`
  const environments = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
  const orphans = pids.filter((_, index) => environments[index]?.split('\0').includes(mark))
  for (const pid of orphans) send(pid, 'SIGKILL')
  return orphans
}
