import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environmentKey, ratiosOfResult } from '@gpu-actions/benchmark'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { collectEvidence, evidenceFile, filesOf, parseEvidence, verifyManifest, type Evidence } from '../src/index.ts'
import { agent, clusterReceipt, jobResult, lease, records, result, run } from './fixtures/records.ts'

let directory: string
let target: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evidence-'))
  target = join(directory, 'evidence')
})
afterEach(() => rm(directory, { recursive: true }))

const write = async (name: string, content: unknown): Promise<void> => {
  await mkdir(join(directory, 'logs'), { recursive: true })
  await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content))
}
const writeAll = async (some: Readonly<Record<string, unknown>> = records): Promise<void> => {
  for (const [name, record] of Object.entries(some)) await write(`${name}.json`, record)
}
const collect = (extra = [] as readonly { source: string; path: string }[]) =>
  collectEvidence({ directory, target, run, extra, missing: [] })
const text = (name: string): Promise<string> => readFile(join(target, name), 'utf8')

describe('a whole run directory', () => {
  test('becomes evidence with exactly the agreed fields', async () => {
    await writeAll()
    await write('logs/host.log', 'hello\n')
    await collect()
    const evidence = JSON.parse(await text(evidenceFile)) as Record<string, unknown>
    expect(Object.keys(evidence)).toEqual([
      'schema',
      'run',
      'lease',
      'attempts',
      'agent',
      'environment',
      'result',
      'ratios',
      'environmentKey',
      'verdict',
      'receipt',
      'missing',
    ])
    expect(parseEvidence(evidence)).toEqual({
      schema: 'gpu-actions/evidence@1',
      run,
      ...records,
      ratios: ratiosOfResult(result, 1.212),
      environmentKey: environmentKey(result),
      agent: null,
      environment: result.environment,
      verdict: null,
      missing: [],
    })
  })

  test('travels whole, and the manifest holds every file', async () => {
    await writeAll()
    await write('logs/host.log', 'hello\n')
    await write('telemetry.csv', 'a,b\n')
    const { files } = await collect()
    expect(files).toEqual([
      'evidence.json',
      'logs/host.log',
      'manifest.json',
      'records/attempts.json',
      'records/lease.json',
      'records/receipt.json',
      'records/result.json',
      'records/telemetry.csv',
      'report.md',
      'throughput.svg',
    ])
    expect(await verifyManifest(target)).toEqual([])
  })

  test('collected a second time replaces the first evidence', async () => {
    await writeAll()
    await collect()
    await writeFile(join(target, 'old.txt'), '')
    const { files } = await collect()
    expect(files).not.toContain('old.txt')
    expect(files.filter(file => file.includes('evidence'))).toEqual(['evidence.json'])
  })

  test('raw step times survive to the last digit', async () => {
    await writeAll()
    const { evidence } = await collect()
    expect(evidence.result?.blocks).toEqual(result.blocks)
  })

  test('gives the evidence what the result is worth at the price of its machine', async () => {
    await writeAll()
    const { evidence } = await collect()
    expect(evidence.ratios).toEqual(ratiosOfResult(result, 1.212))
    expect(evidence.ratios?.costPerMillionImages).toBeGreaterThan(0)
    expect(evidence.environmentKey).toEqual(environmentKey(result))
  })
})

describe('the run directory of a cluster', () => {
  test('gives agent, job and resources to the evidence', async () => {
    await writeAll({ ...records, agent, result: jobResult, receipt: clusterReceipt })
    const { evidence, files } = await collect()
    expect(parseEvidence(JSON.parse(await text(evidenceFile)))).toMatchObject({
      agent,
      result: { job: jobResult.job },
      receipt: { resources: clusterReceipt.resources },
    })
    expect(evidence.missing).toEqual([
      { name: 'environment', reason: 'the API of a cluster tells nothing of the host that its job ran on' },
    ])
    expect(files).toContain('records/agent.json')
  })

  test('misses the agent only when a job of a cluster ran', async () => {
    await writeAll({ ...records, result: jobResult })
    expect(missingOf((await collect()).evidence)).toEqual(['agent', 'environment'])
    await writeAll(records)
    expect(missingOf((await collect()).evidence)).toEqual([])
  })

  test('names a record of the agent that is none, whatever ran', async () => {
    await writeAll({ ...records, agent: { ...agent, status: 'asleep' } })
    expect(missingOf((await collect()).evidence)).toEqual(['agent'])
  })
})

