import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import {
  apartWays,
  describeApart,
  endMachines,
  makeMachine,
  processesWith,
  uniqueSleep,
  until,
} from './machine-fixture.ts'

jest.setTimeout(60_000)
afterEach(endMachines)

const repository = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** Skipped where $GPU_ACTIONS_PYTHON is not set, except in CI, where that is a failure. */
const describeWithPython =
  process.env['GPU_ACTIONS_PYTHON'] === undefined && process.env['CI'] !== 'true' ? describe.skip : describe

/** Runs each attempt in a shell of its own and names those that worked. */
const attempts = (lines: readonly string[]) =>
  lines.map(line => `if (${line}) >/dev/null 2>&1; then echo 'worked: ${line.replaceAll("'", '"')}'; fi`).join('\n')

describeApart.each(apartWays)('a machine kept apart in the way "%s"', way => {
  test('cannot write to the computer nor change its mounts', async () => {
    const { run } = await makeMachine({ way })
    const result = await run(
      attempts([
        'echo x > /usr/offline-machine-was-here',
        'echo x > /usr/bin/offline-machine-was-here',
        'touch /lib/offline-machine-was-here',
        'mount -o remount,bind,rw /usr',
        'mount -t tmpfs none /usr',
        'mount --bind /tmp /usr',
        'umount -l /usr/bin',
        'umount /proc/sys',
        'mknod /tmp/disk b 8 0',
        'chroot /tmp true',
        'hostname elsewhere',
        ': >> /proc/sys/kernel/core_pattern',
        ': >> /proc/sys/vm/drop_caches',
        ': >> /proc/sysrq-trigger',
        'dmesg -C',
        'date -s 2001-01-01',
        'swapoff -a && false || test -e /dev/vda -o -e /dev/sda -o -e /dev/nvme0n1 -o -e /dev/mem -o -e /dev/kmsg',
        'head -c1 /proc/kcore | grep -q .',
        'chown 0:0 /usr/bin/env',
        'touch /var/this-may-be-written',
      ]),
    )
    expect(result).toEqual({
      exitCode: 0,
      stdout: 'worked: touch /var/this-may-be-written\n',
      stderr: '',
      timedOut: false,
    })
    await expect(stat('/usr/offline-machine-was-here')).rejects.toThrow('ENOENT')
  })

  test('cannot get the rights back in user namespaces of its own', async () => {
    const { run } = await makeMachine({ way })
    // Root itself may not be mapped again (no SETFCAP); an account of the guest may, where it has more than one.
    const account = way === 'mapped' ? 'setpriv --reuid 1000 --regid 1000 --clear-groups ' : ''
    const inner = (line: string) => `${account}unshare --user --map-root-user --mount --pid --fork sh -c "${line}"`
    const result = await run(
      attempts([
        inner('mount -o remount,bind,rw /usr'),
        inner('umount -l /usr/bin'),
        inner('umount -l /proc/sys'),
        inner('mount -t proc proc /mnt && : >> /mnt/sys/kernel/core_pattern'),
        inner('echo x > /usr/offline-machine-was-here'),
        inner('mount -t tmpfs none /mnt'),
      ]),
    )
    const worked = way === 'mapped' ? `worked: ${inner('mount -t tmpfs none /mnt')}\n` : ''
    expect(result.stdout).toBe(worked)
    // Without any ids mapped the kernel still gives all rights over the new namespace, until the next exec.
    const raw = await run(`python3 -c '
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER, REMOUNT_BIND = 0x20000, 0x10000000, 32 | 4096
print("unshared", libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
print("private", libc.mount(None, b"/", None, 1 << 18 | 16384, None))
for path in (b"/usr", b"/proc/sys"):
    print(path, libc.mount(None, path, None, REMOUNT_BIND, None), libc.umount2(path, 2))
'`)
    expect(raw.stdout).toBe("unshared 0\nprivate 0\nb'/usr' -1 -1\nb'/proc/sys' -1 -1\n")
  })

  test('sees neither homes, nor the repository, nor other machines, nor the processes of the computer', async () => {
    const other = await makeMachine({ way })
    const { run, directory } = await makeMachine({ way })
    const seen = [repository, join(homedir(), '.npmrc'), directory, other.directory, '/etc/shadow']
    const listed = await run(
      `ls -A /home; for path in ${seen.join(' ')}; do [ -e "$path" ] && echo "$path"; done; true`,
    )
    expect(listed.stdout).toBe('')
    const processes = await run(
      `[ -e /proc/${process.pid} ] && echo seen; kill -9 ${process.pid}; ls /proc | grep -c '^[0-9]'`,
    )
    expect(processes.stdout).not.toContain('seen')
    expect(Number(processes.stdout)).toBeLessThan(12)
    expect(processes.stderr).toMatch(/No such process/i)
    const outside = await run('cat /proc/1/root/etc/os-release; ls /proc/1/cwd/')
    expect(outside.stdout).toContain('ID=offline-cloud')
  })

  test('runs as the root of its own files only, without rights over the kernel', async () => {
    const { run } = await makeMachine({ way })
    const result = await run('id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; cat /proc/self/uid_map')
    const [user, effective, bounding, privileges, map] = result.stdout.split('\n')
    expect(user).toBe('0')
    // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE
    expect(effective).toBe('CapEff:\t00000000000004fb')
    expect(bounding).toBe('CapBnd:\t00000000000004fb')
    expect(privileges).toBe('NoNewPrivs:\t1')
    const ids = way === 'mapped' ? [0, 0x6e000000, 65_536] : [0, process.getuid?.(), 1]
    expect(map?.trim().split(/\s+/).map(Number)).toEqual(ids)
  })

  test('does not follow links that its guest has laid where the next boot writes', async () => {
    const trap = await mkdtemp(join(tmpdir(), 'offline-trap-'))
    try {
      const { run, machine } = await makeMachine({ way })
      await run(`rm -rf /opt/offline /var/log; ln -s ${trap} /opt/offline; ln -s ${trap} /var/log; ln -s / /tmp/link`)
      await machine.reboot()
      const after = await run('systemctl is-system-running')
      expect(after.stdout).toBe('running\n')
      expect(await readdir(trap)).toEqual([])
    } finally {
      await rm(trap, { recursive: true })
    }
  })

  test('has its own writable places, a network and the programs of the computer', async () => {
    const { run } = await makeMachine({ way })
    const result = await run(
      'set -e; for place in /etc /tmp /var/lib /root /home /run /opt /dev/shm; do echo x > $place/x; done; ' +
        'awk "BEGIN {print 42}"; hostname; [ -d /run/systemd/system ]; test -w /dev/null; [ ! -e /opt/pytorch ]; pwd; echo $HOME',
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^42\ni-0123456789abcdef0\n\/var\/lib\/amazon\/ssm\/.*\n\/root\n$/)
    const loopback = await run(`python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
print("connected")'`)
    expect(loopback.stdout).toBe('connected\n')
  })

  test('leaves no process behind when it is killed, whatever its processes did to get away', async () => {
    const sleep = uniqueSleep()
    const { run, machine } = await makeMachine({ way })
    await run(
      `(setsid sh -c 'trap "" TERM HUP; sleep ${sleep}; :' >/dev/null 2>&1 &); ` +
        `nohup setsid setsid sleep ${sleep} >/dev/null 2>&1 & systemd-run --unit=left sleep ${sleep}`,
    )
    await until('three sleeps', async () => (await processesWith(sleep)).length >= 3)
    await machine.kill()
    expect(await processesWith(sleep)).toEqual([])
    await machine.kill()
    expect(await machine.execute('late', 'true', { timeoutSeconds: 5 })).toMatchObject({ exitCode: -1 })
  })

  test('dies with the server, even by SIGKILL', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'offline-server-'))
    const sleep = uniqueSleep()
    const source = new URL('../src/machine/machine.ts', import.meta.url).href
    const program = join(folder, 'server.ts')
    await writeFile(
      program,
      `import { createMachineIn } from ${JSON.stringify(source)}
       const userData = Buffer.from('#!/bin/sh\\nsetsid sleep ${sleep} & trap "" TERM HUP; sleep ${sleep}; :')
       const spec = { instanceId: 'i-1', directory: ${JSON.stringify(folder)}, userData, python: null, env: {}, now: Date.now }
       await createMachineIn(${JSON.stringify(way)}, spec).boot()
       console.log('booted')
       setInterval(() => {}, 1000)`,
    )
    const node = process.env['GPU_ACTIONS_NODE'] ?? process.execPath
    const server = spawn(node, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(createInterface({ input: server.stdout }), 'line')
      await until('the sleeps of user data', async () => (await processesWith(sleep)).length >= 2)
      server.kill('SIGKILL')
      await until('an end of everything', async () => (await processesWith(sleep)).length === 0)
      expect(await processesWith(folder)).toEqual([])
    } finally {
      server.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describeWithPython('the given Python', () => {
  test.each(apartWays)(
    'is /opt/pytorch/bin/python with PyTorch in it, and read-only, in the way "%s"',
    async way => {
      const python = process.env['GPU_ACTIONS_PYTHON'] ?? ''
      expect(python).not.toBe('')
      const { run } = await makeMachine({ way, python })
      const script = 'import sys, torch; print(torch.ones(3).sum().item(), sys.prefix)'
      const result = await run(`OMP_NUM_THREADS=1 /opt/pytorch/bin/python -c '${script}'`, 120)
      expect(result.stdout).toBe(`3.0 ${dirname(dirname(python))}\n`)
      const written = await run(`touch ${dirname(python)}/was-here`)
      expect(written.stderr).toMatch(/Read-only file system/)
    },
    150_000,
  )
})

test('five machines live beside each other and do not meet', async () => {
  const rigs = await Promise.all([1, 2, 3, 4, 5].map(() => makeMachine()))
  const results = await Promise.all(
    rigs.map(async ({ run }, index) => {
      await run(`echo ${index} > /root/mine; systemd-run --unit=same sleep 600`)
      return run('cat /root/mine; systemctl is-active same')
    }),
  )
  expect(results.map(result => result.stdout)).toEqual([0, 1, 2, 3, 4].map(index => `${index}\nactive\n`))
}, 30_000)
