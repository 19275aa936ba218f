import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { sshHost, type HostJob, type SshHost } from '../src/index.ts'
import { startProxy, type CuttingProxy } from './cutting-proxy.ts'
import { startSshServer, type SshServer } from './ssh-server.ts'
import { needsSshServer, withSshServer } from './with-ssh-server.ts'

jest.setTimeout(90_000)

withSshServer(`a connection that breaks, with ${needsSshServer}`, () => {
  let server: SshServer
  let proxy: CuttingProxy
  let direct: SshHost
  let directory = ''
  const said: string[] = []
  const open = (port: number, patienceMs = 60_000): SshHost => {
    const { user, privateKey, hostKey } = server
    const log = { warning: (text: string) => said.push(text), debug: () => {}, notice: () => {} }
    const environment = { PATH: process.env['PATH'] ?? '' }
    const options = { host: '127.0.0.1', port, user, privateKey, hostKey, patienceMs, connectMs: 3_000 }
    return sshHost(options, { clock: systemClock, log, environment, directory })
  }
  const job = (script: string): HostJob => ({
    name: 'trial',
    command: ['/bin/sh', '-c', script],
    timeoutMs: 60_000,
  })
  beforeAll(async () => {
    server = await startSshServer()
    directory = await mkdtemp(join(tmpdir(), 'gpu-actions-ssh-'))
    proxy = await startProxy(server.port)
    direct = open(server.port)
  })
  afterAll(async () => {
    await direct.close()
    await proxy.stop()
    await server.remove()
    await rm(directory, { recursive: true, force: true })
  })
  const until = async (holds: () => Promise<boolean> | boolean): Promise<void> => {
    const deadline = Date.now() + 40_000
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error('it did not become so in time')
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  test('does not end the job, and following goes on where it was', async () => {
    const host = open(proxy.port)
    const gate = `${server.home}/gate`
    const running = await host.start(job(`echo one; while [ ! -e ${gate} ]; do sleep 0.1; done; echo two; exit 3`))
    let text = ''
    const ended = running.follow(piece => (text += piece))
    await until(() => text === 'one\n')
    await proxy.refuse(true)
    await direct.run(`: >${gate}`)
    await until(() => said.some(line => line.includes('The job goes on; looking again')))
    await proxy.refuse(false)
    expect(await ended).toEqual({ how: 'exited', exitCode: 3 })
    expect(text).toBe('one\ntwo\n')
    await host.close()
  })

  test('wherever it breaks, again and again, the output comes home whole', async () => {
    const host = open(proxy.port)
    const gate = `${server.home}/cut-enough`
    const numbers = 'while [ $n -lt 3000 ]; do n=$((n + 1)); echo $n; [ $((n % 500)) = 0 ] && sleep 0.3; done'
    const running = await host.start(job(`n=0; ${numbers}; while [ ! -e ${gate} ]; do sleep 0.1; done; echo end`))
    let text = ''
    const ended = running.follow(piece => (text += piece))
    for (let cut = 0; cut < 5; cut++) {
      const before = proxy.taken()
      // Anywhere in logging in or in looking at the job.
      proxy.cutAfter(Math.floor(Math.random() * 8_000))
      await until(() => proxy.taken() > before)
    }
    proxy.cutAfter(Infinity)
    await direct.run(`: >${gate}`)
    expect(await ended).toEqual({ how: 'exited', exitCode: 0 })
    expect(text).toBe(`${Array.from({ length: 3000 }, (_, index) => `${index + 1}\n`).join('')}end\n`)
    await host.close()
  })

  test('for long makes the job lost, with the reason; another host object can still end it', async () => {
    const host = open(proxy.port, 1_500)
    const running = await host.start(job('echo on; sleep 600'))
    let text = ''
    const ended = running.follow(piece => (text += piece))
    await until(() => text === 'on\n')
    await proxy.refuse(true)
    expect(await ended).toMatchObject({
      how: 'lost',
      reason: expect.stringMatching(/did not answer for .*nothing listens/),
    })
    await proxy.refuse(false)
    await direct.job(running.id).cancel()
    expect(await direct.job(running.id).follow(() => {})).toEqual({ how: 'cancelled' })
    await host.close()
  })

  test('without a word is noticed, and following goes on', async () => {
    const host = open(proxy.port)
    const gate = `${server.home}/silent`
    const running = await host.start(job(`echo one; while [ ! -e ${gate} ]; do sleep 0.1; done; echo two`))
    let text = ''
    const ended = running.follow(piece => (text += piece))
    await until(() => text === 'one\n')
    const before = said.length
    proxy.hold(true)
    await direct.run(`: >${gate}`)
    await until(() => said.length > before)
    proxy.hold(false)
    expect(await ended).toEqual({ how: 'exited', exitCode: 0 })
    expect(text).toBe('one\ntwo\n')
    await host.close()
  })

  test('in the midst of a file sends it again, and it arrives whole', async () => {
    const host = open(proxy.port)
    await host.run('true')
    const content = randomBytes(2_000_000)
    proxy.cutAfter(1_000_000)
    await host.upload(`${server.home}/sent`, content)
    expect(Buffer.from(await direct.download(`${server.home}/sent`)).equals(content)).toBe(true)
    await until(async () => (await direct.run(`ls ${server.home} | grep -c '^sent'`)).output === '1\n')
    await host.close()
  })

  test('in the midst of a script ends the script, and a script of others is not sent twice', async () => {
    const host = open(proxy.port)
    const count = `${server.home}/count`
    const child = `${3000 + Math.floor(Math.random() * 5000)}.${Date.now() % 1000}1`
    const waiting = host.run(`echo once >>${count}; sleep ${child}`)
    waiting.catch(() => undefined)
    const running = async (): Promise<string> =>
      (
        await direct.run(
          `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '^[${child.charAt(0)}]${child.slice(1)}$'`,
        )
      ).output
    await until(async () => (await running()) === '1\n')
    proxy.cut()
    await expect(waiting).rejects.toThrow(/The connection to 127.0.0.1 broke/)
    await until(async () => (await running()) === '0\n')
    expect((await direct.run(`cat ${count}`)).output).toBe('once\n')
    await host.close()
  })
})
