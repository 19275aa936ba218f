import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { parseEvidence, verifyManifest } from '@gpu-actions/evidence'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { jobWith } from './fixtures/job.ts'

const node = process.env['GPU_ACTIONS_NODE'] ?? process.execPath
const leaseId = '42-1-abcdefgh'

// Each step is a process that loads GitHub's clients from their sources.
jest.setTimeout(60_000)

let cloud: OfflineCloud
beforeAll(async () => {
  cloud = await startOfflineCloud({ python: null })
})
afterAll(() => cloud.stop())

let temp: string
beforeEach(async () => {
  temp = await jobWith(leaseId)
  await mkdir(join(temp, 'workspace'))
  await Promise.all(
    ['output', 'summary', 'event'].map(name => writeFile(join(temp, name), name === 'event' ? '{}' : '')),
  )
})
afterEach(() => rm(temp, { recursive: true, force: true }))

type Environment = Readonly<Record<string, string>>

/** Runs a script as the runner runs an action: in the workspace, with its variables and nothing else. */
function run(script: string, given: Environment = {}, args: readonly string[] = []) {
  const { ACTIONS_RESULTS_URL = '', ACTIONS_RUNTIME_TOKEN = '' } = cloud.env
  const child = spawn(node, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    cwd: join(temp, 'workspace'),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      GITHUB_REPOSITORY: 'org/consumer',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_NUMBER: '7',
      GITHUB_JOB: 'benchmark',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_WORKSPACE: join(temp, 'workspace'),
      GITHUB_OUTPUT: join(temp, 'output'),
      GITHUB_STEP_SUMMARY: join(temp, 'summary'),
      GITHUB_EVENT_PATH: join(temp, 'event'),
      RUNNER_TEMP: temp,
      ACTIONS_RESULTS_URL,
      ACTIONS_RUNTIME_TOKEN,
      ...given,
    },
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (printed += text))
  return new Promise<{ code: number | null; printed: string }>((resolve, reject) => {
    child.on('error', reject).on('close', code => resolve({ code, printed }))
  })
}

const collect = (given: Environment = {}) => run('../src/main.ts', given)

async function outputs(): Promise<Record<string, string>> {
  const text = await readFile(join(temp, 'output'), 'utf8')
  const found = [...text.matchAll(/^(.*?)<<(ghadelimiter_.*)\n([^]*?)\n\2$/gm)]
  return Object.fromEntries(found.map(([, name = '', , value = '']) => [name, value]))
}

const uploaded = () => cloud.state().artifacts.filter(artifact => artifact.finalized).map(artifact => artifact.name) // prettier-ignore

/** Every text below a folder. */
async function everything(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map(file => readFile(file, 'utf8')))).join('\n')
}

