import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { formatDuration, OutsideFault } from '@gpu-actions/action-kit/ports'
import type { Host, RunOptions } from './host.ts'
import { hostOver } from './host-over.ts'
import type { HostPorts } from './jobs.ts'
import { quote } from './shell.ts'
import type { Transport, TransportResult } from './transport.ts'

export interface LocalPorts extends HostPorts {
  /** What the scripts and jobs see. Nothing of the runner's own environment unless it is put here. */
  readonly environment: Readonly<Record<string, string>>
  /** Where jobs and half-sent files are kept; absolute. Made when it is missing. */
  readonly directory: string
}

/** Between asking a script to end and killing it, in milliseconds. */
const graceMs = 2_000
const outputBytes = 4 * 1024 * 1024

/** Ends a process group: asks first, then kills. */
function endGroup(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  const tell = (signal: 'SIGTERM' | 'SIGKILL'): void => {
    try {
      process.kill(-pid, signal)
    } catch {
      // All of it is gone.
    }
  }
  tell('SIGTERM')
  setTimeout(() => tell('SIGKILL'), graceMs).unref()
}

type Ended = readonly [code: number | null, by: NodeJS.Signals | null]

const endOf = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, by) => resolve([code, by]))
    // What a script leaves running in the background may hold the pipe open.
    child.once('exit', (code, by) => setTimeout(() => resolve([code, by]), 500).unref())
  })

async function runHere(
  script: string,
  environment: LocalPorts['environment'],
  options: RunOptions,
  input?: Uint8Array,
): Promise<TransportResult> {
  const { timeoutMs = 60_000, signal } = options
  signal?.throwIfAborted()
  // A group of its own, so that it can be ended as a whole; one pipe for both outputs, so that their order is kept.
  const child = spawn('/bin/sh', ['-c', `exec 2>&1\n${script}`], {
    detached: true,
    env: environment,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'ignore'],
  })
  const { stdout } = child
  if (stdout === null) throw new Error('a child without a pipe')
  // The script may end before it has read all.
  child.stdin?.on('error', () => undefined).end(input)
  const kept: Buffer[] = []
  let room = outputBytes
  stdout.on('data', (chunk: Buffer) => {
    if (room > 0) kept.push(chunk.subarray(0, room))
    room -= chunk.length
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    endGroup(child)
  }, timeoutMs)
  const abort = (): void => endGroup(child)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const [code, by] = await endOf(child)
    signal?.throwIfAborted()
    if (late)
      throw new OutsideFault({
        what: `A script on this machine ran longer than ${formatDuration(timeoutMs)} and was ended`,
        advice: 'Give it more time, or see why it hangs.',
      })
    const exitCode = code ?? 128 + (by === null ? 0 : constants.signals[by])
    return { exitCode, output: new TextDecoder().decode(Buffer.concat(kept)) }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    stdout.destroy()
  }
}

/** This computer as a host: for offline machines and self-hosted runners. */
export function localHost(ports: LocalPorts): Host {
  const transport: Transport = {
    name: 'this machine',
    run: (script, options = {}) => runHere(script, ports.environment, options),
    feed: (script, input, options = {}) => runHere(script, ports.environment, options, input),
    limits: { scriptBytes: 100_000, outputBytes, fileBytes: 1024 * 1024 * 1024 },
    folder: quote(ports.directory),
    units: false,
    pace: { firstMs: 50, maxMs: 1_000, msPerCall: 0, patienceMs: 0 },
    mayPass: () => false,
  }
  return hostOver(transport, ports)
}
