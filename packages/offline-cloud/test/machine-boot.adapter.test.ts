import { gzipSync } from 'node:zlib'
import { afterEach, expect, jest, test } from '@jest/globals'
import { describeApart, endMachines, makeMachine, until } from './machine-fixture.ts'
import type { Rig } from './machine-fixture.ts'

jest.setTimeout(60_000)
afterEach(endMachines)

const finished = ({ machine }: Rig) =>
  until('the end of the boot', () => machine.consoleOutput().includes('the boot is finished'))

function multipart(parts: readonly (readonly [type: string, body: string])[]): string {
  const written = parts.map(([type, body]) => `--==X==\nContent-Type: ${type}; charset="utf-8"\n\n${body}\n`)
  return `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="==X=="\n\n${written.join('')}--==X==--\n`
}

describeApart('user data', () => {
  test('that is a script runs once, with its output on the console and in the log', async () => {
    const rig = await makeMachine({ userData: '#!/bin/bash\necho "hello from $0 $INSTANCE_ID"; echo warn >&2\n' })
    await finished(rig)
    expect(rig.machine.consoleOutput()).toContain('scripts/part-001 i-0123456789abcdef0\nwarn\n')
    const log = await rig.run('cat /var/log/cloud-init-output.log')
    expect(log.stdout).toBe(rig.machine.consoleOutput())
  })

  test('that is a boothook runs before boot() comes back, without its first line', async () => {
    const rig = await makeMachine({
      userData: '#cloud-boothook\n#!/bin/sh\nsleep 0.3; head -n1 $0; touch /root/hook\n',
    })
    expect((await rig.run('ls /root')).stdout).toBe('hook\n')
    expect(rig.machine.consoleOutput()).toContain('#!/bin/sh\n')
  })

  test('of several parts runs boothooks first, then scripts in their order; other kinds are named', async () => {
    const rig = await makeMachine({
      userData: multipart([
        ['text/x-shellscript', '#!/bin/sh\necho script-one\nexit 3'],
        ['text/cloud-config', 'packages: [x]'],
        ['text/plain', '#!/bin/sh\necho script-two'],
        ['text/cloud-boothook', '#cloud-boothook\n#!/bin/sh\necho the-hook'],
      ]),
    })
    await finished(rig)
    const text = rig.machine.consoleOutput()
    const order = ['the-hook', 'script-one', 'part-001 failed with exit code 3', 'script-two']
    expect(order.map(part => text.indexOf(part)).toSorted((a, b) => a - b)).toEqual(
      order.map(part => text.indexOf(part)),
    )
    expect(order.every(part => text.includes(part))).toBe(true)
    expect(text).toContain('part-002: text/cloud-config is not supported by the offline cloud')
  })

  test('may be packed with gzip', async () => {
    const rig = await makeMachine({ userData: gzipSync('#!/bin/sh\necho unpacked\n') })
    await finished(rig)
    expect(rig.machine.consoleOutput()).toContain('unpacked\n')
  })

  test.each([
    ['#cloud-config\npackages: []\n', 'text/cloud-config is not supported'],
    ['echo no kind\n', 'text/x-not-multipart is not supported'],
    ['#cloud-boothook\necho no interpreter\n', 'Missing #! in script?'],
    ['#!/no/such/interpreter\n', 'No such file or directory'],
  ])('that cannot be run is named and the boot goes on: %j', async (userData, expected) => {
    const rig = await makeMachine({ userData })
    await finished(rig)
    expect(rig.machine.consoleOutput()).toContain(expected)
    expect((await rig.run('echo alive')).stdout).toBe('alive\n')
  })

  test('that runs for long does not hold up the boot nor commands', async () => {
    const rig = await makeMachine({ userData: '#!/bin/sh\necho begun\nsleep 600\n' })
    expect((await rig.run('echo alive')).stdout).toBe('alive\n')
  })

  test('that prints without end is bounded on the console', async () => {
    const rig = await makeMachine({ userData: '#!/bin/sh\nhead -c 300000 /dev/zero | tr "\\0" x\necho the-last\n' })
    await finished(rig)
    expect(rig.machine.consoleOutput().length).toBeLessThanOrEqual(65_536)
    expect(rig.machine.consoleOutput()).toContain('the-last\n')
  })
})

