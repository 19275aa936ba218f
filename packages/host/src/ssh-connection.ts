import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Log, OutsideFault } from '@gpu-actions/action-kit/ports'
import type { HostPorts } from './jobs.ts'
import { runProgram, type SshPrograms } from './ssh-client.ts'
import { sshFault, type SshAttempt, type SshCircumstances } from './ssh-faults.ts'
import { fingerprintOf, readHostKeyPin, readPrivateKey, readPublicKeys, type PublicKey } from './ssh-keys.ts'

export interface SshOptions {
  /** Name or address. */
  readonly host: string
  /** Default 22. */
  readonly port?: number
  readonly user: string
  /** Text of a private key without a passphrase. Secret: it goes into a file of its own and nowhere else. */
  readonly privateKey: string
  /** Lines of known_hosts or a fingerprint (`SHA256:…`); absent takes the key that the host shows first, and says so. */
  readonly hostKey?: string
  /** Whether calls share one connection, which makes each several times quicker. Default true. */
  readonly multiplex?: boolean
  /** How long the first answer may take, in milliseconds. Default 15,000. */
  readonly connectMs?: number
  /** How long the host may be out of reach before its job counts as lost, in milliseconds. Default 180,000. */
  readonly patienceMs?: number
}

export interface SshPorts extends HostPorts {
  readonly log: Pick<Log, 'warning' | 'debug' | 'notice'>
  /** What the client sees: `PATH` is enough. */
  readonly environment: Readonly<Record<string, string>>
  /** A private folder is made in it for key and connection; absolute. Made when it is missing. */
  readonly directory: string
}

/** The way to one host: made at the first call, shared by all of them. */
export interface SshConnection {
  readonly circumstances: SshCircumstances
  /** Arguments of `ssh` up to the command. */
  readonly argv: readonly string[]
  /** Connects when it is not connected yet. @throws OutsideFault that says what hinders it */
  open(): Promise<SshPrograms>
  /** Whether it was ever connected. */
  wasOpen(): boolean
  close(): Promise<void>
}

/** The line in known_hosts has this name, so that port, address and other names of the host do not matter. */
const alias = 'gpu-actions-host'
/** A connection that carries nothing is asked so often, and given up after three questions, in seconds. */
const keepAliveSeconds = 5
/** Time for logging in after the host has answered, in milliseconds. */
const loginMs = 30_000

/** The client's options: nothing of the runner's own configuration, keys or agent, and never a question. */
const settings = (options: SshOptions, connectMs: number): Readonly<Record<string, string | number>> => ({
  BatchMode: 'yes',
  ConnectTimeout: Math.ceil(connectMs / 1000),
  ConnectionAttempts: 1,
  ServerAliveInterval: keepAliveSeconds,
  ServerAliveCountMax: 3,
  IdentityFile: 'key',
  IdentitiesOnly: 'yes',
  IdentityAgent: 'none',
  PreferredAuthentications: 'publickey',
  UserKnownHostsFile: 'known_hosts',
  GlobalKnownHostsFile: '/dev/null',
  HostKeyAlias: alias,
  HashKnownHosts: 'no',
  CheckHostIP: 'no',
  UpdateHostKeys: 'no',
  StrictHostKeyChecking: options.hostKey === undefined ? 'accept-new' : 'yes',
  ClearAllForwardings: 'yes',
  ForwardAgent: 'no',
  RequestTTY: 'no',
  LogLevel: 'ERROR',
  ...(options.multiplex === false
    ? { ControlMaster: 'no', ControlPath: 'none' }
    : { ControlMaster: 'auto', ControlPath: 'mux', ControlPersist: 60 }),
})

const lines = (keys: readonly PublicKey[]): string => keys.map(key => `${alias} ${key.type} ${key.base64}\n`).join('')

/** What can be known before anything happens. @throws RangeError for a host, user or key that cannot be right */
function targetOf(options: SshOptions) {
  const { host, port = 22, user, connectMs = 15_000 } = options
  if (isIP(host) === 0 && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(host)) throw new RangeError(`not a host: ${host}`)
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user)) throw new RangeError(`not a user: ${user}`)
  const key = readPrivateKey(options.privateKey)
  const pin = options.hostKey === undefined ? undefined : readHostKeyPin(options.hostKey)
  const circumstances: SshCircumstances = {
    host,
    port,
    user,
    keyFingerprint: key.fingerprint,
    isPinned: pin !== undefined,
    connectMs,
  }
  const argv = [
    ...['-F', 'none', '-T', '-p', String(port), '-l', user],
    ...Object.entries(settings(options, connectMs)).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
  ]
  return { key, pin, circumstances, argv }
}
type Target = ReturnType<typeof targetOf>

