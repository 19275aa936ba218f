import { spawn } from 'node:child_process'
import path from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { stepEnvironment } from '../src/demo/cloud.ts'
import { layOutConsumer, mapRepositories } from '../src/demo/consumer.ts'
import { anyDemo, defaultExample, demoOf, type Demo } from '../src/demo/demos.ts'
import { evidenceOf, needing, nothingLives, openBench, smallBenchmark } from './demo/chain.ts'
import type { Bench } from './demo/chain.ts'

let bench: Bench | null = null

afterEach(async () => {
  await bench?.close()
  bench = null
})

interface ActRun {
  readonly exitCode: number | null
  /** How act says that each job ended, by its name. */
  readonly jobs: Readonly<Record<string, string>>
  readonly text: string
}

const pairs = (flag: string, values: Readonly<Record<string, string>>) =>
  Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`])

/** Runs one of the examples under act, in host mode, with nothing of this process's environment but what it needs. */
async function act({ cloud, folder }: Bench, file: string, demo: Demo): Promise<ActRun> {
  const consumer = await layOutConsumer(path.join(folder, 'consumer'), 'act')
  const binary = process.env['GPU_ACTIONS_ACT'] ?? 'act'
  const node = path.dirname(process.env['GPU_ACTIONS_NODE'] ?? process.execPath)
  const args = [
    'workflow_dispatch',
    ...['-C', consumer.folder, '-W', path.join('.github', 'workflows', file)],
    ...['-P', 'ubuntu-latest=-self-hosted', '--no-cache-server', '--rm', '--json'],
    ...['--action-cache-path', path.join(folder, 'act')],
    ...pairs('--local-repository', await mapRepositories(consumer.workflows)),
    ...pairs('--input', demo.inputs),
    ...pairs('-s', demo.secrets),
    ...pairs('--var', demo.vars),
    ...pairs('--env', { GITHUB_REPOSITORY: 'org/consumer', ...stepEnvironment(cloud.env) }),
  ]
  const child = spawn(binary, args, {
    env: { HOME: folder, PATH: `${node}:/usr/local/bin:/usr/bin:/bin`, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { exitCode, jobs: resultsOf(text), text }
}

function resultsOf(text: string): Record<string, string> {
  const results: Record<string, string> = {}
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue
    const { job, jobResult } = JSON.parse(line) as { job?: string; jobResult?: string }
    if (job !== undefined && jobResult !== undefined) results[job] = jobResult
  }
  return results
}

needing('GPU_ACTIONS_ACT')('sweep-orphans under act', () => {
  test('shows what outlived its lease', async () => {
    const tags = {
      'gpu-actions:lease': '7-1-0a1b2c3d',
      'gpu-actions:repository': 'org/consumer',
      'gpu-actions:expires-at': new Date(Date.now() - 3_600_000).toISOString(),
    }
    bench = await openBench({ scenario: { instances: [{ region: 'us-west-2', type: 'g5.2xlarge', tags }] } })
    const { exitCode, jobs, text } = await act(bench, 'sweep-orphans.yml', anyDemo)
    expect({ exitCode, text: exitCode === 0 ? '' : text.slice(-6000) }).toEqual({ exitCode: 0, text: '' })
    expect(Object.values(jobs)).toEqual(['success'])
    expect(text).toContain('would be ended')
    expect(bench.cloud.state().living.instances).toBe(1)
  }, 120_000)
})

needing('GPU_ACTIONS_PYTHON', 'GPU_ACTIONS_ACT')('the same examples under act', () => {
  test('gpu-benchmark', async () => {
    bench = await openBench()
    const { exitCode, jobs, text } = await act(bench, 'gpu-benchmark.yml', { ...anyDemo, inputs: smallBenchmark })
    expect({ exitCode, jobs, text: exitCode === 0 ? '' : text.slice(-6000) }).toEqual({
      exitCode: 0,
      jobs: { 'GPU benchmark/benchmark on g5.2xlarge': 'success' },
      text: '',
    })
    expect(bench.cloud.state().calls['ec2:RunInstances']).toBe(1)
    expect(bench.cloud.state().living).toEqual(nothingLives)
    const [artifact] = await evidenceOf(bench.cloud)
    expect(artifact?.evidence).toMatchObject({ missing: [], result: { device: 'cpu' }, receipt: { remaining: 0 } })
  }, 300_000)

  test('weekly-regression', async () => {
    bench = await openBench()
    const { exitCode, jobs, text } = await act(bench, 'weekly-regression.yml', {
      ...anyDemo,
      inputs: { ...smallBenchmark, instance_types: '["g4dn.xlarge"]' },
    })
    expect({ exitCode, text: exitCode === 0 ? '' : text.slice(-6000) }).toEqual({ exitCode: 0, text: '' })
    expect(Object.values(jobs)).toEqual(['success'])
    expect(bench.cloud.state().instances.map(instance => instance.type)).toEqual(['g4dn.xlarge'])
    expect(bench.cloud.state().living).toEqual(nothingLives)
    const [artifact] = await evidenceOf(bench.cloud)
    expect(artifact?.evidence.receipt?.remaining).toBe(0)
  }, 300_000)

  test('cluster-benchmark', async () => {
    bench = await openBench()
    const { cloud } = bench
    const demo = demoOf(path.join(path.dirname(defaultExample), 'cluster-benchmark.yml'), cloud.clusterApi)
    const { exitCode, jobs, text } = await act(bench, 'cluster-benchmark.yml', demo)
    expect({ exitCode, text: exitCode === 0 ? '' : text.slice(-6000) }).toEqual({ exitCode: 0, text: '' })
    expect(Object.values(jobs)).toEqual(['success'])
    expect(cloud.state().living).toEqual(nothingLives)
    expect(cloud.state().clusters).toMatchObject([{ jobs: [{ status: 'succeeded' }] }])
    const [artifact] = await evidenceOf(cloud)
    expect(artifact?.evidence.receipt?.remaining).toBe(0)
  }, 300_000)
})
