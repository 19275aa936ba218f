import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { strToU8, zipSync } from 'fflate'
import { readArguments } from '../src/demo/arguments.ts'
import { stepEnvironment } from '../src/demo/cloud.ts'
import { mapRepositories, layOutConsumer } from '../src/demo/consumer.ts'
import { briefLines } from '../src/demo/report.ts'
import { attempts, lease, receipt, result } from '../../evidence/test/fixtures/records.ts'
import { unpackEvidence } from '../src/demo/unpack.ts'

const folders: string[] = []

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), 'gpu-actions-demo-'))
  folders.push(made)
  return made
}

afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true })
})

describe('the command line', () => {
  const all = ['help', 'input', 'secret', 'event', 'cancel-after', 'time-scale'] as const

  test('is read whole', () => {
    const given = readArguments(
      ['x.yml', '--input', 'a=1', '--input=b=x=y', '--secret', 'K=v', '--cancel-after', '1m30s', '--time-scale', '10'],
      all,
    )
    expect(given).toMatchObject({
      file: 'x.yml',
      inputs: { a: '1', b: 'x=y' },
      secrets: { K: 'v' },
      cancelAfterMs: 90_000,
      timeScale: 10,
    })
  })

  test('all its faults are told at once, and no secret with them', () => {
    const read = () =>
      readArguments(['a', 'b', '--secret', 'hunter2', '--time-scale', '0', '--cancel-after', 'soon', '--wat'], all)
    expect(read).toThrow(
      [
        'there is no option --wat',
        'one workflow file at a time, not 2',
        '--cancel-after takes a duration such as 20s or 1m30s, not soon',
        '--time-scale takes a number above 0, not 0',
        '--secret takes name=value',
      ].join('\n'),
    )
  })

  test('an option of another command is unknown', () => {
    expect(() => readArguments(['--secret', 'a=b'], ['help'])).toThrow('there is no option --secret')
  })
})

describe('unpacking evidence', () => {
  const archive = (name: string, files: Readonly<Record<string, string>>) => ({
    name,
    zip: zipSync(Object.fromEntries(Object.entries(files).map(([file, text]) => [file, strToU8(text)]))),
  })

  test('a later one replaces the former and keeps what somebody else put there', async () => {
    const target = path.join(await folder(), 'evidence')
    await unpackEvidence(target, [archive('a', { 'evidence.json': '1', 'logs/run.log': 'old' })])
    await writeFile(path.join(target, 'notes.txt'), 'mine')
    const written = await unpackEvidence(target, [archive('a', { 'evidence.json': '2' })])
    expect(written).toEqual(['evidence.json'])
    expect(await readFile(path.join(target, 'evidence.json'), 'utf8')).toBe('2')
    expect((await readdir(target)).sort()).toEqual(['.gpu-actions-evidence.json', 'evidence.json', 'notes.txt'])
  })

  test('several artifacts get a folder each', async () => {
    const target = await folder()
    const written = await unpackEvidence(target, [archive('a', { x: '1' }), archive('b', { x: '2' })])
    expect(written).toEqual([path.join('a', 'x'), path.join('b', 'x')])
  })

  test('a folder that was never ours is refused and left as it is', async () => {
    const target = await folder()
    await writeFile(path.join(target, 'thesis.txt'), 'mine')
    await expect(unpackEvidence(target, [archive('a', { x: '1' })])).rejects.toThrow('--evidence')
    expect(await readdir(target)).toEqual(['thesis.txt'])
  })

  test('a path that leads out of the folder is refused', async () => {
    await expect(unpackEvidence(await folder(), [archive('a', { '../x': '1' })])).rejects.toThrow('../x')
  })
})

describe('what is shown of the evidence', () => {
  test('the figures with their place', () => {
    const metrics = { ...result.metrics, throughput: 41.234, throughputLow: 40, throughputHigh: 42 }
    expect(
      briefLines({
        lease,
        attempts,
        result: { ...result, device: 'cpu', metrics },
        receipt: { ...receipt, remaining: 0, costUsd: 0.012345 },
      }),
    ).toEqual([
      'throughput  41.23 images/s (95 % interval 40.00 to 42.00) on g5.2xlarge, device: cpu',
      'cost        0.012345 USD',
      'receipt     0 remaining',
    ])
  })

  test('what is missing is unknown, never 0', () => {
    expect(briefLines({ lease: null, attempts: null, result: null, receipt: null }).join()).not.toMatch(/\d/)
  })
})

describe('the cloud of a run', () => {
  const env = {
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    ACTIONS_RESULTS_URL: 'http://127.0.0.1:1',
    ACTIONS_RUNTIME_TOKEN: 't',
    AWS_ACCESS_KEY_ID: 'the key of whoever runs this',
  }

  test('no key reaches the steps, and no metadata service is asked for one', () => {
    expect(stepEnvironment(env)).toEqual({
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      ACTIONS_RESULTS_URL: 'http://127.0.0.1:1',
      ACTIONS_RUNTIME_TOKEN: 't',
      AWS_EC2_METADATA_DISABLED: 'true',
    })
  })

  test('one beyond this machine is refused', () => {
    expect(() => stepEnvironment({ ...env, AWS_ENDPOINT_URL: 'https://ec2.us-west-2.amazonaws.com' })).toThrow(
      'must point at this machine',
    )
    expect(() => stepEnvironment({ AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL })).toThrow('ACTIONS_RESULTS_URL')
  })
})

describe('a consumer', () => {
  test('has the workflows where GitHub looks for them, without the key that act rejects', async () => {
    const source = await folder()
    const target = await folder()
    await writeFile(path.join(source, 'a.yml'), 'concurrency:\n  group: g\n  queue: max\n')
    await mkdir(path.join(source, 'other'))
    const { files } = await layOutConsumer(target, 'act', source)
    expect(files).toEqual([path.join(target, '.github', 'workflows', 'a.yml')])
    expect(await readFile(files[0] ?? '', 'utf8')).toBe('concurrency:\n  group: g\n')
    expect(await readdir(target)).toContain('.git')
  })

  test('gets a folder for every action that is known, at whatever ref it is used', async () => {
    const source = await folder()
    await writeFile(
      path.join(source, 'a.yml'),
      'x:\n  - uses: org/gpu-actions/provision@v1\n  - uses: actions/checkout@abc # v7\n  - uses: who/knows@v1\n  - uses: ./x\n',
    )
    expect(Object.keys(await mapRepositories(source))).toEqual(['org/gpu-actions@v1', 'actions/checkout@abc'])
  })
})
