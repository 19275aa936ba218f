import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { way as bestWay } from './isolation.ts'
import type { Way } from './isolation.ts'
import { startSupervisor } from './supervisor.ts'
import type { RoleKeys, Supervisor, SupervisorEvent } from './supervisor.ts'

/** GetConsoleOutput shows the last 64 KiB. */
const CONSOLE_KEPT = 65_536

/** What a machine is made from. */
export interface MachineSpec {
  readonly instanceId: string
  /** The machine's own folder, made by the caller, who removes it after `kill()`. */
  readonly directory: string
  /** Decoded bytes, as cloud-init gets them. */
  readonly userData: Uint8Array | null
  /** A Python that the guest sees as /opt/pytorch/bin/python; null: there is none. */
  readonly python: string | null
  /** Environment of everything in the guest, e.g. AWS_ENDPOINT_URL and AWS_REGION. */
  readonly env: Readonly<Record<string, string>>
  /** What the stand-in for the AWS CLI acts with; without it the instance has no role. */
  readonly role?: RoleKeys | null
  /** False: the machine has no systemd, only `shutdown`, `poweroff`, `halt` and `reboot`. True unless given. */
  readonly systemd?: boolean
  /** Called at every reboot, the guest's own too; `done` settles as `boot()` does. */
  readonly onReboot?: (done: Promise<void>) => void
  /** The cloud's clock, ms since 1970. */
  readonly now: () => number
}

/** `exitCode` as the SSM agent tells it: 137 after time-out or cancel; −1: ended by a signal, or the machine died. */
export interface CommandResult {
  readonly exitCode: number
  /** The first MiB. */
  readonly stdout: string
  /** The first MiB. */
  readonly stderr: string
  readonly timedOut: boolean
}

export interface Machine {
  /**
   * Start the machine: boothooks of the user data, then enabled units, then (once per instance) its scripts. Resolves
   * when the boothooks have ended and the rest was started; a boothook that hangs holds up the boot as on EC2. A script
   * that fails is a line on the console. Rejects only when the machine cannot be made on this computer.
   */
  boot(): Promise<void>
  /**
   * Run a script as SSM's AWS-RunShellScript does: saved as a file and run by `/bin/sh -c FILE`, so that a shebang
   * counts; done when the script has ended and nobody holds its output open. The time limit is real time and ends the
   * script's process group; a process that has left the group (setsid) lives on, as with the real agent.
   */
  execute(
    id: string,
    script: string,
    options: { readonly timeoutSeconds: number; readonly workingDirectory?: string },
  ): Promise<CommandResult>
  /** End a command's process group at once; unknown ids are ignored. */
  cancel(id: string): void
  /** Kill everything and boot again: /run and /tmp are fresh, the rest of the files stay. */
  reboot(): Promise<void>
  /** Everything in it dies at once; resolves when it is dead. Idempotent. */
  kill(): Promise<void>
  /** The cloud's clock was moved: due timers, shutdowns and run-time limits fire. */
  clockMoved(): void
  /** Resolves when the guest has shut itself down. `halt` is no power-off: as on EC2 a halted machine stays rented. */
  readonly poweredOff: Promise<'guest'>
  /** The last 64 KiB. */
  consoleOutput(): string
}

const GONE: CommandResult = { exitCode: -1, stdout: '', stderr: '', timedOut: false }

function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A machine as this computer allows it; nothing runs before `boot()`. */
export function createMachine(spec: MachineSpec): Machine {
  return createMachineIn(bestWay, spec)
}

/** The same with the way of isolation chosen by the caller (tests try all that work here). */
export function createMachineIn(way: Way, spec: MachineSpec): Machine {
  const pending = new Map<string, (result: CommandResult) => void>()
  const powered = deferred<'guest'>()
  let supervisor: Supervisor | null = null
  let ending: Promise<void> = Promise.resolve()
  let isDead = false
  let text = ''

  const print = (more: string) => {
    text = (text + more).slice(-CONSOLE_KEPT)
  }
  const forgetCommands = () => {
    for (const done of pending.values()) done(GONE)
    pending.clear()
  }
  // Whoever wants it ended waits for every end that is under way: two boots must never meet in one directory.
  const end = () => {
    const last = supervisor
    supervisor = null
    ending = Promise.all([ending, last?.kill()]).then(forgetCommands)
    return ending
  }
  const onEvent = (event: SupervisorEvent) => {
    if (event.event === 'console') print(event.text)
    else if (event.event === 'result') {
      const { exitCode, stdout, stderr, timedOut } = event
      pending.get(event.id)?.({ exitCode, stdout, stderr, timedOut })
      pending.delete(event.id)
    } else if (event.event === 'poweroff') {
      void kill().then(() => powered.resolve('guest'))
    } else if (event.event === 'reboot') {
      void reboot().catch((error: unknown) => print(`the reboot failed: ${String(error)}\n`))
    }
  }

  const boot = async () => {
    if (isDead || supervisor !== null) return
    const directory = join(spec.directory, 'root')
    mkdirSync(directory, { recursive: true })
    const booted = deferred<'booted'>()
    const order = {
      way,
      directory,
      instanceId: spec.instanceId,
      python: spec.python,
      env: spec.env,
      role: spec.role ?? null,
      systemd: spec.systemd ?? true,
      userData: Buffer.from(spec.userData ?? []).toString('base64'),
      now: spec.now(),
    }
    const mine = startSupervisor(order, event => {
      if (supervisor !== mine) return
      if (event.event === 'booted') booted.resolve('booted')
      onEvent(event)
    })
    supervisor = mine
    const outcome = await Promise.race([booted.promise, mine.ended.then(errors => ({ errors }))])
    if (outcome === 'booted') {
      void mine.ended.then(errors => {
        if (supervisor === mine) print(errors) // It died by itself: this is all there is to learn from.
      })
    } else if (supervisor === mine) {
      supervisor = null
      throw new Error(`the machine ${spec.instanceId} could not be started on this computer: ${outcome.errors}`)
    }
  }
  const reboot = () => {
    if (isDead) return Promise.resolve()
    const done = end().then(boot)
    spec.onReboot?.(done)
    return done
  }
  const kill = async () => {
    isDead = true
    await end()
  }

  return {
    boot,
    reboot,
    kill,
    execute: (id, script, options) => {
      if (isDead) return Promise.resolve(GONE)
      const done = deferred<CommandResult>()
      pending.set(id, done.resolve)
      supervisor?.send({ do: 'execute', id, script, ...options })
      return done.promise
    },
    cancel: id => supervisor?.send({ do: 'cancel', id }),
    clockMoved: () => supervisor?.send({ do: 'clock', now: spec.now() }),
    poweredOff: powered.promise,
    consoleOutput: () => text,
  }
}
