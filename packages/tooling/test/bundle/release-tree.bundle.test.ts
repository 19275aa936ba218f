import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { startJob } from '../../src/bundle-step.ts'

const annotations = (stdout: string): string[] => stdout.split('\n').filter(line => line.startsWith('::error'))

let cloud: OfflineCloud
beforeAll(async () => {
  cloud = await startOfflineCloud()
})
afterAll(() => cloud.stop())

test('the release tree stands alone: no node_modules in it or anywhere above it', async () => {
  const { tree } = await startJob()
  expect(await readdir(tree, { recursive: true })).not.toContain('node_modules')
  for (let folder = tree; folder !== dirname(folder); folder = dirname(folder)) {
    expect(existsSync(join(folder, 'node_modules'))).toBe(false)
  }
})

test.each([
  ['provision', { 'instance-type': 'big one', ttl: 'soon', 'wait-for': 'ever' }],
  ['provision-ec2-gpu', { 'volume-size': '-3', 'ami-id': 'ubuntu', 'dry-run': 'maybe' }],
  ['run-resnet-benchmark', { 'batch-size': 'many', precision: 'int3', timeout: '1y' }],
  ['teardown', { scope: 'world', timeout: 'never', 'instance-id': 'machine' }],
  ['collect-evidence', { 'retention-days': '1000', upload: 'perhaps', 'lease-id': '../..' }],
])('%s refuses three wrong inputs with one error that names the three, and calls nothing', async (action, inputs) => {
  const before = cloud.state().callLog.length
  const job = await startJob(cloud.env)
  const ended = await job.main(action, { inputs })
  expect(ended.exitCode).toBe(1)
  const errors = annotations(ended.stdout)
  expect(errors).toHaveLength(1)
  for (const name of Object.keys(inputs)) expect(errors[0]).toContain(`- ${name}: `)
  expect(ended.stderr).toBe('')
  expect(cloud.state().callLog).toHaveLength(before)
})

test('a post whose main refused its inputs does nothing and succeeds', async () => {
  const before = cloud.state().callLog.length
  const job = await startJob(cloud.env)
  const main = await job.main('provision', { inputs: { ttl: 'soon' } })
  const post = await job.post('provision', { state: main.state })
  expect(post.exitCode).toBe(0)
  expect(cloud.state().callLog).toHaveLength(before)
})

test('the root action refuses and names the paths to use', async () => {
  const job = await startJob()
  const ended = await job.main('.')
  expect(ended.exitCode).toBe(1)
  for (const action of ['provision', 'run-resnet-benchmark', 'teardown', 'collect-evidence']) {
    expect(annotations(ended.stdout)[0]).toContain(action)
  }
})

test('nothing in the bundles names a folder of the machine that built them', async () => {
  const { tree } = await startJob()
  const { stdout: home } = await promisify(execFile)('git', ['rev-parse', '--show-toplevel'])
  for (const file of await readdir(join(tree, 'dist'))) {
    expect((await readFile(join(tree, 'dist', file), 'utf8')).includes(home.trim())).toBe(false)
  }
})