test('evidence from before there were clusters still reads', async () => {
  await writeAll()
  await collect()
  const evidence = JSON.parse(await text(evidenceFile)) as Record<string, Record<string, unknown>>
  const { agent: _, ...old } = evidence
  const { resources: __, ...receipt } = old['receipt'] ?? {}
  const { job: ___, ...before } = old['result'] ?? {}
  expect(parseEvidence({ ...old, receipt, result: before })).toMatchObject({
    agent: null,
    receipt: { resources: [] },
    result: { job: null },
  })
})

const missingOf = ({ missing }: Evidence) => missing.map(({ name }) => name)

describe('what is not there', () => {
  test('is named, and the rest is taken', async () => {
    await writeAll({ lease, result })
    const { evidence } = await collect()
    expect(evidence.lease).toEqual(lease)
    expect(evidence.receipt).toBeNull()
    expect(missingOf(evidence)).toEqual(['attempts', 'receipt'])
    expect(await text('report.md')).toContain('receipt: there is no receipt.json')
  })

  test('with nothing at all there is still evidence of that', async () => {
    const { evidence, files } = await collect()
    expect(missingOf(evidence)).toEqual(['lease', 'attempts', 'result', 'receipt', 'environment'])
    expect(files).toEqual(['evidence.json', 'manifest.json', 'report.md'])
  })

  test('a run directory that does not exist holds nothing', async () => {
    const nowhere = { directory: join(directory, 'nowhere'), target, run, extra: [], missing: [] }
    expect((await collectEvidence(nowhere)).evidence.missing).toHaveLength(5)
  })

  test.each([
    ['of another version', { ...lease, schema: 'gpu-actions/lease@2' }, /lease\.json is not valid: schema: /],
    ['with a wrong field', { ...lease, ttlSeconds: -1, owner: 7 }, /owner: .*; ttlSeconds: /],
    ['that is no JSON', '{"schema":', /lease\.json cannot be read: /],
    ['that is no object', 'null', /lease\.json is not valid: the record: /],
  ])('a record %s is missing with the reason, and its file travels all the same', async (_, record, reason) => {
    await write('lease.json', record)
    const { evidence, files } = await collect()
    expect(evidence.lease).toBeNull()
    expect(evidence.missing[0]).toMatchObject({ name: 'lease' })
    expect(evidence.missing[0]?.reason).toMatch(reason)
    expect(files).toContain('records/lease.json')
  })

  test('a result without an environment says so', async () => {
    await writeAll({ ...records, result: { ...result, environment: null } })
    expect(missingOf((await collect()).evidence)).toEqual(['environment'])
  })

  test('half-written files and links stay behind', async () => {
    await writeAll()
    await write('lease.json.1234.part', '{')
    await symlink('/etc/hostname', join(directory, 'hostname.json'))
    await symlink('/etc/hostname', join(directory, 'logs', 'host.log'))
    const { files } = await collect()
    expect(files.join()).not.toMatch(/part|host/)
  })

  test('a link in place of a record is not followed', async () => {
    await writeFile(join(directory, 'elsewhere'), JSON.stringify(lease))
    await symlink(join(directory, 'elsewhere'), join(directory, 'lease.json'))
    expect((await collect()).evidence.missing[0]).toEqual({ name: 'lease', reason: 'lease.json is no file' })
  })
})

test('extra files lie below extra/, under names that every file system takes', async () => {
  await write('notes: "1".txt', 'hello')
  const { files } = await collect([{ source: join(directory, 'notes: "1".txt'), path: 'a/notes: "1".txt' }])
  expect(files).toContain('extra/a/notes_ _1_.txt')
})

test('nothing of the environment of this process gets into the evidence', async () => {
  const canaries = { AWS_SECRET_ACCESS_KEY: 'canary-aws-1f6e', ACTIONS_RUNTIME_TOKEN: 'canary-gh-9a2b', OMP_CANARY: 'canary-omp-77' }
  const before = Object.fromEntries(Object.keys(canaries).map(name => [name, process.env[name]]))
  Object.assign(process.env, canaries)
  try {
    await writeAll()
    const { files } = await collect()
    const all = await Promise.all(files.map(text))
    expect(all.join('\n')).not.toContain('canary')
    expect(await filesOf(target)).toEqual(files)
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
})
