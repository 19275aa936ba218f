/** The lines that a small run prints, as objects: what the tests of the parts that read them share. */

export const actual = {
  mode: 'train',
  image_size: 64,
  precision: 'fp32',
  memory_format: 'channels_last',
  learning_rate: 0.005,
  loss_scale: 1,
  blocks: 5,
  steps_per_block: 2,
  threads: 2,
  seed: 123263003719043,
  batch_size: 8,
} as const

export const block = (index: number, stepMs: readonly number[] = [100, 110]) =>
  ({
    event: 'block',
    index,
    of: 5,
    images_per_second: 76,
    step_ms: stepMs,
    wall_ms: stepMs.reduce((sum, ms) => sum + ms, 0),
    loss_first: 7,
    loss_last: 3,
  }) as const

const blocks = [1, 2, 3, 4, 5].map(index => block(index))

export const start = { event: 'start', program: 'resnet50', workload_version: 1 } as const
export const environment = {
  event: 'environment',
  import_seconds: 2.279,
  threads: 2,
  torch: { version: '2.15.0', git_version: 'd0f2af8' },
  gpu: null,
  flags: { OMP_NUM_THREADS: '2' },
} as const
export const plan = { event: 'plan', device: { backend: 'cpu', name: null }, asked: {}, actual } as const
export const warmup = { event: 'warmup', step: 1, of: 1, step_ms: 400 } as const
export const result = {
  event: 'result',
  workload: { name: 'resnet50-v1.5', version: 1 },
  asked: {},
  actual,
  flags: { cudnn_allow_tf32: false },
  device: { backend: 'cpu', name: null },
  clock: 'monotonic',
  parameters: 25557032,
  warmup: { step_ms: [400], seconds: 0.4, settled: null, loss_first: 7, loss_last: 7 },
  blocks: blocks.map(({ event: _event, index: _index, of: _of, images_per_second: _speed, ...raw }) => raw),
  duration_seconds: 1.1,
  peak_memory_bytes: null,
} as const

export const wholeRun = [start, environment, plan, warmup, ...blocks, result]

export const lines = (events: readonly object[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('')
