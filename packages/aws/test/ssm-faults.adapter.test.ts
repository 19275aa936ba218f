import { TerminateInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { OutsideFault, systemClock } from '@gpu-actions/action-kit/ports'
import { ssmHost, waitForRegistration } from '../src/ssm/index.ts'
import { fastClock, hastyClock, startRig, type Rig } from './ssm-fixture.ts'

jest.setTimeout(60_000)

const faultOfRun = async (work: Promise<unknown>): Promise<OutsideFault> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof OutsideFault) return error
  throw new Error('no OutsideFault', { cause: error })
}

const later = (ms: number): number => Date.now() + ms
const noDiagnosis = (): Promise<string> => Promise.resolve('none')

describe('SSM when calls go wrong', () => {
  let started: Rig | undefined
  const rig = (): Rig => {
    if (started === undefined) throw new Error('the rig was not set up')
    return started
  }
  beforeAll(async () => {
    started = await startRig()
    await waitForRegistration(rig().target(hastyClock), { deadline: later(30_000), diagnose: noDiagnosis })
  })
  afterAll(async () => {
    await started?.cloud.stop()
  })

  /** Runs a script that leaves a trace, and counts the traces. */
  const timesRun = async (trace: string): Promise<number> => {
    const host = ssmHost(rig().target(hastyClock))
    const result = await host.run(`echo ran >>/root/${trace}; echo done`)
    expect(result).toEqual({ exitCode: 0, output: 'done\n' })
    return (await host.run(`cat /root/${trace}`)).output.split('\n').filter(line => line === 'ran').length
  }

  test('a command whose reply was lost is found again and not sent twice', async () => {
    const before = rig().calls('ssm:SendCommand')
    rig().cloud.addFaults([{ kind: 'lost-reply', operation: 'SendCommand' }])
    expect(await timesRun('lost')).toBe(1)
    expect(rig().calls('ssm:SendCommand')).toBe(before + 2)
  })

  test('a command that the service failed to take is sent again once it stays unknown', async () => {
    rig().cloud.addFaults([{ kind: 'server-error', operation: 'SendCommand' }])
    const host = ssmHost(rig().target(fastClock(10)))
    expect(await host.run('echo ran >>/root/failed; cat /root/failed')).toEqual({ exitCode: 0, output: 'ran\n' })
  })

  test('a throttled command waits and is sent again', async () => {
    rig().cloud.addFaults([{ kind: 'throttled', operation: 'SendCommand', count: 3 }])
    expect(await timesRun('throttled')).toBe(1)
  })

  test('a job whose start was answered by silence runs once', async () => {
    rig().cloud.addFaults([{ kind: 'lost-reply', operation: 'SendCommand' }])
    const job = await ssmHost(rig().target(hastyClock)).start({
      name: 'once',
      command: ['/bin/sh', '-c', 'echo ran >>/root/job; sleep 1; cat /root/job'],
      timeoutMs: 30_000,
    })
    const pieces: string[] = []
    expect(await job.follow(text => pieces.push(text))).toEqual({ how: 'exited', exitCode: 0 })
    expect(pieces.join('')).toBe('ran\n')
  })

  test('a missing permission is named', async () => {
    rig().cloud.addFaults([{ kind: 'denied', operation: 'SendCommand' }])
    const fault = await faultOfRun(ssmHost(rig().target(hastyClock)).run('true'))
    expect(fault.message).toContain(rig().instanceId)
    expect(fault.advice).toContain('ssm:SendCommand')
  })

  test('outcomes that cannot be read for a while do not end the following of a job', async () => {
    const job = await ssmHost(rig().target(hastyClock)).start({
      name: 'hidden',
      command: ['/bin/sh', '-c', 'sleep 2; echo seen'],
      timeoutMs: 30_000,
    })
    rig().cloud.addFaults([{ kind: 'server-error', operation: 'GetCommandInvocation', count: 6 }])
    const pieces: string[] = []
    expect(await job.follow(text => pieces.push(text))).toEqual({ how: 'exited', exitCode: 0 })
    expect(pieces.join('')).toBe('seen\n')
  })

  test('an abort cancels the command with the service', async () => {
    const before = rig().calls('ssm:CancelCommand')
    const controller = new AbortController()
    const waiting = ssmHost(rig().target(systemClock)).run('sleep 500', { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('stop')), 500)
    await expect(waiting).rejects.toThrow('stop')
    expect(rig().calls('ssm:CancelCommand')).toBe(before + 1)
  })

  test('one command is asked for at most every two seconds', async () => {
    await ssmHost(rig().target(systemClock)).run('sleep 6')
    const log = rig().cloud.state().callLog
    const asks = log.slice(log.findLastIndex(call => call.operation === 'SendCommand') + 1).map(call => call.at)
    const gaps = asks.slice(1).map((at, index) => new Date(at).getTime() - new Date(asks[index] ?? 0).getTime())
    expect(gaps.length).toBeGreaterThan(1)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_990)
  })

  test('no secret-looking parameter is left in a comment; every command has its own', () => {
    const comments = rig()
      .cloud.state()
      .commands.map(command => command.comment)
    expect(new Set(comments).size).toBe(comments.length)
    expect(comments.every(comment => /^gpu-actions [0-9a-f-]{36}$/.test(comment))).toBe(true)
  })

  test('a job on a machine that was terminated is lost, with the reason', async () => {
    const job = await ssmHost(rig().target(hastyClock)).start({
      name: 'gone',
      command: ['sleep', '600'],
      timeoutMs: 600_000,
    })
    await rig()
      .clients.ec2()
      .send(new TerminateInstancesCommand({ InstanceIds: [rig().instanceId] }))
    const end = await ssmHost(rig().target(fastClock(60)))
      .job(job.id)
      .follow(() => {})
    expect(end).toMatchObject({
      how: 'lost',
      reason: expect.stringMatching(/did not answer for 3m.*does not reach i-/),
    })
    const fault = await faultOfRun(ssmHost(rig().target(hastyClock)).run('true'))
    expect(fault.advice).toContain('AmazonSSMManagedInstanceCore')
  })
})

