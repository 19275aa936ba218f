import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Where an ssh server is installed; undefined where none is. */
export const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/opt/homebrew/sbin/sshd'].find(existsSync)

/** A real sshd on 127.0.0.1 with keys and configuration of its own, under the user of the tests. */
export interface SshServer {
  readonly port: number
  readonly user: string
  /** Text of a private key that is let in. */
  readonly privateKey: string
  /** The server's host key, as `ssh-keyscan` prints it. */
  readonly hostKey: string
  /** `HOME` of the sessions. */
  readonly home: string
  readonly folder: string
  /** Another key pair, which is not let in. */
  newKey(name: string, passphrase?: string): Promise<string>
  /** Ends the server with its connections; `start` makes it listen on the same port again. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Ends it and removes all that it kept. */
  remove(): Promise<void>
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })

const listens = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

export async function startSshServer(): Promise<SshServer> {
  if (sshd === undefined) throw new Error('there is no sshd here; install openssh-server')
  const folder = await mkdtemp(join(tmpdir(), 'gpu-actions-sshd-'))
  const home = join(folder, 'home')
  await mkdir(home)
  const newKey = async (name: string, passphrase = ''): Promise<string> => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', join(folder, name)])
    return readFile(join(folder, name), 'utf8')
  }
  const privateKey = await newKey('client')
  await newKey('host')
  await writeFile(join(folder, 'authorized_keys'), await readFile(join(folder, 'client.pub'), 'utf8'))
  const port = await freePort()
  const config = `ListenAddress 127.0.0.1
Port ${port}
HostKey ${folder}/host
PidFile none
AuthorizedKeysFile ${folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 100
MaxSessions 100
SetEnv HOME=${home}
`
  await writeFile(join(folder, 'config'), config)
  // What the service's unit makes; sshd insists on it when root starts it.
  if (userInfo().uid === 0 && !existsSync('/run/sshd')) {
    mkdirSync('/run/sshd')
    chmodSync('/run/sshd', 0o755)
  }
  let server: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const argv = ['-D', '-f', join(folder, 'config'), '-E', join(folder, 'log')]
    const child = spawn(sshd, argv, { stdio: 'ignore', detached: true })
    server = child
    const deadline = Date.now() + 20_000
    while (!(await listens(port))) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`sshd does not listen: ${await readFile(join(folder, 'log'), 'utf8').catch(() => 'no log')}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  const stop = async (): Promise<void> => {
    const child = server
    server = undefined
    if (child === undefined) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    // Its sessions first: each has a process of its own below the listening one.
    for (const pid of childrenOf(child.pid ?? 0)) kill(pid)
    kill(child.pid ?? 0)
    await gone
  }
  await start()
  const hostKey = `[127.0.0.1]:${port} ${(await readFile(join(folder, 'host.pub'), 'utf8')).trim()}`
  return {
    port,
    user: userInfo().username,
    privateKey,
    hostKey,
    home,
    folder,
    newKey,
    stop,
    start,
    remove: async () => {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function kill(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

/** The connections of a server: its children, and theirs that go by the same name. */
function childrenOf(pid: number): readonly number[] {
  const rows = execFileSync('ps', ['-Ao', 'pid=,ppid=,comm='])
    .toString()
    .split('\n')
    .map(row => row.trim().split(/\s+/))
  const below = (parent: number): number[] =>
    rows
      .filter(([, ppid, name]) => Number(ppid) === parent && name?.includes('sshd') === true)
      .flatMap(([child]) => [Number(child), ...below(Number(child))])
  return below(pid)
}
