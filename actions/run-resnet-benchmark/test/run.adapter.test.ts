import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readInputs, runDirectories, systemClock, UserFault, type Log } from '@gpu-actions/action-kit'
import { parseResult } from '@gpu-actions/benchmark'
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
  local: 'true',
  python,
  'image-size': '32',
  'batch-size': '2',
  'steps-per-epoch': '5',
  'allow-cpu': 'true',
}

/** Runs the action's work on this machine, with real PyTorch. */
async function measure(more: Readonly<Record<string, string>>, signal = new AbortController().signal) {
  const folder = await mkdtemp(join(temp, 'job-'))
  const outputs: Record<string, unknown> = {}
  const said = { info: [] as string[], notices: [] as string[] }
  const ignore = (): void => undefined
  const log: Log = {
    debug: ignore,
    warning: ignore,
    error: ignore,
    untrusted: ignore,
    info: message => void said.info.push(message),
    notice: message => void said.notices.push(message),
    group: (_, work) => work(),
  }
  const given: Readonly<Record<string, string>> = { ...tiny, ...more }
  const inputs = readInputs(action, id => given[id] ?? '')
  const environment = { PATH: process.env['PATH'], HOME: folder, OMP_NUM_THREADS: '1', GOMP_SPINCOUNT: '0' }
  const { host, close } = await openHost(inputs, { clock: systemClock, log, environment, temp: folder })
  const context = { inputs, log, clock: systemClock, signal, runDirectories: runDirectories(folder) }
  const failure: unknown = await run(
    { ...context, setOutput: (id, value) => void (outputs[id] = value) },
    host,
    program,
  )
    .finally(close)
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  const place = join(folder, 'gpu-actions', 'host-local')
  const result = parseResult(JSON.parse(await readFile(join(place, 'result.json'), 'utf8')))
  return { failure, outputs, said, result, place }
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
      const alive = await Promise.all(
        (await readdir('/proc'))
          .filter(name => /^\d+$/.test(name))
          .map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
      )
      expect(alive.filter(command => command.includes('programs.pyz') && command.includes('100000'))).toEqual([])
    },
    deadlineMs,
  )
})
