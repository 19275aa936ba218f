import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from '@jest/globals'
import { readInputs, runDirectories, type Log } from '@gpu-actions/action-kit'
import { environmentKey, parseResult } from '@gpu-actions/benchmark'
import { fastClock, hastyClock, startRig } from '../../../packages/aws/test/ssm-fixture.ts'
import { waitForRegistration } from '../../../packages/aws/src/ssm/index.ts'
import { collectEvidence, type Run } from '../../../packages/evidence/src/index.ts'
import { isolation } from '../../../packages/offline-cloud/src/machine/index.ts'
import { action } from '../src/action.ts'
import { openHost } from '../src/hosts.ts'
import { run } from '../src/run.ts'

const python = process.env['GPU_ACTIONS_PYTHON'] ?? ''
const needsPython =
  (python === '' && process.env['CI'] !== 'true') || isolation !== 'namespaces' ? describe.skip : describe
const programs = fileURLToPath(new URL('../../../packages/benchmark/programs', import.meta.url))

const workflow: Run = {
  repository: 'org/consumer',
  id: '1',
  number: '1',
  attempt: 1,
  job: 'benchmark',
  workflow: 'GPU benchmark',
  event: 'workflow_dispatch',
  actor: 'somebody',
  sha: 'a'.repeat(40),
  headSha: null,
  ref: 'refs/heads/main',
  url: 'https://github.example/org/consumer/actions/runs/1',
  collectedAt: '2026-11-27T08:00:00Z',
}

const folders: string[] = []
afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))))

needsPython(
  'the benchmark on a spot machine, over the Systems Manager, with real PyTorch ($GPU_ACTIONS_PYTHON)',
  () => {
    test('that is taken back is told of at once, and the record says that the run was interrupted', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'spot-'))
      folders.push(folder)
      const zipapp = join(folder, 'programs.pyz')
      await promisify(execFile)(python, ['-m', 'zipapp', programs, '-o', zipapp])
      const timings = { pendingSeconds: 0.1, registrationSeconds: 0.1, consistencySeconds: 0.05, deliverySeconds: 0.02 }
      const rig = await startRig(
        { scenario: { timings: { ...timings, shutdownSeconds: 0.5 } } },
        { InstanceMarketOptions: { MarketType: 'spot' } },
      )
      try {
        // The SDK finds the cloud and its credentials there.
        Object.assign(process.env, rig.cloud.env)
        const registered = { deadline: Date.now() + 60_000, diagnose: () => Promise.resolve('') }
        await waitForRegistration(rig.target(hastyClock), registered)
        const environment = { ...rig.cloud.env, PATH: process.env['PATH'], HOME: folder }
        const warnings: string[] = []
        let isTakenBack = false
        // Once it trains, the cloud wants its machine back: in eight seconds, not two minutes.
        const onInfo = (line: string): void => {
          if (!line.startsWith('Warm-up: ') || isTakenBack) return
          isTakenBack = true
          const body = JSON.stringify({ instanceId: rig.instanceId, noticeSeconds: 8 })
          void fetch(`${rig.cloud.url}/_offline/interrupt`, { method: 'POST', body })
        }
        const ignore = (): void => undefined
        const log: Log = {
          debug: ignore,
          notice: ignore,
          error: ignore,
          untrusted: ignore,
          info: onInfo,
          warning: message => void warnings.push(message),
          group: (_, work) => work(),
        }
        const given: Readonly<Record<string, string>> = {
          'instance-id': rig.instanceId,
          'aws-region': 'us-west-2',
          'image-size': '32',
          'batch-size': '2',
          'steps-per-epoch': '2000',
          'allow-cpu': 'true',
          preflight: 'off',
          timeout: '10m',
        }
        const inputs = readInputs(action, id => given[id] ?? '')
        const job = { repository: 'org/consumer', runId: '1', temp: folder }
        const idToken = () => Promise.reject(new Error('no role to take'))
        // A host that has gone silent is given up after minutes.
        const clock = fastClock(6)
        const ports = { clock, log, environment, run: job, idToken }
        const opened = await openHost(inputs, ports)
        const signal = new AbortController().signal
        const context = { inputs, log, clock, signal, runDirectories: runDirectories(folder) }
        const failure: unknown = await run(
          { ...context, setOutput: () => undefined },
          opened,
          await readFile(zipapp),
        ).then(
          () => undefined,
          (error: unknown) => error,
        )
        await opened.close()

        const [place = ''] = await runDirectories(folder).list()
        const path = join(folder, 'gpu-actions', place, 'result.json')
        const result = parseResult(JSON.parse(await readFile(path, 'utf8')))
        expect(warnings.join('\n')).toMatch(/The spot machine is taken back \(terminate at \d{4}-/)
        expect(String(failure)).toContain('was interrupted: the spot machine was taken back')
        expect(result).toMatchObject({
          status: 'interrupted',
          interrupted: { action: 'terminate', source: 'notice' },
          validity: { valid: false },
          environment: { instance: { provider: 'ec2', market: 'spot', region: 'us-west-2' } },
        })
        expect(result.validity.reasons.join()).toContain('the spot machine was taken back')
        expect(JSON.stringify(result.environment)).not.toContain(rig.instanceId)
        expect(environmentKey(result).fields['instanceType']).toBe('g5.2xlarge')
        expect(await readFile(join(folder, 'gpu-actions', place, 'logs', 'benchmark.log'), 'utf8')).toContain(
          '"event":"spot-notice"',
        )
        const [directory, target] = [join(folder, 'gpu-actions', place), join(folder, 'evidence')]
        await collectEvidence({ directory, target, run: workflow, extra: [], missing: [] })
        const report = await readFile(join(target, 'report.md'), 'utf8')
        expect(report).toContain('The run was interrupted: the spot machine was taken back')
      } finally {
        await rig.cloud.stop()
      }
    }, 300_000)
  },
)