describe('collect-evidence on the offline results service', () => {
  test('uploads an artifact that comes back whole, and links it', async () => {
    const { code, printed } = await collect({ INPUT_NAME: 'whole-{instance-type}-{run_number}' })
    expect({ code, printed }).toMatchObject({ code: 0 })
    const set = await outputs()
    expect(set).toMatchObject({
      'evidence-path': join(temp, 'gpu-actions', leaseId, 'evidence'),
      'artifact-name': 'whole-g5.2xlarge-7',
      'artifact-url': `https://github.com/org/consumer/actions/runs/42/artifacts/${set['artifact-id'] ?? ''}`,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    })
    expect(await readFile(join(temp, 'summary'), 'utf8')).toContain(set['artifact-url'])

    const back = join(temp, 'back')
    expect(await run('./fixtures/download.ts', {}, [set['artifact-id'] ?? '', back])).toMatchObject({ code: 0 })
    expect(await verifyManifest(back)).toEqual([])
    const evidence = parseEvidence(JSON.parse(await readFile(join(back, 'evidence.json'), 'utf8')))
    expect(evidence.lease?.id).toBe(leaseId)
    expect(evidence.run.url).toBe('https://github.com/org/consumer/actions/runs/42/attempts/1')
  })

  test('finds another name when a sibling of the matrix has taken its own', async () => {
    const name = { INPUT_NAME: 'sibling' }
    expect(await collect(name)).toMatchObject({ code: 0 })
    expect(await collect(name)).toMatchObject({ code: 0 })
    expect(uploaded()).toEqual(expect.arrayContaining(['sibling', 'sibling-abcdefgh']))
    expect((await outputs())['artifact-name']).toBe('sibling-abcdefgh')
  })

  test('says which names are taken when both are', async () => {
    const name = { INPUT_NAME: 'thrice' }
    for (const code of [0, 0, 1]) expect(await collect(name)).toMatchObject({ code })
  })

  test('uploads nothing when told so', async () => {
    const before = cloud.state().callLog.length
    expect(await collect({ INPUT_UPLOAD: 'false', ACTIONS_RUNTIME_TOKEN: '' })).toMatchObject({ code: 0 })
    expect(cloud.state().callLog.length).toBe(before)
    expect(Object.keys(await outputs())).toEqual(['evidence-path'])
  })

  test('takes extra files, and the commit of the pull request', async () => {
    await writeFile(join(temp, 'workspace', 'notes.txt'), 'hello')
    await writeFile(join(temp, 'event'), JSON.stringify({ pull_request: { number: 3, head: { sha: 'f00d' } } }))
    expect(await collect({ INPUT_PATH: '*.txt', INPUT_UPLOAD: 'false' })).toMatchObject({ code: 0 })
    const folder = join(temp, 'gpu-actions', leaseId, 'evidence')
    expect(await readFile(join(folder, 'extra', 'notes.txt'), 'utf8')).toBe('hello')
    expect(parseEvidence(JSON.parse(await readFile(join(folder, 'evidence.json'), 'utf8'))).run.headSha).toBe('f00d')
  })
})

describe('a fault', () => {
  test('of several inputs is one error, and nothing is called', async () => {
    const before = cloud.state().callLog.length
    const { code, printed } = await collect({ 'INPUT_RETENTION-DAYS': '0', INPUT_UPLOAD: 'no', INPUT_NAME: 'a/b' })
    expect(code).toBe(1)
    expect(printed.match(/^::error::/gm)).toHaveLength(1)
    expect(printed).toContain('3 inputs are wrong, nothing was done')
    expect(cloud.state().callLog.length).toBe(before)
  })

  test('of the results service leaves the evidence on disk and says where', async () => {
    // Nothing listens on the discard port: the connection is refused at once.
    const { code, printed } = await collect({ ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' })
    const folder = join(temp, 'gpu-actions', leaseId, 'evidence')
    expect(code).toBe(1)
    expect(printed).toContain(`The evidence is complete and lies in ${folder}`)
    expect(await verifyManifest(folder)).toEqual([])
    expect((await outputs())['evidence-path']).toBe(folder)
    expect(await readFile(join(temp, 'summary'), 'utf8')).toContain('not uploaded')
  })

  test('of a server without artifacts says so and keeps the evidence', async () => {
    const { code, printed } = await collect({ GITHUB_SERVER_URL: 'https://git.example.com' })
    expect(code).toBe(1)
    expect(printed).toContain('GHES')
    expect(await verifyManifest(join(temp, 'gpu-actions', leaseId, 'evidence'))).toEqual([])
  })

  test('of a job without a lease says what to do', async () => {
    await rm(join(temp, 'gpu-actions'), { recursive: true })
    const { code, printed } = await collect()
    expect(code).toBe(1)
    expect(printed).toContain('No lease was found in this job')
  })
})

test('no variable of the runner gets into evidence, summary, outputs or log', async () => {
  const canaries = {
    AWS_ACCESS_KEY_ID: 'canary-01',
    AWS_SECRET_ACCESS_KEY: 'canary-02',
    AWS_SESSION_TOKEN: 'canary-03',
    GITHUB_TOKEN: 'canary-04',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'canary-05',
    OMP_NUM_THREADS: 'canary-06',
    TORCH_SECRET: 'canary-07',
  }
  const { code, printed } = await collect({ ...canaries, INPUT_NAME: 'canaries' })
  expect(code).toBe(0)
  const all = `${printed}\n${await everything(temp)}`
  expect(all).not.toContain('canary')
  expect(all).not.toContain(cloud.env['ACTIONS_RUNTIME_TOKEN'])
})
