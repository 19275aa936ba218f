/**
 * How long one short script takes over each transport: `node packages/host/test/bench-transports.ts [calls]`, Node 24.
 * The ssh server is a real one, on 127.0.0.1: a network adds its round trips, more of them to a
 * connection of its own than to one that is shared.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { localHost, sshHost, type Host, type SshHost } from '../src/index.ts'
import { startSshServer } from './ssh-server.ts'

const calls = Number(process.argv[2] ?? 25)
const silent = (): void => undefined
const log = { debug: silent, warning: silent, notice: silent }
const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' }
const directory = await mkdtemp(join(tmpdir(), 'gpu-actions-bench-'))
const server = await startSshServer()
const { port, user, privateKey, hostKey } = server
const ports = { clock: systemClock, log, environment, directory }
const over = (multiplex: boolean): SshHost =>
  sshHost({ host: '127.0.0.1', port, user, privateKey, hostKey, multiplex }, ports)

async function times(name: string, host: Host): Promise<void> {
  const took: number[] = []
  for (let call = 0; call <= calls; call++) {
    const from = performance.now()
    await host.run('true')
    took.push(performance.now() - from)
  }
  const [first = NaN, ...rest] = took
  const sorted = rest.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(0)
  console.log(
    `${name.padEnd(28)} first ${first.toFixed(0)} ms, then median ${at(0.5)} ms, 10 % ${at(0.1)} ms, 90 % ${at(0.9)} ms`,
  )
}

const [shared, single] = [over(true), over(false)]
try {
  await times('this machine', localHost(ports))
  await times('ssh, one connection shared', shared)
  await times('ssh, a connection each', single)
} finally {
  await Promise.all([shared.close(), single.close()])
  await server.remove()
  await rm(directory, { recursive: true, force: true })
}
