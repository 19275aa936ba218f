import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { differences, environmentKey, keyFields, type KeyedResult } from '../src/environment-key.ts'

const result = {
  backend: 'cuda',
  workload: {
    name: 'resnet50-v1.5',
    version: 1,
    actual: {
      mode: 'train',
      imageSize: 224,
      batchSize: 256,
      precision: 'bf16',
      memoryFormat: 'channels_last',
      compile: 'inductor',
      gpus: 1,
      threads: 8,
      seed: 42,
      blocks: 5,
      stepsPerBlock: 40,
    },
  },
  environment: {
    os: 'Ubuntu 24.04',
    kernel: '6.8.0-1021-aws',
    cpu: { model: 'AMD EPYC  7R32', count: 8, governor: 'performance' },
    container: { digest: 'sha256:aa' },
    instance: {
      type: 'g5.2xlarge',
      id: 'i-1',
      region: 'us-east-1',
      zone: 'us-east-1a',
      imageId: 'ami-1',
      market: 'spot',
    },
    uptimeSeconds: 100,
    gpu: { name: 'NVIDIA A10G', count: 1, uuid: 'GPU-1', devices: [{ memoryBytes: 23_609_475_072 }] },
    driver: { version: '570.133.20', powerLimitWatts: 300, ecc: 'Enabled', mig: 'Disabled', vbios: '94.02' },
    torch: { version: '2.8.0+cu128', cuda: '12.8', hip: null, cudnn: 91002, miopen: null, gitVersion: 'abc' },
    flags: { OMP_NUM_THREADS: '8', CUDA_VISIBLE_DEVICES: '0', TORCHINDUCTOR_CACHE_DIR: '/tmp/x' },
  },
  flags: { cudnn_allow_tf32: true },
} satisfies KeyedResult

/** The same with another value at a path. */
function changed(path: readonly string[], value: unknown): KeyedResult {
  const copy = structuredClone(result) as unknown as Record<string, unknown>
  let place = copy
  for (const name of path.slice(0, -1)) place = place[name] as Record<string, unknown>
  const last = path.at(-1)
  if (last === undefined || !(last in place)) throw new RangeError(`the result has no ${path.join('.')}`)
  place[last] = value
  return copy as unknown as KeyedResult
}

const { key } = environmentKey(result)
const [workload, host, torch] = [['workload', 'actual'], ['environment'], ['environment', 'torch']]

/** Field of the key → where it stands in a result. */
const relevant: Readonly<Record<string, readonly string[]>> = {
  workload: ['workload', 'name'],
  workloadVersion: ['workload', 'version'],
  mode: [...workload, 'mode'],
  imageSize: [...workload, 'imageSize'],
  batchSize: [...workload, 'batchSize'],
  precision: [...workload, 'precision'],
  memoryFormat: [...workload, 'memoryFormat'],
  compile: [...workload, 'compile'],
  gpus: [...workload, 'gpus'],
  backend: ['backend'],
  gpuName: [...host, 'gpu', 'name'],
  gpuCount: [...host, 'gpu', 'count'],
  mig: [...host, 'driver', 'mig'],
  ecc: [...host, 'driver', 'ecc'],
  instanceType: [...host, 'instance', 'type'],
  cuda: [...torch, 'cuda'],
  rocm: [...torch, 'hip'],
  cudnn: [...torch, 'cudnn'],
  miopen: [...torch, 'miopen'],
  torch: [...torch, 'version'],
  containerDigest: [...host, 'container', 'digest'],
  cpuModel: [...host, 'cpu', 'model'],
  'env.OMP_NUM_THREADS': [...host, 'flags', 'OMP_NUM_THREADS'],
  'torch.cudnn_allow_tf32': ['flags', 'cudnn_allow_tf32'],
}

