import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { OutsideFault, readRunContext, runDirectories, UserFault, type Log } from '@gpu-actions/action-kit'
import { parseEvidence, verifyManifest } from '@gpu-actions/evidence'
import { collect, type CollectPorts, type Upload, type Uploaded } from '../src/collect.ts'
import { findExtraFiles } from '../src/extra-files.ts'
import { jobWith } from './fixtures/job.ts'

const leaseId = '42-1-abcdefgh'
const inputs = {
  leaseId: undefined,
  path: undefined,
  name: 'evidence-{instance-type}-{run_number}',
  retentionDays: 7,
  upload: true,
}

let temp = ''
afterEach(() => rm(temp, { recursive: true, force: true }))

interface Seen {
  readonly uploads: Upload[]
  readonly outputs: Record<string, string | number>
  readonly summaries: string[]
  readonly warnings: string[]
}

/** Ports on a real folder; uploads are answered by `answer`. */
async function job(
  leaseIds: readonly string[],
  answer: (upload: Upload) => Uploaded | 'taken' = () => ({ id: 9, digest: 'ab' }),
): Promise<{ ports: CollectPorts; seen: Seen }> {
  temp = await jobWith(...leaseIds)
  const seen: Seen = { uploads: [], outputs: {}, summaries: [], warnings: [] }
  const silent = (): void => undefined
  const log: Log = {
    debug: silent,
    info: silent,
    notice: silent,
    warning: message => void seen.warnings.push(message),
    error: silent,
    group: (_, work) => work(),
    untrusted: silent,
  }
  const ports: CollectPorts = {
    run: readRunContext({
      GITHUB_REPOSITORY: 'org/consumer',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_NUMBER: '7',
      GITHUB_JOB: 'benchmark',
      RUNNER_TEMP: temp,
    }),
    headSha: null,
    runDirectories: runDirectories(temp),
    artifacts: {
      upload: upload => {
        seen.uploads.push(upload)
        try {
          return Promise.resolve(answer(upload))
        } catch (error) {
          return Promise.reject(error instanceof Error ? error : new Error(String(error)))
        }
      },
    },
    log,
    clock: { now: () => Date.parse('2026-08-17T10:11:00Z') },
    findFiles: pattern => findExtraFiles(pattern, temp),
    setOutput: (id, value) => {
      seen.outputs[id] = value
    },
    summarize: markdown => {
      seen.summaries.push(markdown)
      return Promise.resolve()
    },
  }
  return { ports, seen }
}

const faultOf = async (work: Promise<void>): Promise<UserFault | OutsideFault> => {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof UserFault || thrown instanceof OutsideFault) return thrown
  throw new Error(`no fault, but ${String(thrown)}`)
}

describe('the only lease of a job', () => {
  test('is collected, uploaded under its name, and summed up once with the link', async () => {
    const { ports, seen } = await job([leaseId])
    await collect(inputs, ports)
    const folder = join(temp, 'gpu-actions', leaseId, 'evidence')
    expect(await verifyManifest(folder)).toEqual([])
    expect(seen.uploads).toEqual([
      {
        name: 'evidence-g5.2xlarge-7',
        folder,
        files: ['evidence.json', 'logs/host.log', 'manifest.json', 'records/lease.json', 'report.md'],
        retentionDays: 7,
      },
    ])
    const url = 'https://github.com/org/consumer/actions/runs/42/artifacts/9'
    expect(seen.outputs).toEqual({
      'evidence-path': folder,
      'artifact-name': 'evidence-g5.2xlarge-7',
      'artifact-id': 9,
      'artifact-url': url,
      digest: 'ab',
    })
    expect(seen.summaries).toHaveLength(1)
    expect(seen.summaries[0]).toContain(url)
  })

  test('is told who ran it and when', async () => {
    const { ports } = await job([leaseId])
    await collect({ ...inputs, upload: false }, { ...ports, headSha: 'f00' })
    const path = join(temp, 'gpu-actions', leaseId, 'evidence', 'evidence.json')
    const { run, missing } = parseEvidence(JSON.parse(await readFile(path, 'utf8')))
    expect(run).toMatchObject({
      repository: 'org/consumer',
      headSha: 'f00',
      url: 'https://github.com/org/consumer/actions/runs/42/attempts/1',
      collectedAt: '2026-08-17T10:11:00.000Z',
    })
    expect(missing.map(({ name }) => name)).toContain('receipt')
  })

  test('stays on the runner when nothing is to be uploaded', async () => {
    const { ports, seen } = await job([leaseId])
    await collect({ ...inputs, upload: false }, ports)
    expect(seen.uploads).toEqual([])
    expect(Object.keys(seen.outputs)).toEqual(['evidence-path'])
    expect(seen.summaries[0]).toContain('not uploaded')
  })

  test('can be collected again after the teardown', async () => {
    const { ports, seen } = await job([leaseId])
    await collect(inputs, ports)
    await collect(inputs, ports)
    expect(seen.uploads[1]?.files).toEqual(seen.uploads[0]?.files)
  })
})

