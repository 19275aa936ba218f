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
  compile: null,
  gpus: 1,
  injected_slowdown: null,
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

export const start = { event: 'start', program: 'resnet50', workload_version: 2 } as const
export const environment = {
  event: 'environment',
  import_seconds: 2.279,
  threads: 2,
  torch: { version: '2.15.0', git_version: 'd0f2af8' },
  gpu: null,
  flags: { OMP_NUM_THREADS: '2' },
} as const
export const plan = { event: 'plan', device: { backend: 'cpu', name: null }, asked: {}, actual } as const
export const firstStep = { event: 'first-step', seconds: 1.9, compile_seconds: null, graphs: null } as const
export const sanity = { event: 'sanity', steps: 10, loss_first: 7, loss_last: 1.25, seconds: 3.1 } as const
export const warmup = { event: 'warmup', step: 1, of: 1, step_ms: 400 } as const
export const result = {
  event: 'result',
  workload: { name: 'resnet50-v1.5', version: 2 },
  asked: {},
  actual,
  flags: { cudnn_allow_tf32: false },
  device: { backend: 'cpu', name: null },
  clock: 'monotonic',
  parameters: 25557032,
  optimizer: 'fused',
  first_step: { seconds: 1.9, compile_seconds: null, graphs: null },
  sanity: { losses: [7, 5, 4, 3, 2.5, 2, 1.8, 1.6, 1.4, 1.25], seconds: 3.1 },
  alone: null,
  ranks: null,
  warmup: { step_ms: [400], seconds: 0.4, settled: null, loss_first: 7, loss_last: 7 },
  blocks: blocks.map(({ event: _event, index: _index, of: _of, images_per_second: _speed, ...raw }) => raw),
  duration_seconds: 1.1,
  peak_memory_bytes: null,
} as const

export const wholeRun = [start, environment, plan, firstStep, sanity, warmup, ...blocks, result]

/** Two ranks: what the first measures alone comes before the plan is told once more. */
const both = { ...plan, actual: { ...actual, gpus: 2 } }
const rank = (index: number, sum = 'a'.repeat(64)) => ({
  rank: index,
  device: null,
  peak_memory_bytes: null,
  parameters_sha256: sum,
  blocks: result.blocks,
})
export const alone = { event: 'alone', blocks: 5 } as const
export const twoRanks = (secondSum?: string): readonly object[] => [
  start,
  environment,
  both,
  alone,
  firstStep,
  warmup,
  ...[1, 2, 3, 4, 5].map(index => block(index, [50, 50])),
  both,
  firstStep,
  sanity,
  warmup,
  ...blocks,
  {
    ...result,
    actual: both.actual,
    alone: {
      first_step: result.first_step,
      warmup: result.warmup,
      blocks: result.blocks.map(one => ({ ...one, step_ms: [50, 50] })),
    },
    ranks: [rank(0), rank(1, secondSum)],
  },
]

export const spotNotice = { event: 'spot-notice', action: 'terminate', time: '2026-11-03T00:02:00Z' } as const
export const xid = {
  event: 'xid',
  at: '2026-11-03T00:01:00Z',
  gpu: 'PCI:0000:00:1e',
  code: 79,
  message: 'GPU has fallen off the bus.',
} as const
export const throttled = {
  event: 'throttled',
  at: '2026-11-03T00:01:00Z',
  gpu: 0,
  reason: 'hardware_thermal',
  microseconds: 400_000,
} as const
export const telemetry = {
  event: 'telemetry',
  at: '2026-11-03T00:01:00Z',
  gpus: [
    { index: 0, utilization: 99, power_watts: 287.4, temperature_celsius: 62, sm_clock_mhz: null },
    { index: 1, power_watts: 280.1, temperature_celsius: null },
  ],
  cpu_percent: 12.5,
  memory_used_bytes: null,
} as const

const gpuTelemetry = {
  index: 0,
  samples: 10,
  utilization: { min: 98, median: 99, max: 100 },
  power_watts: { min: 250, median: 280, max: 300 },
  pcie_generation: null,
  throttle_reasons_seen: ['software_power_cap'],
  throttled_microseconds: { hardware_thermal: 0, software_power_cap: 900_000, hardware_slowdown: null },
  energy_joules: 250.5,
  ecc_uncorrected: 0,
} as const

/** The result with what telemetry saw, as the host program prints it. */
export const withTelemetry = (more: object = {}, gpu: object = {}): object => ({
  ...result,
  telemetry: {
    source: 'nvml',
    interval_seconds: 1,
    samples: 10,
    seconds: 1.1,
    gpus: [{ ...gpuTelemetry, ...gpu }],
    energy_joules: 250.5,
    cpu_percent: { min: 10, median: 12, max: 14 },
    memory_used_bytes: null,
    foreign_cpu_share: 0.01,
    foreign_gpu_processes: 0,
    xids: [],
    own_cpu_share: 0.001,
    csv_truncated: false,
    overhead_percent: 0.02,
    step_ms_without: [100, 110],
    ...more,
  },
})

export const lines = (events: readonly object[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('')
