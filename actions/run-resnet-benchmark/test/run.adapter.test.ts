import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readInputs, runDirectories, systemClock, UserFault, type Log } from '@gpu-actions/action-kit'
import { environmentKey, parseResult } from '@gpu-actions/benchmark'
import { startSshServer } from '../../../packages/host/test/ssh-server.ts'
import { needsSshServer, withSshServer } from '../../../packages/host/test/with-ssh-server.ts'
import { action } from '../src/action.ts'
import { openHost } from '../src/hosts.ts'
import { run } from '../src/run.ts'

const python = process.env['GPU_ACTIONS_PYTHON'] ?? ''
const needsPython = python === '' && process.env['CI'] !== 'true' ? describe.skip : describe
const programs = fileURLToPath(new URL('../../../packages/benchmark/programs', import.meta.url))
const deadlineMs = 120_000

let temp = ''
let program = new Uint8Array()
beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'run-resnet-benchmark-'))
  if (python === '') return
  const target = join(temp, 'programs.pyz')
  await promisify(execFile)(python, ['-m', 'zipapp', programs, '-o', target])
  program = await readFile(target)
})
afterAll(() => rm(temp, { recursive: true, force: true }))

const tiny = {
  python,
  'image-size': '32',
  'batch-size': '2',
  'steps-per-epoch': '5',
  'allow-cpu': 'true',
  preflight: 'off',
}

interface Where {
  /** The inputs that name the host. */
  readonly host: Readonly<Record<string, string>>
  /** Its run directory. */
  readonly name: string
}
const here: Where = { host: { local: 'true' }, name: 'host-local' }

/** Runs the action's work on this machine, or on the host that is given, with real PyTorch. */
async function measure(
  more: Readonly<Record<string, string>>,
  { host: where, name }: Where = here,
  onInfo: (line: string) => void = () => undefined,
  signal = new AbortController().signal,
) {
  const folder = await mkdtemp(join(temp, 'job-'))
  const outputs: Record<string, unknown> = {}
  const said = { info: [] as string[], notices: [] as string[] }
  const ignore = (): void => undefined
  const log: Log = {
    debug: ignore,
    warning: ignore,
    error: ignore,
    untrusted: ignore,
    info: message => {
      said.info.push(message)
      onInfo(message)
    },
    notice: message => void said.notices.push(message),
    group: (_, work) => work(),
  }
  const given: Readonly<Record<string, string>> = { ...tiny, ...where, ...more }
  const inputs = readInputs(action, id => given[id] ?? '')
  const environment = { PATH: process.env['PATH'], HOME: folder, OMP_NUM_THREADS: '1', GOMP_SPINCOUNT: '0' }
  const job = { repository: 'org/consumer', runId: '1', temp: folder }
  const idToken = () => Promise.reject(new Error('no role to take'))
  const opened = await openHost(inputs, { clock: systemClock, log, environment, run: job, idToken })
  const context = { inputs, log, clock: systemClock, signal, runDirectories: runDirectories(folder) }
  const setOutput = (id: string, value: unknown): void => void (outputs[id] = value)
  const failure: unknown = await run({ ...context, setOutput }, opened, program).then(
    () => undefined,
    (error: unknown) => error,
  )
  await opened.close()
  const place = join(folder, 'gpu-actions', name)
  const result = parseResult(JSON.parse(await readFile(join(place, 'result.json'), 'utf8')))
  return { failure, outputs, said, result, place, folder }
}

/** Command lines of host programs that run here and have this word. */
async function programsWith(word: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const commands = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return commands.filter(command => command.includes('programs.pyz') && command.includes(word))
}

/** Cancels a run after its first block; it must leave its record, and soon nothing that runs. */
async function cancelled(steps: string, where: Where): Promise<Awaited<ReturnType<typeof measure>>> {
  const controller = new AbortController()
  const onInfo = (line: string): void => {
    if (line.startsWith('Block 1 of')) controller.abort(new Error('the job was cancelled'))
  }
  const measured = await measure({ 'steps-per-epoch': steps }, where, onInfo, controller.signal)
  expect(measured.result.status).toBe('cancelled')
  expect(measured.result.blocks.length).toBeGreaterThan(0)
  // The step does not wait for what takes its time to end: the supervisor on the host sees to that.
  const deadline = Date.now() + 30_000
  while ((await programsWith(steps)).length > 0 && Date.now() < deadline)
    await new Promise(resolve => setTimeout(resolve, 100))
  expect(await programsWith(steps)).toEqual([])
  return measured
}