describe('a name that is taken', () => {
  test('gets eight characters of the lease id behind it', async () => {
    const { ports, seen } = await job([leaseId], ({ name }) =>
      name.endsWith('abcdefgh') ? { id: 10, digest: 'cd' } : 'taken',
    )
    await collect(inputs, ports)
    expect(seen.outputs['artifact-name']).toBe('evidence-g5.2xlarge-7-abcdefgh')
    expect(seen.summaries[0]).toContain('evidence-g5.2xlarge-7-abcdefgh')
  })

  test('twice is a fault that says what to change', async () => {
    const { ports, seen } = await job([leaseId], () => 'taken')
    const fault = await faultOf(collect(inputs, ports))
    expect(fault).toMatchObject({ name: 'UserFault', faults: ['name: choose another one'] })
    expect(seen.summaries).toHaveLength(1)
  })
})

test('an upload that fails leaves the evidence, says where, and sums up all the same', async () => {
  const { ports, seen } = await job([leaseId], () => {
    throw new Error('the service is down')
  })
  const fault = await faultOf(collect(inputs, ports))
  const folder = join(temp, 'gpu-actions', leaseId, 'evidence')
  expect(fault).toMatchObject({
    message: 'Uploading the evidence as evidence-g5.2xlarge-7 failed: the service is down',
    advice: expect.stringContaining(folder) as unknown,
  })
  expect(await verifyManifest(folder)).toEqual([])
  expect(seen.outputs['evidence-path']).toBe(folder)
  expect(seen.summaries).toHaveLength(1)
})

describe('which lease', () => {
  test('none: it says what to do', async () => {
    const { ports, seen } = await job([])
    const fault = await faultOf(collect(inputs, ports))
    expect(fault.message).toContain('No lease was found in this job')
    expect(seen).toMatchObject({ uploads: [], outputs: {} })
  })

  test('several and none chosen: it lists them', async () => {
    const { ports } = await job(['42-1-aaaaaaaa', '42-1-bbbbbbbb'])
    expect(await faultOf(collect(inputs, ports))).toMatchObject({ faults: ['42-1-aaaaaaaa', '42-1-bbbbbbbb'] })
  })

  test('several and one chosen: it is that one', async () => {
    const { ports, seen } = await job(['42-1-aaaaaaaa', '42-1-bbbbbbbb'])
    await collect({ ...inputs, leaseId: '42-1-bbbbbbbb', name: '{lease-id}' }, ports)
    expect(seen.uploads[0]?.name).toBe('42-1-bbbbbbbb')
  })

  test('one that this job does not have: it lists those that it has', async () => {
    const { ports } = await job([leaseId])
    const fault = await faultOf(collect({ ...inputs, leaseId: '41-1-cccccccc' }, ports))
    expect(fault).toMatchObject({ message: 'This job has no lease 41-1-cccccccc', faults: [`it has ${leaseId}`] })
  })
})

describe('a host that was not rented', () => {
  test('gives its own name to the artifact', async () => {
    const { ports, seen } = await job([])
    await mkdir(join(temp, 'gpu-actions', 'host-local'), { recursive: true })
    await collect(inputs, ports)
    expect(seen.uploads[0]?.name).toBe('evidence-host-local-7')
  })
})

test('a record that is not valid is a warning; one that is not there is none', async () => {
  const { ports, seen } = await job([leaseId])
  await writeFile(join(temp, 'gpu-actions', leaseId, 'receipt.json'), '{}')
  await collect(inputs, ports)
  expect(seen.warnings).toHaveLength(1)
  expect(seen.warnings[0]).toMatch(/^The evidence lacks receipt: receipt\.json is not valid: schema/)
})

test('a path that finds nothing is a warning and named in the evidence', async () => {
  const { ports, seen } = await job([leaseId])
  await collect({ ...inputs, path: ['*.nothing'] }, ports)
  expect(seen.warnings).toEqual(["path: nothing was found for '*.nothing'"])
  expect(seen.summaries[0]).toContain('nothing was found for it')
})
