import { existsSync } from 'node:fs'
import { join, parse } from 'node:path'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { describeApart, endMachines, makeMachine, processesWith, uniqueSleep, until } from './machine-fixture.ts'

jest.setTimeout(60_000)
afterEach(endMachines)

describeApart('a command', () => {
  test('runs as the SSM agent runs it: sh, root, a folder of its own, no input, the shims first in PATH', async () => {
    const { run } = await makeMachine()
    const result = await run('cat; id -un; echo $0 $AWS_REGION; echo ${PATH%%:*}; echo oops >&2; exit 7')
    expect(result.exitCode).toBe(7)
    expect(result.stdout).toMatch(/^root\n\/var\/lib\/amazon\/ssm\/\S+_script\.sh us-west-2\n\/opt\/offline\/bin\n$/)
    expect(result.stderr).toBe('oops\n')
    const bash = await run('#!/bin/bash\n[[ a == a ]] && echo $BASH_VERSION | cut -c1')
    expect(bash.stdout).toMatch(/^\d\n$/)
  })

  test('runs in a given folder; a wrong one is an error of the command', async () => {
    const { machine } = await makeMachine()
    const options = { timeoutSeconds: 5, workingDirectory: '/usr/lib' }
    expect(await machine.execute('a', 'pwd', options)).toMatchObject({ exitCode: 0, stdout: '/usr/lib\n' })
    const wrong = await machine.execute('b', 'pwd', { timeoutSeconds: 5, workingDirectory: '/nowhere' })
    expect(wrong).toMatchObject({ exitCode: 1, stdout: '' })
    expect(wrong.stderr).toContain('/nowhere')
  })

  test('that runs too long is ended with its process group and its output so far', async () => {
    const sleep = uniqueSleep()
    const { run } = await makeMachine()
    const result = await run(`echo begun; sleep ${sleep} & setsid sleep ${sleep}9 & sleep ${sleep}; :`, 1)
    expect(result).toEqual({ exitCode: 137, stdout: 'begun\n', stderr: '', timedOut: true })
    await until('the end of the group', async () => (await processesWith(`sleep\0${sleep}\0`)).length === 0)
    // As with the real agent: what has left the group lives on.
    expect(await processesWith(`sleep\0${sleep}9\0`)).toHaveLength(1)
  })

  test('can be cancelled', async () => {
    const { machine } = await makeMachine()
    const running = machine.execute('long', 'echo begun; sleep 600', { timeoutSeconds: 60 })
    machine.cancel('unknown')
    const other = await machine.execute('short', 'sleep 0.2; echo done', { timeoutSeconds: 60 })
    machine.cancel('long')
    expect(await running).toMatchObject({ exitCode: 137, timedOut: false })
    expect(other.stdout).toBe('done\n')
  })

  test('gives back the first MiB of each output and is not held up by more', async () => {
    const { run } = await makeMachine()
    const result = await run('echo first; head -c 3000000 /dev/zero | tr "\\0" x; head -c 2000000 /dev/zero >&2')
    expect(result.exitCode).toBe(0)
    expect(result.stdout).toHaveLength(1 << 20)
    expect(result.stdout.startsWith('first\nxxx')).toBe(true)
    expect(result.stderr).toHaveLength(1 << 20)
  })

  test('that leaves bytes which are no text still answers', async () => {
    const { run } = await makeMachine()
    expect((await run("printf 'a\\377b\\0c'")).stdout).toBe('a\ufffdb\0c')
  })

  test('is done only when nobody holds its output open any more', async () => {
    const { run } = await makeMachine()
    expect((await run('(sleep 0.3; echo late) & echo early')).stdout).toBe('early\nlate\n')
  })

  test('is one of many at the same time', async () => {
    const { run } = await makeMachine()
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => run(`sleep 0.2; echo ${index}`)))
    expect(results.map(result => Number(result.stdout))).toEqual(Array.from({ length: 20 }, (_, index) => index))
  })

  test('ends with exit code -1 when the machine dies under it', async () => {
    const { machine } = await makeMachine()
    const running = machine.execute('long', 'sleep 600', { timeoutSeconds: 60 })
    await machine.execute('short', 'true', { timeoutSeconds: 60 })
    await machine.kill()
    expect(await running).toMatchObject({ exitCode: -1, timedOut: false })
  })
})

describe('without namespaces', () => {
  test('commands run in the machine’s own folders, with the stand-ins in PATH', async () => {
    const { run, directory } = await makeMachine({ way: 'none' })
    const result = await run(
      'echo $HOME; echo $TMPDIR; pwd; command -v systemctl; [ -d /run/systemd/system ] && echo systemd',
    )
    const root = `${directory}/root`
    const lines = result.stdout.split('\n')
    expect(lines.slice(0, 2)).toEqual([`${root}/root`, `${root}/tmp`])
    expect(lines[2]?.startsWith(`${root}/var/lib/amazon/ssm/`)).toBe(true)
    expect(lines.slice(3)).toEqual([`${root}/opt/offline/bin/systemctl`, 'systemd', ''])
  })

  test('foreign user data is refused by name, our own time limit is armed', async () => {
    const { utc } = await makeMachine({ boot: false })
    const limit = `#cloud-boothook
#!/bin/sh
# gpu-actions: guest time limit
printf '[Unit]\\nDefaultDependencies=no\\n[Timer]\\nOnCalendar=${utc(3600)}\\n' > /etc/systemd/system/limit.timer
printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/systemctl poweroff\\n' > /etc/systemd/system/limit.service
systemctl start limit.timer
mkdir -p /etc/apt/apt.conf.d "/var/lib/x" && echo mine >/etc/apt/apt.conf.d/99-offline-machine; : >/run/offline-machine
`
    const mime = (parts: readonly (readonly [string, string])[]) =>
      `Content-Type: multipart/mixed; boundary="=b="\nMIME-Version: 1.0\n\n` +
      parts.map(([kind, body]) => `--=b=\nContent-Type: ${kind}\n\n${body}\n`).join('') +
      '--=b=--\n'
    const rig = await makeMachine({
      way: 'none',
      userData: mime([
        ['text/cloud-boothook', limit],
        ['text/x-shellscript', '#!/bin/sh\necho foreign > $HOME/foreign\n'],
      ]),
    })
    expect(rig.machine.consoleOutput()).toContain('part-002 (text/x-shellscript) was refused')
    const { root } = parse(rig.directory)
    const written = ['etc/apt/apt.conf.d/99-offline-machine', 'run/offline-machine']
    expect(written.map(path => existsSync(join(rig.directory, 'root', path)))).toEqual([true, true])
    expect(written.map(path => existsSync(join(root, path)))).toEqual([false, false])
    expect((await rig.run('ls $HOME; systemctl is-active limit.timer')).stdout).toBe('active\n')
    rig.advance(3601)
    await expect(rig.machine.poweredOff).resolves.toBe('guest')
  })

  test('kill leaves no process behind', async () => {
    const sleep = uniqueSleep()
    const { run, machine } = await makeMachine({ way: 'none' })
    await run(`(setsid sleep ${sleep} >/dev/null 2>&1 &); systemd-run --unit=left sleep ${sleep}`)
    await until('two sleeps', async () => (await processesWith(sleep)).length >= 2)
    await machine.kill()
    expect(await processesWith(sleep)).toEqual([])
  })
})
