import { describe, expect, test } from '@jest/globals'
import { OutsideFault, UserFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { Host, HostJob, JobEnd } from '@gpu-actions/host'
import { parseResult } from '../src/result.ts'
import { runBenchmark, type BenchmarkRun } from '../src/run-benchmark.ts'
import type { BenchmarkWish } from '../src/wish.ts'
import {
  block,
  environment,
  lines,
  plan,
  spotNotice,
  start,
  throttled,
  twoRanks,
  warmup,
  wholeRun,
  withTelemetry,
  xid,
} from './told.ts'

const wish: BenchmarkWish = {
  mode: 'train',
  epochs: 1,
  stepsPerEpoch: 10,
  batchSize: 8,
  imageSize: 64,
  precision: 'auto',
  memoryFormat: 'channels_last',
  allowCpu: true,
  compile: false,
  gpus: 1,
  timeoutMs: 60_000,
}

const ready = 'FOLDER /tmp/gpu-actions-benchmark.abc\nTRIED /opt/pytorch/bin/python: is not there\nPYTHON python3\n'

interface Scene {
  readonly prepared?: string
  readonly output?: string
  readonly end?: JobEnd
  /** How the installation of PyTorch ends. */
  readonly installed?: JobEnd
  /** What the preflight prints, and how it ends. */
  readonly preflight?: string
  readonly preflightEnd?: JobEnd
  /** The table of telemetry, as it lies on the host; without it there is none. */
  readonly table?: string
  /** Runs in place of following the job. */
  readonly follow?: (cancel: AbortController) => Promise<JobEnd>
  readonly wish?: Partial<BenchmarkWish>
  readonly appendLog?: () => Promise<void>
  /** What the cloud says of the machine. */
  readonly takenBack?: () => Promise<string | null>
}

/** A host that answers as told, and what was done with it. */
async function play(scene: Scene) {
  const cancel = new AbortController()
  const seen = { scripts: [] as string[], uploads: [] as string[], jobs: [] as HostJob[], cancelled: 0 }
  const logs: Record<string, string> = {}
  const said = { info: [] as string[], warnings: [] as string[], untrusted: [] as string[] }
  let log = ''
  const running = {
    id: 'job-1',
    follow: async (onOutput: (text: string) => void) => {
      if (seen.jobs.at(-1)?.name === 'install-pytorch') {
        onOutput('Downloading torch (800 MiB)\n')
        return scene.installed ?? ({ how: 'exited', exitCode: 0 } as const)
      }
      if (seen.jobs.at(-1)?.name === 'preflight') {
        onOutput(scene.preflight ?? '')
        return scene.preflightEnd ?? ({ how: 'exited', exitCode: 0 } as const)
      }
      onOutput(scene.output ?? lines(wholeRun))
      if (scene.follow !== undefined) return scene.follow(cancel)
      return scene.end ?? ({ how: 'exited', exitCode: 0 } as const)
    },
    cancel: async () => void (seen.cancelled += 1),
  }
  const host: Host = {
    name: 'the test machine',
    run: async script => {
      seen.scripts.push(script)
      return { exitCode: 0, output: script.startsWith('rm ') ? '' : (scene.prepared ?? ready) }
    },
    start: async job => {
      seen.jobs.push(job)
      return running
    },
    job: () => running,
    upload: async path => void seen.uploads.push(path),
    download: async path => {
      if (scene.table === undefined) throw new Error(`there is no ${path}`)
      return new TextEncoder().encode(scene.table)
    },
  }
  let now = Date.UTC(2026, 10, 3)
  const clock: Clock = {
    now: () => (now += 1000),
    random: () => 0.5,
    sleep: () => new Promise(resolve => setTimeout(resolve, 50)),
  }
  const ignore = (): void => undefined
  const logPort: Log = {
    debug: ignore,
    notice: ignore,
    error: ignore,
    info: message => void said.info.push(message),
    warning: message => void said.warnings.push(message),
    group: (_, work) => work(),
    untrusted: text => void said.untrusted.push(text),
  }
  const appendLog =
    scene.appendLog ??
    (async (name: string, text: string) => {
      if (name === 'benchmark.log' || name === 'pytorch.log') log += text
      else logs[name] = (logs[name] ?? '') + text
    })
  const run: BenchmarkRun = await runBenchmark(
    host,
    new Uint8Array([1]),
    { ...wish, ...scene.wish },
    {
      clock,
      log: logPort,
      records: { appendLog },
      signal: cancel.signal,
      ...(scene.takenBack === undefined ? {} : { takenBack: scene.takenBack }),
    },
    { leaseId: '1-1-abcdefgh' },
  )
  return { ...run, seen, said, log, logs }
}

const partial = lines([start, environment, plan, warmup, block(1), block(2)])

describe('a run that completes', () => {
  test('gives a result with raw steps, metrics and the place it came from', async () => {
    const { result, fault } = await play({})
    expect(fault).toBeNull()
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(result)
    expect(result).toMatchObject({
      status: 'completed',
      leaseId: '1-1-abcdefgh',
      device: 'cpu',
      backend: 'cpu',
      clock: 'monotonic',
      workload: { name: 'resnet50-v1.5', version: 2, asked: { precision: 'auto' }, actual: { precision: 'fp32' } },
      environment: { torch: { version: '2.15.0' }, gpu: null },
      metrics: { latencyMs: 105, images: 80, peakMemoryBytes: null },
      validity: { valid: true, reasons: [] },
      error: null,
      optimizer: 'fused',
      firstStep: { seconds: 1.9, compileSeconds: null },
      sanity: { losses: [7, 5, 4, 3, 2.5, 2, 1.8, 1.6, 1.4, 1.25] },
      scaling: null,
      interrupted: null,
    })
    expect(result.blocks.map(({ stepMs }) => stepMs)).toEqual(Array.from({ length: 5 }, () => [100, 110]))
    expect(result.metrics.throughput).toBeCloseTo(8000 / 105, 6)
  })

  test('starts the uploaded program with the arguments asked for, and tidies up', async () => {
    const { seen } = await play({})
    expect(seen.uploads).toEqual(['/tmp/gpu-actions-benchmark.abc/programs.pyz'])
    expect(seen.jobs[0]?.command.slice(0, 3)).toEqual([
      'python3',
      '/tmp/gpu-actions-benchmark.abc/programs.pyz',
      'resnet50',
    ])
    expect(seen.jobs[0]?.command).toContain('--allow-cpu')
    expect(seen.jobs[0]?.timeoutMs).toBe(60_000)
    expect(seen.scripts.at(-1)).toBe('rm -rf /tmp/gpu-actions-benchmark.abc')
  })

  test('keeps the raw output, and shows foreign lines as untrusted text only', async () => {
    const output = `::set-output name=a::b\n${lines(wholeRun)}`
    const { log, said } = await play({ output })
    expect(log).toBe(output)
    expect(said.untrusted).toEqual(['::set-output name=a::b'])
    expect(said.info.join('\n')).not.toContain('::set-output')
    expect(said.info.filter(line => line.startsWith('Block '))).toHaveLength(5)
  })

  test('is a result even when its log cannot be written', async () => {
    const { result, said } = await play({ appendLog: () => Promise.reject(new Error('no space left')) })
    expect(result.status).toBe('completed')
    expect(said.warnings[0]).toContain('no space left')
  })
})

const check = (name: string, status: string, signal: string | null = '2') => ({
  name,
  status,
  reason: 'So it is',
  signal,
  threshold: status === 'skipped' ? null : '0',
  source: null,
  gpu: 0,
})
const checked = (...checks: readonly ReturnType<typeof check>[]): string =>
  lines([
    ...checks.map(one => ({ event: 'preflight-check', ...one })),
    {
      event: 'preflight',
      level: 'quick',
      status: checks.some(({ status }) => status === 'fail') ? 'fail' : 'pass',
      checks,
      measured: {
        memory_bytes_per_second: 4e11,
        memory_triad_bytes_per_second: 4e11,
        matmul_flops: null,
        host_to_device_bytes_per_second: null,
        device_to_host_bytes_per_second: null,
      },
      seconds: 4.5,
    },
  ])
const sick = checked(
  check('ecc-uncorrected', 'fail'),
  check('numbers', 'pass'),
  check('memory-copy', 'skipped', '8 GB/s'),
)

describe('a host that is checked first', () => {
  test('is measured when a check fails, which is told and on record', async () => {
    const { result, fault, said, seen, logs } = await play({
      preflight: sick,
      wish: { preflight: { need: 'warn', level: 'quick' } },
    })
    expect(fault).toBeNull()
    expect(seen.jobs.map(({ name }) => name)).toEqual(['preflight', 'resnet50'])
    expect(seen.jobs[0]?.command.slice(2)).toEqual(['preflight', '--level', 'quick', '--allow-cpu'])
    expect(seen.uploads).toHaveLength(1)
    expect(result).toMatchObject({ status: 'completed', preflight: { status: 'fail', seconds: 4.5 } })
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(result)
    expect(said.warnings).toEqual(['Preflight: ecc-uncorrected (GPU 0): fail, So it is [2; wanted: 0]'])
    expect(said.info).toContain('Preflight: fail (1 pass, 0 warn, 1 fail, 1 skipped)')
    expect(said.info).toContain('Preflight: memory-copy (GPU 0): skipped, So it is [8 GB/s]')
    expect(logs['preflight.log']).toBe(sick)
  })

  test('is not measured when none may fail', async () => {
    const { result, fault, seen } = await play({
      preflight: sick,
      wish: { preflight: { need: 'require', level: 'all' } },
    })
    expect(String(fault)).toContain('is not fit to be measured')
    expect(String(fault)).toContain('ecc-uncorrected (GPU 0)')
    expect(seen.jobs.map(({ name }) => name)).toEqual(['preflight'])
    expect(result).toMatchObject({ status: 'failed', blocks: [], preflight: { status: 'fail' }, setupSeconds: null })
    expect(seen.scripts.at(-1)).toBe('rm -rf /tmp/gpu-actions-benchmark.abc')
  })

  test('is measured when a warning is all there is, whatever is required', async () => {
    const preflight = checked(check('xid', 'warn'))
    const { result } = await play({ preflight, wish: { preflight: { need: 'require', level: 'quick' } } })
    expect(result.status).toBe('completed')
  })

  test.each(['warn', 'require'] as const)('whose checks come to no end is %s, not passed', async need => {
    const { result, said } = await play({
      preflight: 'Traceback (most recent call last)\n',
      preflightEnd: { how: 'exited', exitCode: 1 },
      wish: { preflight: { need, level: 'quick' } },
    })
    expect(result.preflight).toBeNull()
    expect(result.status).toBe(need === 'warn' ? 'completed' : 'failed')
    expect(said.warnings.join()).toContain('came to no end')
    expect(said.untrusted.join()).toContain('Traceback')
  })
})

describe('what telemetry saw', () => {
  test('comes home as a table, and is part of the record', async () => {
    const table = 'at,timed,gpu\n2026-11-27T08:00:00.000Z,1,0\n'
    const { result, logs } = await play({ table, output: lines([...wholeRun.slice(0, -1), withTelemetry()]) })
    expect(logs['telemetry.csv']).toBe(table)
    expect(result.telemetry).toMatchObject({ energyJoules: 250.5, gpus: [{ powerWatts: { max: 300 } }] })
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(result)
  })

  test('costs no result when it cannot be read', async () => {
    const { result } = await play({ output: lines([...wholeRun.slice(0, -1), withTelemetry({ samples: -1 })]) })
    expect(result).toMatchObject({ status: 'completed', telemetry: null, validity: { valid: true } })
  })

  test('makes a run invalid when others used the CPUs', async () => {
    const { result } = await play({
      output: lines([...wholeRun.slice(0, -1), withTelemetry({ foreign_cpu_share: 0.8 })]),
    })
    expect(result.validity.reasons).toEqual(["Other programs used 80 % of the host's CPUs, more than 25 %."])
  })
})

describe('a run on two GPUs', () => {
  test('counts the images of both, and compares them with one alone', async () => {
    const { result, said } = await play({ output: lines(twoRanks()), wish: { gpus: 2 } })
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(result)
    expect(result.metrics).toMatchObject({ images: 160 })
    expect(result.metrics.throughput).toBeCloseTo(16_000 / 105, 6)
    expect(result.scaling).toMatchObject({ alone: 160, sameParameters: true })
    expect(result.scaling?.perGpu).toEqual([8000 / 105, 8000 / 105])
    expect(result.scaling?.efficiency).toBeCloseTo(16_000 / 105 / 320, 6)
    expect(result.validity).toEqual({ valid: true, reasons: [] })
    expect(said.info).toContain('All 2 GPUs together')
  })

  test('that trained different models is not valid', async () => {
    const { result } = await play({ output: lines(twoRanks('b'.repeat(64))) })
    expect(result.scaling?.sameParameters).toBe(false)
    expect(result.validity.reasons.join()).toContain('different parameters')
  })

  test('that dies while one is measured alone has no blocks', async () => {
    const error = { event: 'error', kind: 'rank', message: 'Rank 1 of 2: killed by SIGKILL', faults: [] }
    const output = lines([...twoRanks().slice(0, 8), error])
    const { result, fault } = await play({ output, end: { how: 'exited', exitCode: 10 } })
    expect(result.blocks).toEqual([])
    expect(result.metrics.throughput).toBeNull()
    expect(String(fault)).toContain('Rank 1 of 2: killed by SIGKILL')
  })
})

describe('a spot machine that is taken back', () => {
  test('leaves a run that is interrupted, and has no figure to use', async () => {
    const output = lines([start, environment, plan, warmup, block(1), spotNotice, block(2)])
    const { result, fault, said } = await play({ output, end: { how: 'lost', reason: 'the machine is gone' } })
    expect(result).toMatchObject({
      status: 'interrupted',
      interrupted: { action: 'terminate', time: '2026-11-03T00:02:00Z', source: 'notice' },
      validity: { valid: false },
    })
    expect(result.validity.reasons).toEqual([
      'The run was interrupted: the spot machine was taken back (terminate at 2026-11-03T00:02:00Z). There is no figure to use.',
    ])
    expect(String(fault)).toContain('was interrupted')
    expect(said.warnings.join()).toContain('The spot machine is taken back')
  })

  test('is recognised by what the cloud says of it, too', async () => {
    const takenBack = () => Promise.resolve('Server.SpotInstanceTermination')
    const { result } = await play({ output: partial, end: { how: 'lost', reason: 'no answer' }, takenBack })
    expect(result).toMatchObject({
      status: 'interrupted',
      interrupted: { action: 'Server.SpotInstanceTermination', time: null, source: 'state-reason' },
    })
  })

  test('is not made up when the cloud cannot tell', async () => {
    const takenBack = () => Promise.reject(new Error('not authorized'))
    const { result, said } = await play({ output: partial, end: { how: 'lost', reason: 'no answer' }, takenBack })
    expect(result).toMatchObject({ status: 'failed', interrupted: null })
    expect(said.warnings.join()).toContain('not authorized')
  })

  test('does not undo a run that completed before it went', async () => {
    const { result } = await play({ output: lines([...wholeRun, spotNotice]) })
    expect(result).toMatchObject({
      status: 'completed',
      interrupted: { action: 'terminate' },
      validity: { valid: true },
    })
  })
})

describe('what the host says of its GPUs', () => {
  test('becomes a warning once, goes into the record, and makes the run invalid', async () => {
    const hot = [...wholeRun.slice(0, -1), throttled, throttled, xid, ...wholeRun.slice(-1)]
    const { result, said } = await play({ output: lines(hot) })
    expect(said.warnings).toEqual([
      'GPU 0 is slowed down by its hardware because it is hot',
      'The kernel reports Xid 79 of GPU PCI:0000:00:1e: GPU has fallen off the bus.',
    ])
    expect(result.notices.xids).toMatchObject([{ code: 79 }])
    expect(result.notices.throttled).toHaveLength(2)
    expect(result.validity.valid).toBe(false)
    expect(result.validity.reasons.join()).toContain('Xid 79')
  })
})

describe('a run with a version of PyTorch', () => {
  test('installs it first, and runs with the Python of its own folder', async () => {
    const { result, seen, said } = await play({ wish: { pytorch: '2.9.1' } })
    expect(seen.jobs.map(({ name }) => name)).toEqual(['install-pytorch', 'resnet50'])
    expect(seen.jobs[0]?.command.slice(-3)).toEqual(['python3', '/tmp/gpu-actions-benchmark.abc', '2.9.1'])
    expect(seen.jobs[1]?.command[0]).toBe('/tmp/gpu-actions-benchmark.abc/venv/bin/python')
    expect(said.untrusted).toEqual(['Downloading torch (800 MiB)\n'])
    expect(result.setupSeconds).toBeGreaterThan(0)
  })

  test('that cannot be installed fails before anything is measured', async () => {
    const { result, fault, seen } = await play({
      wish: { pytorch: '9.9.9' },
      installed: { how: 'exited', exitCode: 1 },
    })
    expect(fault).toBeInstanceOf(OutsideFault)
    expect(result).toMatchObject({ status: 'failed', setupSeconds: null })
    expect(seen.jobs).toHaveLength(1)
    expect(seen.scripts.at(-1)).toContain('rm -rf')
  })
})

describe('a run that fails', () => {
  test('for want of a GPU is the fault of the workflow, with words of its own', async () => {
    const error = { event: 'error', kind: 'no-gpu', message: 'PyTorch sees no GPU', faults: [] }
    const { result, fault } = await play({ output: lines([start, error]), end: { how: 'exited', exitCode: 3 } })
    expect(fault).toBeInstanceOf(UserFault)
    expect(result.status).toBe('failed')
    expect(result.error).toContain('allow-cpu: true')
    expect(result.device).toBeNull()
    expect(new Set(Object.values(result.metrics))).toEqual(new Set([null]))
  })

  test('for want of PyTorch lists what was tried', async () => {
    const prepared =
      'FOLDER /tmp/f\nTRIED /opt/pytorch/bin/python: is not there\nTRIED python3: No module named torch\n'
    const { fault, seen } = await play({ prepared })
    expect(fault).toBeInstanceOf(OutsideFault)
    expect(String(fault)).toContain('- /opt/pytorch/bin/python: is not there\n- python3: No module named torch')
    expect(seen.jobs).toHaveLength(0)
  })

  test('when it runs out of time keeps the blocks it had measured', async () => {
    const { result, fault } = await play({ output: partial, end: { how: 'timed-out' } })
    expect(result).toMatchObject({ status: 'timed-out', device: 'cpu', validity: { valid: false } })
    expect(result.blocks).toHaveLength(2)
    expect(result.metrics).toMatchObject({ throughputLow: null, durationSeconds: null })
    expect(String(fault)).toContain('within 1m and was killed, after 2 of 5 blocks')
  })

  test('with a crash repeats the last words of the program', async () => {
    const output = `${partial}Segmentation fault\n`
    const { fault } = await play({ output, end: { how: 'exited', exitCode: 139 } })
    expect(String(fault)).toContain('exit code 139, without a result\n  | Segmentation fault')
  })

  test('with exit code 0 and no result is not completed', async () => {
    expect((await play({ output: partial })).result.status).toBe('failed')
  })

  test('after its result is not completed either', async () => {
    expect((await play({ end: { how: 'exited', exitCode: 134 } })).result.status).toBe('failed')
  })

  test('when its machine vanishes says so', async () => {
    const { fault, result } = await play({ output: partial, end: { how: 'lost', reason: 'the machine was rebooted' } })
    expect(String(fault)).toContain('the machine was rebooted')
    expect(result.blocks).toHaveLength(2)
  })

  test('when it is out of sight is ended', async () => {
    const { fault, seen, result } = await play({ follow: () => Promise.reject(new Error('connection reset')) })
    expect(String(fault)).toContain('connection reset')
    expect(seen.cancelled).toBe(1)
    expect(result.status).toBe('failed')
  })
})

test('a cancelled run ends its job and is still a result', async () => {
  const { result, fault, seen } = await play({
    output: partial,
    follow: async cancel => {
      cancel.abort(new Error('the runner sent SIGINT'))
      throw cancel.signal.reason
    },
  })
  expect(seen.cancelled).toBe(1)
  expect(result.status).toBe('cancelled')
  expect(result.blocks).toHaveLength(2)
  expect(String(fault)).toContain('the runner sent SIGINT')
  expect(seen.scripts).toHaveLength(1)
})