describe('the environment key', () => {
  test.each(Object.entries(relevant))('changes with %s, and the difference names it', (field, path) => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{9}$/), value => {
        const other = environmentKey(changed(path, value))
        expect(other.key).not.toBe(key)
        expect(differences(environmentKey(result), other).map(difference => difference.field)).toContain(field)
      }),
      { numRuns: 10 },
    )
  })

  test('has no field that is not tested here or below', () => {
    const normalised = ['gpuMemoryGib', 'powerLimitWatts', 'driverBranch', 'cpuThreads']
    expect(new Set(keyFields)).toEqual(
      new Set([...Object.keys(relevant).filter(name => !name.includes('.')), ...normalised]),
    )
  })

  test.each([
    ['seed', [...workload, 'seed'], 43],
    ['length of the run', [...workload, 'stepsPerBlock'], 400],
    ['uptime', [...host, 'uptimeSeconds'], 1e6],
    ['instance id', [...host, 'instance', 'id'], 'i-2'],
    ['region', [...host, 'instance', 'region'], 'eu-west-1'],
    ['zone', [...host, 'instance', 'zone'], 'eu-west-1c'],
    ['image id', [...host, 'instance', 'imageId'], 'ami-2'],
    ['market', [...host, 'instance', 'market'], 'on-demand'],
    ['kernel patch', [...host, 'kernel'], '6.8.0-1022-aws'],
    ['operating system', [...host, 'os'], 'Ubuntu 24.04.1'],
    ['CPU governor', [...host, 'cpu', 'governor'], 'schedutil'],
    ['GPU UUID', [...host, 'gpu', 'uuid'], 'GPU-2'],
    ['VBIOS', [...host, 'driver', 'vbios'], '95'],
    ['git version of PyTorch', [...torch, 'gitVersion'], 'def'],
    ['which GPU was chosen', [...host, 'flags', 'CUDA_VISIBLE_DEVICES'], '3'],
    ['a cache folder', [...host, 'flags', 'TORCHINDUCTOR_CACHE_DIR'], '/tmp/y'],
    ['threads of a GPU run', [...workload, 'threads'], 4],
    ['patch of the driver', [...host, 'driver', 'version'], '570.172.08'],
    ['memory that the driver keeps', [...host, 'gpu', 'devices'], [{ memoryBytes: 23_700_000_000 }]],
    ['spelling of a setting', [...host, 'driver', 'ecc'], 'enabled'],
    ['blanks in a name', [...host, 'cpu', 'model'], 'AMD EPYC 7R32'],
    ['fraction of a watt', [...host, 'driver', 'powerLimitWatts'], 300.04],
  ])('does not change with the %s', (_, path, value) => {
    expect(environmentKey(changed(path, value)).key).toBe(key)
  })

  test.each([
    ['driverBranch', [...host, 'driver', 'version'], '580.65.06'],
    ['gpuMemoryGib', [...host, 'gpu', 'devices'], [{ memoryBytes: 48e9 }]],
    ['powerLimitWatts', [...host, 'driver', 'powerLimitWatts'], 150],
    ['env.MIOPEN_FIND_MODE', [...host, 'flags'], { ...result.environment.flags, MIOPEN_FIND_MODE: '1' }],
  ])('changes with %s', (field, path, value) => {
    const other = environmentKey(changed(path, value))
    expect(differences(environmentKey(result), other).map(difference => difference.field)).toEqual([field])
    expect(other.key).not.toBe(key)
  })

  test('holds the threads of a CPU run', () => {
    const threads = (count: number): string =>
      environmentKey({ ...result, backend: 'cpu', workload: { ...result.workload, actual: { threads: count } } }).key
    expect(threads(1)).not.toBe(threads(2))
  })

  test('does not depend on the order in which a host told its facts', () => {
    const { flags, torch: build, ...rest } = result.environment
    expect(environmentKey({ ...result, environment: { torch: build, flags, ...rest } }).key).toBe(key)
  })

  test('is 16 hexadecimal digits whatever a host tells', () => {
    const anything = fc.dictionary(fc.string(), fc.anything())
    fc.assert(
      fc.property(anything, fc.option(anything), (actual, environment) => {
        const workloadOf = { name: 'x', version: null, actual }
        const made = environmentKey({ workload: workloadOf, environment, flags: null })
        expect(made.key).toMatch(/^[0-9a-f]{16}$/)
        expect(Object.values(made.fields).every(value => value === null || typeof value === 'string')).toBe(true)
      }),
    )
  })

  test('of a record where nothing is known equals only such a one', () => {
    const unknown = environmentKey({
      workload: { name: 'x', version: null, actual: null },
      environment: null,
      flags: null,
    })
    expect(unknown.fields['gpuName']).toBeNull()
    expect(unknown.key).not.toBe(key)
  })
})

test('no difference is reported between equal keys, and each is reported in both directions', () => {
  const other = environmentKey(changed([...torch, 'version'], '2.9.0'))
  expect(differences(other, other)).toEqual([])
  expect(differences(environmentKey(result), other)).toEqual([
    { field: 'torch', before: '2.8.0+cu128', after: '2.9.0' },
  ])
  expect(differences(other, environmentKey(result))).toEqual([
    { field: 'torch', before: '2.9.0', after: '2.8.0+cu128' },
  ])
})
