import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { cognito, type OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { defaultExample, demoOf } from '../src/demo/demos.ts'
import { evidenceOf, needing, nothingLives, openChain, stepsOf, textsBelow, type Chain } from './demo/chain.ts'

const file = 'cluster-benchmark.yml'

let chain: Chain | null = null

afterEach(async () => {
  await chain?.close()
  chain = null
})

/** The chain, with what the example needs to run on the offline cloud, as small as it goes. */
async function open(options: OfflineCloudOptions = {}) {
  chain = await openChain(options)
  const demo = demoOf(path.join(path.dirname(defaultExample), file), chain.cloud.clusterApi)
  const small = { BENCH_IMAGE_SIZE: '32', BENCH_STEPS_PER_EPOCH: '5' }
  return { ...chain, demo: { ...demo, inputs: { ...demo.inputs, batch_size: '2' }, vars: { ...demo.vars, ...small } } }
}

/** The command lines of all processes of this computer, those of the machines' guests among them. */
async function commandLines(): Promise<string> {
  const processes = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const lines = await Promise.all(processes.map(id => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return lines.join('\n')
}

needing('GPU_ACTIONS_PYTHON')('the cluster flow under the workflow runner', () => {
  test('logs in, measures through the agent, ends machine and cluster, and shows no secret anywhere', async () => {
    const { cloud, demo, folder, log, run } = await open()
    let processTable = ''
    let over = false
    const watching = (async () => {
      while (!over) {
        processTable += await commandLines()
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    })()
    const result = await run(file, demo)
    over = true
    await watching
    if (result.conclusion !== 'success') throw new Error(log.join('\n'))
    const state = cloud.state()
    expect(state.living).toEqual(nothingLives)
    expect(state.clusters).toMatchObject([{ jobs: [{ status: 'succeeded' }] }])
    expect(Number(result.jobs[0]?.outputs['throughput'])).toBeGreaterThan(0)

    const [artifact] = await evidenceOf(cloud)
    expect(artifact?.evidence.receipt?.remaining).toBe(0)
    expect(artifact?.files['records/agent.json']).toContain('ci-gpu-bench')

    const files = await textsBelow(path.join(folder, 'runner'))
    const texts = Object.values(files)
    // Outputs and the environment file are how GitHub itself hands secrets on between steps.
    const handedOn = /_runner_file_commands\/(env|output)_/
    const tokens = texts.flatMap(text => [...text.matchAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)].map(([token]) => token))
    expect(tokens.length).toBeGreaterThan(0)
    const canaries = [cognito.users.ci.password, ...new Set(tokens)]
    const places = {
      log: log.join('\n'),
      result: JSON.stringify(result.jobs.map(({ summary, annotations }) => ({ summary, annotations }))),
      processTable,
      cloud: JSON.stringify([state.instances, state.commands, state.parameters, state.callLog]),
      evidence: JSON.stringify(artifact?.files),
      files: Object.entries(files)
        .filter(([name]) => !handedOn.test(name) && !name.includes('/actions/'))
        .map(([, text]) => text)
        .join('\n'),
    }
    expect(processTable).toContain('gpu_actions_agent')
    for (const [place, text] of Object.entries(places)) {
      expect({ place, found: canaries.filter(canary => text.includes(canary)).length }).toEqual({ place, found: 0 })
    }
  }, 300_000)
})

needing()('deaths while there is a cluster', () => {
  test('an agent that never becomes active leaves neither cluster nor machine', async () => {
    const { cloud, demo, log, run, workflows } = await open({ scenario: { faults: [{ kind: 'agent-never-active' }] } })
    const impatient = path.join(workflows, file)
    const text = await readFile(impatient, 'utf8')
    await writeFile(impatient, text.replace('cluster-name: ', 'activation-timeout: 15s\n          cluster-name: '))
    const result = await run(file, demo)
    expect(stepsOf(result)).toMatchObject({ 'Make it a cluster': 'failure', 'End the GPU and the cluster': 'success' })
    expect(log.join('\n')).toContain('active')
    expect(cloud.state().clusters).toHaveLength(1)
    expect(cloud.state().living).toEqual(nothingLives)
  }, 180_000)

  test('a step killed while its cluster comes to life leaves neither cluster nor machine', async () => {
    const { called, cloud, demo, kill, run } = await open()
    const running = run(file, demo)
    await called('cluster:CreateOnboardingToken')
    kill('cluster')
    const result = await running
    expect(stepsOf(result)).toMatchObject({ 'Make it a cluster': 'failure', 'End the GPU and the cluster': 'success' })
    expect(cloud.state().clusters).toHaveLength(1)
    expect(cloud.state().living).toEqual(nothingLives)
  }, 180_000)

  test('a step killed while its cluster is being registered leaves none where the API lists clusters', async () => {
    const { called, cloud, demo, kill, run } = await open({ scenario: { clusterApi: { lists: true } } })
    const running = run(file, demo)
    await called('cluster:CreateCluster')
    kill('cluster')
    const result = await running
    expect(stepsOf(result)).toMatchObject({ 'Make it a cluster': 'failure', 'End the GPU and the cluster': 'success' })
    expect(cloud.state().clusters).toHaveLength(1)
    expect(cloud.state().living).toEqual(nothingLives)
  }, 180_000)

  test('an id token that has expired by then does not keep teardown from ending all', async () => {
    const { called, cloud, demo, kill, log, run } = await open({ scenario: { cognito: { tokenSeconds: 4 } } })
    const running = run(file, demo)
    await called('cluster:ExchangeToken')
    kill('cluster')
    const result = await running
    expect(result.conclusion).toBe('failure')
    expect(stepsOf(result)).toMatchObject({ 'End the GPU and the cluster': 'success' })
    if (cloud.state().living.clusters > 0) throw new Error(log.join('\n'))
    expect(cloud.state().living).toEqual(nothingLives)
  }, 180_000)

  test.each([
    ['a wrong password', { RADIX_TEST_PASSWORD: 'wrong' }, /password/i],
    ['an unconfirmed user', { RADIX_TEST_USERNAME: cognito.users.unconfirmed.email }, /confirm/i],
    ['a user with a challenge', { RADIX_TEST_USERNAME: cognito.users.new.email }, /NEW_PASSWORD_REQUIRED/],
    ['a client without the flow', { RADIX_COGNITO_CLIENT_ID: cognito.clients.noFlow.id }, /flow/i],
  ])(
    '%s ends with its own sentence and nothing created',
    async (_, secrets, sentence) => {
      const { cloud, demo, run } = await open()
      const result = await run(file, { ...demo, secrets: { ...demo.secrets, ...secrets } })
      expect(result.conclusion).toBe('failure')
      expect(result.jobs[0]?.annotations.map(({ message }) => message).join('\n')).toMatch(sentence)
      expect(cloud.state().calls['ec2:RunInstances'] ?? 0).toBe(0)
      expect(cloud.state().clusters).toEqual([])
    },
    60_000,
  )

  test('everything that is missing is named at once, and nothing is called', async () => {
    const { cloud, demo, run } = await open()
    const { RADIX_TEST_PASSWORD: _, BENCH_SUBNET_ID: __, ...secrets } = demo.secrets
    const result = await run(file, { ...demo, secrets })
    const said = result.jobs[0]?.annotations.map(({ message }) => message).join('\n') ?? ''
    expect(said).toContain('the secret RADIX_TEST_PASSWORD is empty')
    expect(said).toContain('the input subnet_id and the secret BENCH_SUBNET_ID are both empty')
    expect(cloud.state().callLog).toEqual([])
  }, 60_000)
})