needsPython('the benchmark on this machine, with real PyTorch ($GPU_ACTIONS_PYTHON)', () => {
  test(
    'leaves a valid record, the raw log and the outputs',
    async () => {
      const { failure, outputs, said, result, place } = await measure({})
      expect(failure).toBeUndefined()
      expect(result.status).toBe('completed')
      expect(result.blocks.map(({ stepMs }) => stepMs.length)).toEqual([1, 1, 1, 1, 1])
      expect(outputs).toMatchObject({ device: result.device, 'result-path': join(place, 'result.json') })
      expect(outputs['throughput']).toBeCloseTo(result.metrics.throughput ?? -1, 2)
      expect(said.notices[0]).toContain('images/s')
      expect(said.info.some(line => line.startsWith('Block 5 of 5'))).toBe(true)
      expect(await readFile(join(place, 'logs', 'benchmark.log'), 'utf8')).toContain('"event":"result"')
      expect(result.telemetry).toMatchObject({ intervalSeconds: 1, csvTruncated: false })
      expect(await readFile(join(place, 'logs', 'telemetry.csv'), 'utf8')).toMatch(/^at,timed,gpu,/)
    },
    deadlineMs,
  )

  test(
    'has all that makes it comparable where a key looks for it',
    async () => {
      const { result } = await measure({ profile: 'quick' })
      const { fields } = environmentKey(result)
      const known = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [name]))
      expect(known).toEqual(
        expect.arrayContaining(['workload', 'mode', 'batchSize', 'precision', 'gpus', 'backend', 'torch', 'cpuModel']),
      )
      expect(known).toContain('env.OMP_NUM_THREADS')
      expect(known.includes('cpuThreads')).toBe(result.backend === 'cpu')
    },
    deadlineMs,
  )

  test(
    'is checked first unless its profile is quick; what cannot be checked is skipped, and speeds are on record',
    async () => {
      const { result, said, place } = await measure({ preflight: 'require' })
      expect(result.status).toBe('completed')
      expect(result.preflight).toMatchObject({ level: 'quick', status: 'pass' })
      expect(result.preflight?.checks).toContainEqual(expect.objectContaining({ name: 'numbers', status: 'pass' }))
      expect(result.preflight?.measured.memoryBytesPerSecond).toBeGreaterThan(1e8)
      expect(said.info.some(line => line.startsWith('Preflight: pass ('))).toBe(true)
      expect(await readFile(join(place, 'logs', 'preflight.log'), 'utf8')).toContain('"event":"preflight"')
    },
    deadlineMs,
  )

  test(
    'is not timed where a check fails and none may',
    async () => {
      const { failure, result } = await measure({ preflight: 'require', 'allow-cpu': 'false' })
      if (result.device !== null) return
      expect(String(failure)).toContain('is not fit to be measured')
      expect(result).toMatchObject({ status: 'failed', blocks: [], preflight: { status: 'fail' } })
    },
    deadlineMs,
  )

  test(
    'asks for leave to use the CPU, and still leaves a record',
    async () => {
      const { failure, outputs, result } = await measure({ 'allow-cpu': 'false' })
      if (result.device !== null && result.device !== 'cpu') return
      expect(failure).toBeInstanceOf(UserFault)
      expect(result).toMatchObject({ status: 'failed', device: null, metrics: { throughput: null } })
      expect(outputs).toMatchObject({ throughput: null, valid: false })
    },
    deadlineMs,
  )

  test(
    'is killed when its time is up, with all that it started',
    async () => {
      const { failure, result } = await measure({ 'steps-per-epoch': '100000', timeout: '10s' })
      expect(String(failure)).toContain('did not end within 10s')
      expect(result.status).toBe('timed-out')
      expect(await programsWith('100000')).toEqual([])
    },
    deadlineMs,
  )
})

needsPython('the benchmark that is cancelled in mid-run, on this machine', () => {
  test(
    'leaves its record with the blocks it had, and nothing that runs',
    async () => {
      const { place } = await cancelled('203', here)
      expect(await readFile(join(place, 'logs', 'benchmark.log'), 'utf8')).toContain('"event":"block"')
    },
    deadlineMs,
  )
})

withSshServer(`over ssh, with ${needsSshServer}`, () => {
  needsPython('the benchmark, with real PyTorch ($GPU_ACTIONS_PYTHON)', () => {
    test(
      'leaves a valid record under the name of the host, and no key behind; cancelled, nothing that runs',
      async () => {
        const server = await startSshServer()
        try {
          const host = {
            'ssh-host': '127.0.0.1',
            'ssh-port': String(server.port),
            'ssh-user': server.user,
            'ssh-key': server.privateKey,
          }
          const where = { host, name: 'host-127.0.0.1' }
          const { failure, said, result, folder } = await measure({}, where)
          expect(failure).toBeUndefined()
          expect(result).toMatchObject({
            status: 'completed',
            leaseId: null,
            host: `${server.user}@127.0.0.1 port ${server.port} over ssh`,
          })
          expect(result.blocks.map(({ stepMs }) => stepMs.length)).toEqual([1, 1, 1, 1, 1])
          expect(said.notices[0]).toMatch(/host key of 127\.0\.0\.1 was taken as it came.*SHA256:/)
          expect(said.notices[1]).toContain('images/s')
          expect(await readdir(join(folder, 'gpu-actions-ssh'))).toEqual([])
          await cancelled('204', { ...where, host: { ...host, 'ssh-host-key': server.hostKey } })
        } finally {
          await server.remove()
        }
      },
      2 * deadlineMs,
    )
  })
})