const faultOf = (target: Target, attempt: SshAttempt): OutsideFault => sshFault(attempt, target.circumstances)

/** A folder that only this user can read, with what the client needs. */
async function prepare(target: Target, { directory, environment }: SshPorts): Promise<SshPrograms> {
  await mkdir(directory, { recursive: true })
  // Made with mode 0700.
  const folder = await mkdtemp(join(directory, 'ssh-'))
  const programs = { folder, environment }
  const { key, pin } = target
  return orRemoved(folder, async () => {
    await writeFile(join(folder, 'key'), key.text, { mode: 0o600, flag: 'wx' })
    const known =
      pin === undefined ? [] : pin.kind === 'keys' ? pin.keys : await shown(target, programs, pin.fingerprint)
    await writeFile(join(folder, 'known_hosts'), lines(known), { mode: 0o600 })
    return programs
  })
}

async function orRemoved<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** The key with this fingerprint among those that the host shows; the connection itself then proves that it has it. */
async function shown(target: Target, programs: SshPrograms, fingerprint: string): Promise<readonly PublicKey[]> {
  const { host, port, connectMs } = target.circumstances
  const argv = ['-T', String(Math.ceil(connectMs / 1000)), '-p', String(port), '--', host]
  const { printed } = await runProgram(programs, 'ssh-keyscan', argv, 4 * connectMs)
  const keys = readPublicKeys(printed)
  const known = keys.filter(key => fingerprintOf(key) === fingerprint)
  // Without any the connection says why; with others only, that is the reason.
  if (keys.length > 0 && known.length === 0)
    throw faultOf(target, { words: 'Host key verification failed.', printed: '', code: 255 })
  return known
}

async function tellHostKey({ host }: SshCircumstances, { folder }: SshPrograms, log: SshPorts['log']): Promise<void> {
  const [key] = readPublicKeys(await readFile(join(folder, 'known_hosts'), 'utf8'))
  if (key === undefined) return
  log.notice(
    `The host key of ${host} was taken as it came, for nothing vouches for it: ${fingerprintOf(key)} (${key.type}). Give it as ssh-host-key to have it checked.`,
  )
}

/** @throws RangeError for a host, user or key that cannot be right */
export function sshConnection(options: SshOptions, ports: SshPorts): SshConnection {
  const target = targetOf(options)
  const { circumstances, argv, pin } = target
  const isShared = options.multiplex !== false
  /** The first connection, by itself: it says what is wrong with name, port, keys or user. */
  const connect = async (): Promise<SshPrograms> => {
    const programs = await prepare(target, ports)
    return orRemoved(programs.folder, async () => {
      const rest = isShared ? ['-fN', '--', circumstances.host] : ['--', circumstances.host, 'exit 0']
      const attempt = await runProgram(programs, 'ssh', [...argv, ...rest], circumstances.connectMs + loginMs)
      if (attempt.code !== 0) throw faultOf(target, attempt)
      if (pin === undefined) await tellHostKey(circumstances, programs, ports.log)
      return programs
    })
  }
  let opening: Promise<SshPrograms> | undefined
  let [wasOpen, isClosed] = [false, false]
  return {
    circumstances,
    argv: [...argv, '--', circumstances.host],
    wasOpen: () => wasOpen,
    open: async () => {
      if (isClosed) throw new Error(`the connection to ${circumstances.host} was closed`)
      const mine = (opening ??= connect())
      try {
        const programs = await mine
        wasOpen = true
        return programs
      } catch (error) {
        // The next call tries anew.
        if (opening === mine) opening = undefined
        throw error
      }
    },
    close: async () => {
      isClosed = true
      const programs = await opening?.catch(() => undefined)
      if (programs === undefined) return
      const ending = [...argv, '-O', 'exit', '--', circumstances.host]
      if (isShared) await runProgram(programs, 'ssh', ending, 5_000).catch(() => undefined)
      await rm(programs.folder, { recursive: true, force: true })
    },
  }
}
