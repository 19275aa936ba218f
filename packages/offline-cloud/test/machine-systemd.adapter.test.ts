import { afterEach, expect, jest, test } from '@jest/globals'
import { describeApart, endMachines, makeMachine, processesWith, uniqueSleep, until } from './machine-fixture.ts'

jest.setTimeout(60_000)
afterEach(endMachines)

const unit = (name: string, text: string) => `cat > /etc/systemd/system/${name} <<'END'\n${text}\nEND\n`

describeApart('a timer', () => {
  const stamp = unit('mark.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo fired >> /var/fired"')

  test('fires once when the cloud’s clock has come to its absolute time', async () => {
    const { run, advance, utc } = await makeMachine()
    const timer = unit('mark.timer', `[Timer]\nOnCalendar=${utc(1800)}\n[Install]\nWantedBy=timers.target`)
    const started = await run(`${stamp}${timer}systemctl daemon-reload && systemctl enable --now mark.timer`)
    expect(started).toMatchObject({ exitCode: 0 })
    const next = await run('systemctl show mark.timer -p NextElapseUSecRealtime --value; systemctl list-timers')
    expect(next.stdout).toContain(utc(1800).slice(0, 16))
    advance(1700)
    expect((await run('cat /var/fired')).exitCode).toBe(1)
    advance(120)
    await until('the service', async () => (await run('cat /var/fired')).stdout === 'fired\n')
    advance(7200)
    expect((await run('cat /var/fired; systemctl show -p SubState mark.timer')).stdout).toBe(
      'fired\nSubState=elapsed\n',
    )
  })

  test('that is enabled survives a reboot, one that is only started does not', async () => {
    const { run, advance, utc, machine } = await makeMachine()
    const timer = (name: string) =>
      unit(name, `[Timer]\nOnCalendar=${utc(600)}\nUnit=mark.service\n[Install]\nWantedBy=timers.target`)
    await run(`${stamp}${timer('a.timer')}${timer('b.timer')}systemctl enable a.timer; systemctl start b.timer`)
    await machine.reboot()
    const states = await run('systemctl is-active a.timer b.timer; systemctl is-enabled a.timer b.timer')
    expect(states.stdout).toBe('active\ninactive\nenabled\ndisabled\n')
    advance(601)
    await until('the service', async () => (await run('cat /var/fired')).stdout === 'fired\n')
  })

  test('that is persistent makes up for a time missed while the machine was down', async () => {
    const { run, advance, utc, machine } = await makeMachine()
    const timer = (name: string, persistent: string) =>
      unit(
        `${name}.timer`,
        `[Timer]\nOnCalendar=${utc(60)}\nPersistent=${persistent}\n[Install]\nWantedBy=timers.target`,
      ) + unit(`${name}.service`, `[Service]\nExecStart=/bin/touch /var/${name}`)
    await run(
      `${timer('kept', 'true')}${timer('lost', 'false')}systemctl enable kept.timer lost.timer; systemctl start kept.timer`,
    )
    const rebooting = machine.reboot()
    advance(120)
    await rebooting
    await until('the persistent one', async () => (await run('ls /var/kept')).exitCode === 0)
    expect((await run('ls /var/lost')).exitCode).not.toBe(0)
  })

  test('counts from boot, from its start, and as a transient unit', async () => {
    const { run, advance } = await makeMachine()
    const boot =
      unit('boot.timer', '[Timer]\nOnBootSec=10min') + unit('boot.service', '[Service]\nExecStart=/bin/touch /var/boot')
    const said = await run(
      `${boot}systemctl start boot.timer; systemd-run --on-active=20min --unit=later --timer-property=AccuracySec=1s touch /var/later`,
    )
    expect(said.stderr).toBe('Running timer as unit: later.timer\nWill run service as unit: later.service\n')
    advance(11 * 60)
    await until('the first', async () => (await run('ls /var/boot')).exitCode === 0)
    expect((await run('ls /var/later')).exitCode).not.toBe(0)
    advance(10 * 60)
    await until('the second', async () => (await run('ls /var/later')).exitCode === 0)
  })

  test('powers the machine off from a boothook, as the time limit of a lease does', async () => {
    const limit = (at: string) => `#cloud-boothook
#!/bin/sh
mkdir -p /etc/systemd/system
cat > /etc/systemd/system/limit.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl poweroff
END
cat > /etc/systemd/system/limit.timer <<END
[Unit]
DefaultDependencies=no
[Timer]
OnCalendar=${at}
AccuracySec=1s
END
systemctl daemon-reload
systemctl start limit.timer
`
    const { utc } = await makeMachine({ boot: false })
    const { run, machine, advance } = await makeMachine({ userData: limit(utc(2700)) })
    expect((await run('systemctl is-active limit.timer')).stdout).toBe('active\n')
    await machine.reboot()
    expect((await run('systemctl is-active limit.timer')).stdout).toBe('active\n')
    advance(2701)
    await expect(machine.poweredOff).resolves.toBe('guest')
  })

  test('started from a boothook with the default dependencies would hang a real boot, and is refused', async () => {
    const body = (option: string) => `#cloud-boothook
#!/bin/sh
printf '[Service]\\nExecStart=/bin/touch /var/ran\\n' > /etc/systemd/system/x.service
systemctl start ${option} x.service
echo "code $?"
`
    const hanging = await makeMachine({ userData: body('') })
    expect(hanging.machine.consoleOutput()).toMatch(/waits for sysinit\.target[\s\S]*code 1/)
    const queued = await makeMachine({ userData: body('--no-block') })
    await until('the queued unit', async () => (await queued.run('ls /var/ran')).exitCode === 0)
  })
})

