import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe } from '@jest/globals'
import { way } from '../src/machine/isolation.ts'
import type { Way } from '../src/machine/isolation.ts'
import { createMachineIn } from '../src/machine/machine.ts'
import type { CommandResult, Machine } from '../src/machine/machine.ts'

/** The ways of namespaces that work here: root can also try what an ordinary user gets. */
export const apartWays: readonly Way[] = way === 'mapped' ? ['mapped', 'user'] : ['user']

/** Skipped where there are no namespaces (macOS, some containers): what is tested there cannot be had. */
export const describeApart = way === 'none' ? describe.skip : describe

export interface Rig {
  readonly machine: Machine
  readonly directory: string
  /** Move the cloud's clock and tell the machine. */
  readonly advance: (seconds: number) => void
  /** The cloud's time in `seconds` from now as a unit file writes it. */
  readonly utc: (seconds: number) => string
  readonly run: (script: string, timeoutSeconds?: number) => Promise<CommandResult>
}

const rigs: Rig[] = []
let count = 0

export async function makeMachine(
  options: { userData?: string | Uint8Array; python?: string | null; way?: Way; boot?: boolean } = {},
): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'offline-machine-'))
  let ahead = 0
  const now = () => Date.now() + ahead
  const machine = createMachineIn(options.way ?? way, {
    instanceId: 'i-0123456789abcdef0',
    directory,
    userData: options.userData === undefined ? null : Buffer.from(options.userData),
    python: options.python ?? null,
    env: { AWS_REGION: 'us-west-2' },
    now,
  })
  const rig: Rig = {
    machine,
    directory,
    advance: seconds => {
      ahead += seconds * 1000
      machine.clockMoved()
    },
    utc: seconds => new Date(now() + seconds * 1000).toISOString().slice(0, 19).replace('T', ' ') + ' UTC',
    run: (script, timeoutSeconds = 30) => machine.execute(`c${(count += 1)}`, script, { timeoutSeconds }),
  }
  rigs.push(rig)
  if (options.boot !== false) await machine.boot()
  return rig
}

export async function endMachines(): Promise<void> {
  const all = rigs.splice(0)
  await Promise.all(all.map(rig => rig.machine.kill()))
  await Promise.all(all.map(rig => rm(rig.directory, { recursive: true, force: true })))
}

/** Wait until `look` gives something truthy; fails by name at the deadline. */
export async function until<T>(what: string, look: () => T | Promise<T>, deadlineMs = 15_000): Promise<T> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > end) throw new Error(`${what}: not seen within ${deadlineMs} ms`)
    await delay(25)
  }
}

/** Ids of this computer's processes whose command line holds `mark`, zombies left out. */
export async function processesWith(mark: string): Promise<readonly string[]> {
  const names = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const lines = await Promise.all(
    names.map(async name => [name, await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')] as const),
  )
  return lines.filter(([name, line]) => line.includes(mark) && name !== String(process.pid)).map(([name]) => name)
}

/** A number of seconds for `sleep` that no other test uses, to find the process by. */
export function uniqueSleep(): string {
  return `${100_000 + Math.floor(Math.random() * 900_000)}.${Math.floor(Math.random() * 1_000_000)}`
}
