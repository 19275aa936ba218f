import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { images } from '@gpu-actions/offline-cloud'
import type { OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { anyDemo } from '../src/demo/demos.ts'
import { evidenceOf, needing, nothingLives, openChain, smallBenchmark, stepsOf, textsBelow } from './demo/chain.ts'
import type { Chain } from './demo/chain.ts'

let chain: Chain | null = null

afterEach(async () => {
  await chain?.close()
  chain = null
})

const open = async (options: OfflineCloudOptions = {}): Promise<Chain> => (chain = await openChain(options))

needing('GPU_ACTIONS_PYTHON')('the examples under the workflow runner', () => {
  test('gpu-benchmark measures, proves the teardown, brings home evidence, and shows no secret anywhere', async () => {
    const { cloud, folder, log, run } = await open()
    const commandLines: string[] = []
    const result = await run('gpu-benchmark.yml', {
      onProcess: started => {
        void readFile(`/proc/${started.pid}/cmdline`, 'utf8').then(
          line => commandLines.push(line),
          () => {},
        )
      },
    })
    expect({ conclusion: result.conclusion, log: log.slice(-60) }).toMatchObject({ conclusion: 'success' })
    expect(cloud.state().living).toEqual(nothingLives)
    expect(cloud.state().calls['ec2:RunInstances']).toBe(1)
    const [job] = result.jobs
    expect(Number(job?.outputs['throughput'])).toBeGreaterThan(0)
    expect(Number(job?.outputs['cost'])).toBeGreaterThan(0)
    expect(job?.outputs['instance_type']).toBe('g5.2xlarge')
    expect(job?.summary).toContain('g5.2xlarge')

    const [artifact, ...more] = await evidenceOf(cloud)
    expect(more).toEqual([])
    expect(artifact?.name).toBe('benchmark-evidence-g5.2xlarge-1')
    expect(artifact?.evidence).toMatchObject({
      missing: [],
      verdict: null,
      result: { device: 'cpu' },
      receipt: { remaining: 0 },
    })

    // Each step takes the role itself: no credentials of AWS are handed from one to the next.
    const files = await textsBelow(path.join(folder, 'runner'))
    const variables = Object.entries(files).filter(([name]) => /_runner_file_commands\/env_/.test(name))
    expect(variables.map(([, text]) => text).join('')).not.toContain('AWS_')
    expect(cloud.state().calls['sts:AssumeRoleWithWebIdentity']).toBe(3)
    const canaries = [
      anyDemo.secrets['AWS_ROLE_TO_ASSUME_ARN'],
      cloud.env['ACTIONS_RUNTIME_TOKEN'],
      cloud.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'],
    ].filter(canary => canary !== undefined)
    const places = {
      log: log.join('\n'),
      result: JSON.stringify(result),
      commandLines: commandLines.join('\n'),
      cloud: JSON.stringify([cloud.state().instances, cloud.state().commands]),
      evidence: JSON.stringify(artifact?.files),
      files: Object.entries(files)
        .filter(([name]) => !/\/actions\//.test(name))
        .map(([, text]) => text)
        .join('\n'),
    }
    expect(commandLines.length).toBeGreaterThan(0)
    for (const [place, text] of Object.entries(places)) {
      const found = canaries.filter(canary => text.includes(canary))
      expect({ place, found: found.length }).toEqual({ place, found: 0 })
    }
  }, 300_000)

  test('weekly-regression runs one type after the other and leaves one evidence each', async () => {
    const { cloud, log, run } = await open()
    const result = await run('weekly-regression.yml', {
      inputs: { ...smallBenchmark, instance_types: '["g4dn.xlarge", "g5.xlarge"]' },
    })
    expect({ conclusion: result.conclusion, log: log.slice(-60) }).toMatchObject({ conclusion: 'success' })
    expect(result.jobs.map(job => [job.name, job.conclusion])).toEqual([
      ['g4dn.xlarge / benchmark on g4dn.xlarge', 'success'],
      ['g4dn.xlarge', 'success'],
      ['g5.xlarge / benchmark on g5.xlarge', 'success'],
      ['g5.xlarge', 'success'],
    ])
    const { living, instances } = cloud.state()
    expect(living).toEqual(nothingLives)
    const [first, second] = instances
    expect([first?.type, second?.type]).toEqual(['g4dn.xlarge', 'g5.xlarge'])
    expect(Date.parse(second?.launchTime ?? '')).toBeGreaterThanOrEqual(Date.parse(first?.terminatedAt ?? ''))
    const evidence = await evidenceOf(cloud)
    expect(evidence.map(each => each.name)).toEqual([
      'benchmark-evidence-g4dn.xlarge-1',
      'benchmark-evidence-g5.xlarge-1',
    ])
    expect(evidence.map(each => each.evidence.receipt?.remaining)).toEqual([0, 0])
  }, 300_000)

  test('a benchmark that fails leaves nothing alive, and evidence that says what is missing', async () => {
    const { cloud, kill, log, run, until } = await open()
    const running = run('gpu-benchmark.yml')
    await until('the benchmark', () => log.some(line => line.includes('Starting the benchmark')))
    kill('benchmark')
    const result = await running
    expect(stepsOf(result)).toMatchObject({
      'Rent a GPU': 'success',
      'Measure ResNet-50': 'failure',
      'End the GPU': 'success',
      'Bring home the evidence': 'success',
      'Post Rent a GPU': 'success',
    })
    expect(result.conclusion).toBe('failure')
    expect(cloud.state().living).toEqual(nothingLives)
    const [artifact] = await evidenceOf(cloud)
    expect(artifact?.evidence.missing.map(each => each.name)).toContain('result')
    expect(artifact?.evidence.receipt?.remaining).toBe(0)
  }, 300_000)
})

needing()('deaths while a machine is rented', () => {
  test('a job that is cancelled during provision leaves nothing alive', async () => {
    const { called, cloud, run } = await open({ scenario: { faults: [{ kind: 'never-registers' }] } })
    const cancel = new AbortController()
    const running = run('gpu-benchmark.yml', { signal: cancel.signal })
    await called('ec2:RunInstances')
    cancel.abort()
    const result = await running
    expect(stepsOf(result)).toMatchObject({
      'Rent a GPU': 'cancelled',
      'Measure ResNet-50': 'skipped',
      'End the GPU': 'success',
      'Bring home the evidence': 'success',
      'Post Rent a GPU': 'success',
    })
    expect(result.conclusion).toBe('cancelled')
    expect(cloud.state().living).toEqual(nothingLives)
  }, 120_000)

  test('provision killed right after the launch call leaves nothing alive', async () => {
    const { called, cloud, kill, run } = await open()
    const running = run('gpu-benchmark.yml')
    await called('ec2:RunInstances')
    kill('gpu')
    const result = await running
    expect(stepsOf(result)).toMatchObject({ 'Rent a GPU': 'failure', 'End the GPU': 'success' })
    expect(result.conclusion).toBe('failure')
    expect(cloud.state().instances).toHaveLength(1)
    expect(cloud.state().living).toEqual(nothingLives)
  }, 120_000)

  test('without a teardown step, the post of a killed provision ends what it had launched', async () => {
    const { called, cloud, kill, run, workflows } = await open()
    const provisionOnly = `
on: workflow_dispatch
jobs:
  a:
    runs-on: ubuntu-latest
    permissions: { id-token: write }
    steps:
      - uses: aws-actions/configure-aws-credentials@v6
        with: { role-to-assume: '\${{ secrets.AWS_ROLE_TO_ASSUME_ARN }}', aws-region: us-west-2 }
      - uses: org/gpu-actions/provision@v1
        id: gpu
        with: { instance-profile-name: gpu-bench-instance, wait-for: ssm }
`
    await writeFile(path.join(workflows, 'provision-only.yml'), provisionOnly)
    const running = run('provision-only.yml', { inputs: {} })
    await called('ec2:RunInstances')
    kill('gpu')
    const result = await running
    expect(Object.values(stepsOf(result))).toEqual(['success', 'failure', 'success', 'success'])
    expect(cloud.state().living).toEqual(nothingLives)
  }, 120_000)

  test('on schedule, weekly-regression measures on the pinned image, and one type that fails does not stop the next', async () => {
    const { cloud, run } = await open({
      scenario: { faults: [{ kind: 'denied', operation: 'RunInstances', count: null }] },
    })
    const pinned =
      Object.values(images).find(image => image.region === 'us-west-2' && image.name.includes('PyTorch'))?.id ?? ''
    const result = await run('weekly-regression.yml', {
      event: 'schedule',
      inputs: {},
      vars: { ...anyDemo.vars, REGRESSION_AMI_ID: pinned },
    })
    expect(result.jobs.map(job => job.conclusion)).toEqual(['failure', 'failure', 'failure', 'failure'])
    const launches = cloud.state().callLog.filter(call => call.operation === 'RunInstances')
    const asked = launches.map(({ parameters }) => JSON.stringify(parameters))
    expect(asked).toHaveLength(2)
    expect(asked.every(text => text.includes(pinned))).toBe(true)
    expect(asked.map(text => /g\w+\.\w+/.exec(text)?.[0])).toEqual(['g4dn.xlarge', 'g5.2xlarge'])
  }, 120_000)

  test('sweep-orphans ends on schedule what a lost runner has left, and by hand shows it only', async () => {
    const expired = {
      'gpu-actions:lease': '7-1-0a1b2c3d',
      'gpu-actions:repository': 'org/consumer',
      'gpu-actions:run': '7',
      'gpu-actions:expires-at': new Date(Date.now() - 3_600_000).toISOString(),
    }
    const machine = { region: 'us-east-1', type: 'g5.2xlarge', launchedSecondsAgo: 7_200 }
    const { cloud, run } = await open({ scenario: { instances: [{ ...machine, tags: expired }, machine] } })
    const byHand = await run('sweep-orphans.yml', { inputs: {} })
    expect(byHand.conclusion).toBe('success')
    expect(byHand.jobs[0]?.summary).toContain('would be ended')
    expect(cloud.state().living.instances).toBe(2)
    const scheduled = await run('sweep-orphans.yml', { event: 'schedule', inputs: {} })
    expect(scheduled.conclusion).toBe('success')
    expect(cloud.state().instances.map(({ state }) => state)).toEqual(['terminated', 'running'])
  }, 120_000)

  test('a missing instance profile is named by provision, and nothing is launched', async () => {
    const { cloud, run } = await open()
    const result = await run('gpu-benchmark.yml', { vars: {} })
    expect(result.jobs[0]?.annotations.map(each => each.message).join('\n')).toContain('instance-profile-name')
    expect(result.conclusion).toBe('failure')
    expect(cloud.state().calls['ec2:RunInstances'] ?? 0).toBe(0)
  }, 60_000)
})