describeApart('a service', () => {
  test('is stopped with all that it has started, processes that left its session included', async () => {
    const sleep = uniqueSleep()
    const { run } = await makeMachine()
    const tree = `(setsid sh -c "setsid sleep ${sleep} & trap \\"\\" TERM; sleep ${sleep}; sleep ${sleep}" &); exec sleep ${sleep}`
    await run(`systemd-run --unit=job -p TimeoutStopSec=1 sh -c '${tree}'`)
    await until('three sleeps', async () => (await processesWith(`sleep\0${sleep}`)).length === 3)
    const bystander = await run(
      `systemd-run --unit=other sleep ${sleep}; systemctl stop job; systemctl is-active job other`,
    )
    expect(bystander.stdout).toBe('inactive\nactive\n')
    expect(await processesWith(`sleep\0${sleep}`)).toHaveLength(1)
  })

  test('takes what it left behind along when its own process ends', async () => {
    const sleep = uniqueSleep()
    const { run } = await makeMachine()
    const result = await run(`systemd-run --wait --unit=job sh -c '(setsid sleep ${sleep} &); exit 0'; echo $?`)
    expect(result.stdout).toBe('0\n')
    expect(await processesWith(sleep)).toEqual([])
  })

  test('ends at RuntimeMaxSec of the cloud’s clock and says so', async () => {
    const sleep = uniqueSleep()
    const { run, advance } = await makeMachine()
    await run(`systemd-run --unit=job -p RuntimeMaxSec=30min sh -c '(setsid sleep ${sleep} &); sleep ${sleep}; :'`)
    await until('two sleeps', async () => (await processesWith(`sleep\0${sleep}`)).length === 2)
    advance(1801)
    await until('the end', async () => (await run('systemctl is-failed job')).exitCode === 0)
    expect((await run('systemctl show job -p Result,ActiveState')).stdout).toBe('ActiveState=failed\nResult=timeout\n')
    expect(await processesWith(sleep)).toEqual([])
  })

  test('writes its output where it is told, in its folder, with its variables', async () => {
    const { run } = await makeMachine()
    const result = await run(
      'mkdir /job; echo old > /job/out; systemd-run --quiet --wait --collect --unit=job -p KillMode=control-group ' +
        '-p WorkingDirectory=/job -p StandardOutput=append:/job/out -p StandardError=file:/job/err ' +
        `-p Environment='A=1 "B=two words"' --setenv=C=3 sh -c 'pwd; echo "\${A}-$$B-\${C}-$AWS_REGION-$HOME"; echo bad >&2'; cat /job/out /job/err`,
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('old\n/job\n1-two words-3-us-west-2-\nbad\n')
  })

  test('tells its exit code, by a signal or by itself', async () => {
    const { run } = await makeMachine()
    const ask = 'systemctl show $unit -p ExecMainCode,ExecMainStatus,Result,ActiveState,LoadState | tr "\\n" " "; echo'
    const result = await run(
      'systemd-run -q --unit=bad --wait sh -c "exit 7"; echo $?; systemd-run -q --unit=cut --wait sh -c \'kill -9 $$$$\'; ' +
        'systemd-run -q --unit=gone --wait true; systemd-run -q --unit=kept -r true; systemd-run -q --unit=none --wait /no/such; ' +
        `while [ "$(systemctl show -p SubState --value kept)" = running ]; do sleep 0.05; done; for unit in bad cut gone kept none; do ${ask}; done`,
    )
    expect(result.stdout.split('\n')).toEqual([
      '7',
      expect.stringMatching(/ActiveState=failed Result=exit-code ExecMainCode=1 ExecMainStatus=7/),
      expect.stringMatching(/ActiveState=failed Result=signal ExecMainCode=2 ExecMainStatus=9/),
      expect.stringMatching(/LoadState=not-found ActiveState=inactive/),
      expect.stringMatching(/LoadState=loaded ActiveState=active Result=success ExecMainCode=1 ExecMainStatus=0/),
      expect.stringMatching(/ActiveState=failed Result=exit-code ExecMainCode=1 ExecMainStatus=203/),
      '',
    ])
  })

  test('outlives the command that has started it', async () => {
    const sleep = uniqueSleep()
    const { run } = await makeMachine()
    await run(`systemd-run --no-block --unit=job sleep ${sleep}`)
    await until('the sleep', async () => (await processesWith(`sleep\0${sleep}`)).length === 1)
    expect((await run('systemctl is-active --quiet job && systemctl show -p MainPID job')).stdout).toMatch(
      /^MainPID=[1-9]/,
    )
  })

  test('of a unit file is enabled, started at boot, masked and unmasked', async () => {
    const { run, machine } = await makeMachine()
    const agent = unit(
      'agent.service',
      '[Unit]\nDescription=An agent\nAfter=network.target\n[Service]\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=multi-user.target',
    )
    expect((await run(`${agent}systemctl enable agent`)).stderr).toContain('multi-user.target.wants/agent.service')
    await machine.reboot()
    expect((await run('systemctl is-active agent; systemctl status agent')).stdout).toMatch(
      /^active\n● agent.service - An agent\n/,
    )
    const restarted = await run(
      'a=$(systemctl show -p MainPID agent); systemctl restart agent; [ "$a" != "$(systemctl show -p MainPID agent)" ]',
    )
    expect(restarted.exitCode).toBe(0)
    const off = await run('systemctl disable --now agent; systemctl is-active agent; systemctl is-enabled agent')
    expect(off.stdout).toBe('inactive\ndisabled\n')
    const masked = await run(
      'systemctl mask --now unattended-upgrades.service apt-daily.timer; systemctl is-enabled unattended-upgrades; ' +
        'systemctl start apt-daily.timer; echo $?; systemctl unmask apt-daily.timer; systemctl start apt-daily.timer; echo $?',
    )
    expect(masked.stdout).toBe('masked\n1\n0\n')
  })
})

describeApart('what systemd knows and the machine does not', () => {
  test.each([
    ['systemctl isolate rescue.target', "verb 'isolate'"],
    ['systemctl --user start x', 'option --user'],
    ['systemctl start nothing-here', 'Unit nothing-here.service not found'],
    ['systemctl show x -p NoSuchThing', 'property NoSuchThing'],
    ['systemd-run --scope true', 'option --scope'],
    ['systemd-run -p MemoryMax=1G true', 'property MemoryMax'],
    ['systemd-run -p KillMode=process true', 'KillMode=process'],
    ['systemd-run --on-calendar=hourly true', 'OnCalendar=hourly'],
    ['systemd-run', 'a command to run is needed'],
    ['shutdown --when=tomorrow', 'option --when=tomorrow'],
    ['shutdown tomorrow', 'Failed to parse time specification'],
    ['poweroff --firmware', 'option --firmware'],
    [`${unit('odd.service', '[Service]\nExecStart=/bin/true\nSockets=x')}systemctl start odd`, 'Sockets= in [Service]'],
    [`${unit('odd.service', '[Service]\nType=notify\nExecStart=/bin/true')}systemctl start odd`, 'Type=notify'],
    [`${unit('odd.timer', '[Timer]\nOnUnitActiveSec=5min')}systemctl start odd.timer`, 'OnUnitActiveSec= in [Timer]'],
    [`${unit('odd.timer', '[Timer]\nOnBootSec=5min')}systemctl start odd.timer`, 'odd.service to trigger not loaded'],
  ])('is refused by name: %j', async (command, named) => {
    const { run, machine } = await makeMachine()
    const result = await run(command)
    expect(result.exitCode).not.toBe(0)
    expect(result.stderr).toContain(named)
    expect(machine.consoleOutput()).not.toContain('goes down')
  })
})