describeApart('a reboot', () => {
  const userData = multipart([
    ['text/cloud-boothook', '#!/bin/sh\necho hook >> /var/hooks'],
    ['text/x-shellscript', '#!/bin/sh\necho script >> /var/scripts'],
  ])

  test('kills everything and runs boothooks again, scripts not; /run and /tmp are fresh, /var stays', async () => {
    const rig = await makeMachine({ userData })
    await until('the script', async () => (await rig.run('cat /var/scripts')).exitCode === 0)
    await rig.run('touch /run/mark /tmp/mark /var/mark; (setsid sleep 600 >/dev/null 2>&1 &)')
    const cut = rig.run('sleep 600')
    await rig.machine.reboot()
    expect(await cut).toMatchObject({ exitCode: -1 })
    await until('the end of both boots', () => rig.machine.consoleOutput().split('the boot is finished').length === 3)
    const seen = await rig.run(
      'cat /var/hooks /var/scripts; ls /run/mark /tmp/mark /var/mark 2>/dev/null; grep -l sleep /proc/[0-9]*/comm',
    )
    expect(seen.stdout).toBe('hook\nhook\nscript\n/var/mark\n')
  })

  test.each(['reboot', 'shutdown -r now', 'systemctl reboot', 'systemctl start reboot.target'])(
    'happens when the guest says "%s"',
    async command => {
      const rig = await makeMachine({ userData })
      await rig.run(command)
      await until('a second boot', () => rig.machine.consoleOutput().split('the boot is finished').length === 3)
      expect((await rig.run('cat /var/hooks')).stdout).toBe('hook\nhook\n')
    },
  )
})

describeApart('time in the guest', () => {
  test('is the cloud’s for date, in all its forms', async () => {
    const { run, advance } = await makeMachine()
    const before = Number((await run('date +%s')).stdout)
    advance(86_400)
    const after = await run(
      '/bin/date -u +%s; date --iso-8601=seconds | date -f - +%s; date -u -d @0 +%Y; date -Iseconds | cut -c1-4',
    )
    const [moved, piped, epoch, year] = after.stdout.split('\n').map(Number)
    expect((moved ?? 0) - before).toBeGreaterThanOrEqual(86_400)
    expect((moved ?? 0) - before).toBeLessThan(86_460)
    expect(Math.abs((piped ?? 0) - (moved ?? 0))).toBeLessThan(60)
    expect(epoch).toBe(1970)
    expect(year).toBeGreaterThan(2000)
  })

  test('has a boot id of its own, another one after a reboot', async () => {
    const { run, machine } = await makeMachine()
    const bootId = async () => (await run('cat /proc/sys/kernel/random/boot_id')).stdout
    const first = await bootId()
    expect(first).toMatch(/^[0-9a-f-]{36}\n$/)
    expect(await bootId()).toBe(first)
    await machine.reboot()
    expect(await bootId()).not.toBe(first)
  })
})

describeApart('the guest ends its machine', () => {
  test.each([
    'poweroff',
    'poweroff -f',
    'halt -p',
    'shutdown now',
    'shutdown -h now',
    'shutdown -P +0',
    '/sbin/shutdown -h now',
    '/usr/sbin/poweroff',
    'systemctl poweroff',
    'systemctl poweroff --force --force',
    '/usr/bin/systemctl --no-block poweroff',
    'systemctl start poweroff.target',
  ])('with "%s"', async command => {
    const { run, machine } = await makeMachine()
    void run(command)
    await expect(machine.poweredOff).resolves.toBe('guest')
    expect(machine.consoleOutput()).toContain('the machine goes down: poweroff')
    expect(await run('true')).toMatchObject({ exitCode: -1 })
  })

  test('from its user data, before the boot is over', async () => {
    const { machine } = await makeMachine({
      userData: '#cloud-boothook\n#!/bin/sh\nshutdown -h now\nsleep 60\n',
      boot: false,
    })
    const booting = machine.boot().catch(() => 'never came up')
    await expect(machine.poweredOff).resolves.toBe('guest')
    await booting
  })

  test('with "shutdown +45" once the cloud’s clock has come there, not before', async () => {
    const { run, machine, advance } = await makeMachine()
    let isOff = false
    void machine.poweredOff.then(() => (isOff = true))
    expect((await run('shutdown -P +45 "time is up"')).stderr).toMatch(/^Shutdown scheduled for .* UTC/)
    advance(44 * 60)
    expect((await run('echo alive')).stdout).toBe('alive\n')
    expect(isOff).toBe(false)
    advance(61)
    await expect(machine.poweredOff).resolves.toBe('guest')
  })

  test('not when the shutdown was cancelled', async () => {
    const { run, machine, advance } = await makeMachine()
    await run('shutdown +10; shutdown -c')
    advance(3600)
    expect((await run('echo alive')).stdout).toBe('alive\n')
    expect(machine.consoleOutput()).not.toContain('goes down')
  })

  test('but with "halt" it stops and stays rented, as on EC2', async () => {
    const { run, machine } = await makeMachine()
    let isOff = false
    void machine.poweredOff.then(() => (isOff = true))
    void run('halt')
    await until('the halt', () => machine.consoleOutput().includes('goes down: halt'))
    const deaf = run('echo nobody hears this')
    await machine.kill()
    expect(await deaf).toMatchObject({ exitCode: -1, stdout: '' })
    expect(isOff).toBe(false)
  })

  test('although a process ignores SIGTERM', async () => {
    const { run, machine } = await makeMachine()
    void run('trap "" TERM; systemctl poweroff; while :; do sleep 1; done')
    await expect(machine.poweredOff).resolves.toBe('guest')
  })
})
