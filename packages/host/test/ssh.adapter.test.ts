import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { sshHost } from '../src/index.ts'
import { describeHost } from './conformance.ts'
import { startSshServer } from './ssh-server.ts'
import { needsSshServer, withSshServer } from './with-ssh-server.ts'

const quiet = { warning: () => {}, debug: () => {}, notice: () => {} }

withSshServer(needsSshServer, () => {
  describeHost(
    'ssh',
    async () => {
      const server = await startSshServer()
      const directory = await mkdtemp(join(tmpdir(), "gpu-actions it's 100%-"))
      const make = () =>
        sshHost(
          {
            host: '127.0.0.1',
            port: server.port,
            user: server.user,
            privateKey: server.privateKey,
            hostKey: server.hostKey,
          },
          { clock: systemClock, log: quiet, environment: { PATH: process.env['PATH'] ?? '' }, directory },
        )
      const hosts = [make()] as [ReturnType<typeof make>]
      return {
        host: hosts[0],
        again: () => {
          const other = make()
          hosts.push(other)
          return other
        },
        folder: server.home,
        stop: async () => {
          for (const host of hosts) await host.close()
          await server.remove()
          await rm(directory, { recursive: true, force: true })
        },
      }
    },
    { testMs: 120_000, whileSeconds: 1, muchBytes: 50_000_000 },
  )
})
