import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { namespaceCommand, systemPython } from './isolation.ts'
import type { Way } from './isolation.ts'

/** How long the supervisor may take to end what it has started where no kernel does it (way `none`). */
const LAST_GRACE_MS = 5000
const ERRORS_KEPT = 16_384

/** What the supervisor says. The guest's root can reach it, so it is checked like any other input. */
const Event = v.variant('event', [
  v.object({ event: v.literal('started'), hostPid: v.pipe(v.number(), v.integer(), v.minValue(2)) }),
  v.object({ event: v.literal('booted') }),
  v.object({ event: v.literal('console'), text: v.string() }),
  v.object({ event: v.picklist(['poweroff', 'reboot', 'halt']) }),
  v.object({
    event: v.literal('result'),
    id: v.string(),
    exitCode: v.pipe(v.number(), v.integer()),
    stdout: v.string(),
    stderr: v.string(),
    timedOut: v.boolean(),
  }),
])
export type SupervisorEvent = v.InferOutput<typeof Event>

/** Keys of the role of an instance, as its metadata service would give them. */
export interface RoleKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
}

/** The first order; `directory` is the machine's root, `now` the cloud's clock in ms, `userData` base64. */
export interface BootOrder {
  readonly way: Way
  readonly directory: string
  readonly instanceId: string
  readonly python: string | null
  readonly env: Readonly<Record<string, string>>
  readonly userData: string
  readonly role: RoleKeys | null
  readonly systemd: boolean
  readonly now: number
}

export type Order =
  | {
      readonly do: 'execute'
      readonly id: string
      readonly script: string
      readonly timeoutSeconds: number
      readonly workingDirectory?: string
    }
  | { readonly do: 'cancel'; readonly id: string }
  | { readonly do: 'clock'; readonly now: number }

/** A running supervisor. `ended` resolves with the last of what it wrote to stderr once all in the machine is dead. */
export interface Supervisor {
  readonly send: (order: Order) => void
  readonly ended: Promise<string>
  readonly kill: () => Promise<void>
}

function parseEvent(line: string): SupervisorEvent | null {
  try {
    const parsed = v.safeParse(Event, JSON.parse(line))
    return parsed.success ? parsed.output : null
  } catch {
    return null
  }
}

/** Start a machine's process tree. Its end of standard input is its life line: when this process dies, it dies. */
export function startSupervisor(order: BootOrder, onEvent: (event: SupervisorEvent) => void): Supervisor {
  const program = fileURLToPath(new URL('./guest/supervisor.py', import.meta.url))
  const [command, ...words] = [...namespaceCommand(order.way), systemPython, '-B', '-E', '-s', program]
  const child = spawn(command ?? systemPython, words, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' })
  let hostPid: number | null = null
  let errors = ''
  let isOver = false
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(`${errors}${error.message}\n`))
    child.once('close', () => resolve(errors))
  }).finally(() => {
    isOver = true
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-ERRORS_KEPT)
  })
  child.stdin.on('error', () => {}) // It died meanwhile: `ended` tells.
  createInterface({ input: child.stdout }).on('line', line => {
    const event = parseEvent(line)
    if (event === null) return
    if (event.event === 'started') hostPid ??= event.hostPid
    onEvent(event)
  })
  const write = (value: object) => child.stdin.write(`${JSON.stringify(value)}\n`)
  write(order)

  const kill = async () => {
    if (isOver) return
    if (order.way === 'none') {
      child.stdin.end()
      const late = setTimeout(() => child.kill('SIGKILL'), LAST_GRACE_MS)
      await ended
      clearTimeout(late)
      return
    }
    // unshare ends only after its child was reaped, and that only after the kernel has ended all in the namespace.
    if (hostPid === null) child.kill('SIGKILL')
    else killNow(hostPid)
    await ended
  }
  return { send: write, ended, kill }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error
  }
}