describe('waiting for a machine to register', () => {
  let started: Rig | undefined
  beforeAll(async () => {
    started = await startRig({ scenario: { faults: [{ kind: 'never-registers' }] } })
  })
  afterAll(async () => {
    await started?.cloud.stop()
  })
  const target = (times: number) => {
    if (started === undefined) throw new Error('the rig was not set up')
    return started.target(fastClock(times))
  }

  test('ends at the deadline with the diagnosis of the caller as advice', async () => {
    const machine = target(60)
    const fault = await faultOfRun(
      waitForRegistration(machine, {
        deadline: machine.clock.now() + 90_000,
        diagnose: () => Promise.resolve('The instance has no instance profile.'),
      }),
    )
    expect(fault.message).toMatch(/did not register .* within 1m3\ds \(never seen\)/)
    expect(fault.advice).toBe('The instance has no instance profile.')
  })

  test('ends early when the caller knows that it is pointless', async () => {
    const machine = target(10)
    const gone = new OutsideFault({ what: 'the machine ended at boot', advice: 'none' })
    const waiting = waitForRegistration(machine, {
      deadline: machine.clock.now() + 600_000,
      hopeless: () => Promise.resolve(gone),
      diagnose: noDiagnosis,
    })
    await expect(waiting).rejects.toBe(gone)
  })

  test('stops when the signal says so', async () => {
    const machine = target(1)
    const reason = new Error('stop')
    const waiting = waitForRegistration(machine, {
      deadline: machine.clock.now() + 600_000,
      diagnose: noDiagnosis,
      signal: AbortSignal.abort(reason),
    })
    await expect(waiting).rejects.toBe(reason)
  })
})
