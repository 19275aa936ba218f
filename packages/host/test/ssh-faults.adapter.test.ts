import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { OutsideFault, systemClock } from '@gpu-actions/action-kit/ports'
import { sshHost, type SshHost, type SshOptions } from '../src/index.ts'
import { fingerprintOf, readPublicKeys } from '../src/ssh-keys.ts'
import { startProxy } from './cutting-proxy.ts'
import { startSshServer, type SshServer } from './ssh-server.ts'
import { needsSshServer, withSshServer } from './with-ssh-server.ts'

jest.setTimeout(60_000)

withSshServer(`ssh with ${needsSshServer}`, () => {
  let server: SshServer
  let directory = ''
  const said: string[] = []
  const opened: SshHost[] = []
  beforeAll(async () => {
    server = await startSshServer()
    directory = await mkdtemp(join(tmpdir(), 'gpu-actions-ssh-'))
  })
  afterEach(async () => {
    for (const host of opened.splice(0)) await host.close()
    said.length = 0
  })
  afterAll(async () => {
    await server.remove()
    await rm(directory, { recursive: true, force: true })
  })
  /** A host as the tests' server is reached; without `hostKey`, the key that comes first is taken. */
  const unpinned = (more: Partial<SshOptions> = {}, path = process.env['PATH'] ?? ''): SshHost => {
    const { port, user, privateKey } = server
    const tell = (text: string): void => void said.push(text)
    const log = { warning: tell, debug: tell, notice: tell }
    const options = { host: '127.0.0.1', port, user, privateKey, ...more }
    const host = sshHost(options, { clock: systemClock, log, environment: { PATH: path }, directory })
    opened.push(host)
    return host
  }
  const open = (more: Partial<SshOptions> = {}, path?: string): SshHost =>
    unpinned({ hostKey: server.hostKey, ...more }, path)
  const faultOf = async (host: SshHost): Promise<OutsideFault> => {
    const failure: unknown = await host.run('true').catch((error: unknown) => error)
    if (failure instanceof OutsideFault) return failure
    throw new Error(`no fault of the outside: ${String(failure)}`)
  }

  describe('what hinders a connection has its own sentence', () => {
    test('a key that is not let in, with its fingerprint', async () => {
      const fault = await faultOf(open({ privateKey: await server.newKey('stranger') }))
      const [key] = readPublicKeys(await readFile(join(server.folder, 'stranger.pub'), 'utf8'))
      expect(fault.message).toContain(
        `does not let ${server.user} in with the private key ${key && fingerprintOf(key)}`,
      )
      expect(fault.message).toContain('Permission denied')
      expect(fault.advice).toContain('authorized_keys')
    })

    test('a user who is not there: a server does not tell it from a wrong key', async () => {
      const fault = await faultOf(open({ user: 'nobody-here' }))
      expect(fault.message).toContain('does not let nobody-here in')
      expect(fault.advice).toMatch(/see whether nobody-here is the user/)
    })

    test('a key that the client cannot read', async () => {
      const damaged = '-----BEGIN RSA PRIVATE KEY-----\nbm90IGEga2V5\n-----END RSA PRIVATE KEY-----'
      const fault = await faultOf(open({ privateKey: damaged }))
      expect(fault.message).toMatch(/cannot read the private key/)
      expect(fault.message).not.toContain('bm90')
    })

    test('a host key that is not the pinned one, by line and by fingerprint', async () => {
      await server.newKey('impostor')
      const other = await readFile(join(server.folder, 'impostor.pub'), 'utf8')
      const [key] = readPublicKeys(other)
      for (const hostKey of [other, key ? fingerprintOf(key) : '']) {
        const fault = await faultOf(open({ hostKey }))
        expect(fault.message).toMatch(/another host key than the one it was pinned to; nothing was sent/)
        expect(fault.advice).toContain('somebody may stand in between')
      }
    })

    test('a host that does not exist', async () => {
      const fault = await faultOf(open({ host: 'no-such-host.invalid' }))
      expect(fault.message).toMatch(/no host named no-such-host|could not be looked up/)
    })

    test('a port on which nothing listens', async () => {
      const proxy = await startProxy(server.port)
      await proxy.stop()
      const fault = await faultOf(open({ port: proxy.port }))
      expect(fault.message).toContain(`nothing listens on port ${proxy.port}`)
      expect(fault.advice).toContain('booted')
    })

    test('a host that takes the connection and is silent', async () => {
      const proxy = await startProxy(server.port)
      proxy.hold(true)
      const fault = await faultOf(open({ port: proxy.port, connectMs: 1_000 }))
      expect(fault.message).toBe(`127.0.0.1 did not answer on port ${proxy.port} within 1s`)
      expect(fault.advice).toContain('firewall')
      await proxy.stop()
    })

    test('a runner without an ssh client', async () => {
      const fault = await faultOf(open({}, directory))
      expect(fault.message).toBe('There is no ssh on this runner')
      expect(fault.advice).toContain('openssh-client')
    })

    test('a host that runs something else than it was asked to', async () => {
      await server.newKey('forced')
      const line = await readFile(join(server.folder, 'forced.pub'), 'utf8')
      const says = String.raw`printf 'Please login as \033[31mubuntu\n::error::x\n'; exit 42`
      await appendFile(join(server.folder, 'authorized_keys'), `command="${says}" ${line}`)
      const fault = await faultOf(open({ privateKey: await readFile(join(server.folder, 'forced'), 'utf8') }))
      expect(fault.message).toMatch(/ran something else than it was asked to: Please login as \[31mubuntu ::error::x$/)
    })
  })

  describe('the host key', () => {
    test('that is pinned by fingerprint is found and checked', async () => {
      const [key] = readPublicKeys(server.hostKey)
      const host = open({ hostKey: key ? fingerprintOf(key) : '' })
      expect(await host.run('echo in')).toEqual({ exitCode: 0, output: 'in\n' })
      expect(said).toEqual([])
    })

    test('that nothing vouches for is taken at first, which is said once, and must stay the same', async () => {
      const host = unpinned()
      await host.run('true')
      await host.run('true')
      const [key] = readPublicKeys(server.hostKey)
      expect(said).toHaveLength(1)
      expect(said[0]).toContain(`nothing vouches for it: ${key && fingerprintOf(key)} (ssh-ed25519)`)
      const [kept, other] = [join(server.folder, 'host'), join(server.folder, 'exchanged')]
      const key1 = await readFile(kept)
      await server.newKey('exchanged')
      await server.stop()
      await writeFile(kept, await readFile(other))
      await server.start()
      try {
        expect((await faultOf(host)).message).toContain('another host key than when it was first reached')
      } finally {
        await server.stop()
        await writeFile(kept, key1)
        await server.start()
      }
    })
  })

  test('the private key lies in a file of its own, in no argument, and is removed with its folder', async () => {
    const before = await readdir(directory)
    const host = open()
    await host.run('true')
    const [made = ''] = (await readdir(directory)).filter(name => !before.includes(name))
    const file = await stat(join(directory, made, 'key'))
    const folder = await stat(join(directory, made))
    expect([file.mode & 0o777, folder.mode & 0o777]).toEqual([0o600, 0o700])
    const secret = server.privateKey.split('\n')[1] ?? ''
    const seen = await host.run(
      `cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c ${secret.slice(0, 8)}'${secret.slice(8)}'`,
    )
    expect(seen.output.trim()).toBe('0')
    await host.close()
    expect(await readdir(directory)).toEqual(before)
    await expect(host.run('true')).rejects.toThrow(/was closed/)
  })

  test('a connection that failed leaves no key behind, and the next call tries anew', async () => {
    const before = await readdir(directory)
    const proxy = await startProxy(server.port)
    await proxy.refuse(true)
    const host = open({ port: proxy.port })
    await expect(host.run('true')).rejects.toThrow(/nothing listens/)
    expect(await readdir(directory)).toEqual(before)
    await proxy.refuse(false)
    expect((await host.run('echo now')).output).toBe('now\n')
    await host.close()
    await proxy.stop()
  })

  test('calls share one connection', async () => {
    const proxy = await startProxy(server.port)
    const host = open({ port: proxy.port })
    await Promise.all(Array.from({ length: 4 }, () => host.run('true')))
    await host.run('true')
    expect(proxy.taken()).toBe(1)
    await host.close()
    await proxy.stop()
  })
})
