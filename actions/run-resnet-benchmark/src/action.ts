import { defineAction, input } from '@gpu-actions/action-kit'
import { memoryFormats, modes, precisions } from '@gpu-actions/benchmark/words'

export const action = defineAction({
  name: 'run-resnet-benchmark',
  title: 'Run the ResNet-50 benchmark',
  description: 'Measures training or inference of ResNet-50 on a host, block by block, with every raw step time.',
  inputs: {
    'instance-id': input.text({
      about: 'The instance to measure, reached over the Systems Manager. Give this or `local`.',
      pattern: /^i-[0-9a-f]{8,17}$/,
      must: 'an instance id such as i-0123456789abcdef0',
    }),
    'aws-region': input.text({
      about: 'The region of the instance; empty takes `AWS_REGION`.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'a region such as us-west-2',
    }),
    local: input.boolean({ about: 'Measure the runner itself (self-hosted runners).', fallback: 'false' }),
    'lease-id': input.text({
      about: 'The lease that the host belongs to; empty finds the lease of `instance-id` among those of this job.',
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      must: 'a lease id, as provision-ec2-gpu gives it',
    }),
    mode: input.oneOf(modes, { about: 'What a step is.', fallback: 'train' }),
    epochs: input.integer({ about: 'Timed steps are epochs × steps per epoch.', fallback: '1', min: 1, max: 10_000 }),
    'steps-per-epoch': input.integer({
      about: 'Timed steps in an epoch; all of them are split into at least 5 equal blocks, rounded up where needed.',
      fallback: '200',
      min: 1,
      max: 1_000_000,
    }),
    'batch-size': input.integer({
      about: 'Images in a step; halved until they fit into memory, which the result says.',
      fallback: '128',
      min: 1,
      max: 65_536,
    }),
    'image-size': input.integer({ about: 'Edge of an image in pixels.', fallback: '224', min: 32, max: 4096 }),
    precision: input.oneOf(precisions, {
      about: '`auto`: bf16 where the GPU has it, fp16 on older ones, fp32 on a CPU. `fp32` uses TF32 nowhere.',
      fallback: 'auto',
    }),
    'memory-format': input.oneOf(memoryFormats, {
      about: 'Layout of images and weights.',
      fallback: 'channels_last',
    }),
    python: input.text({
      about:
        'The Python on the host that has PyTorch; empty takes `/opt/pytorch/bin/python` of the Deep Learning AMIs, else `python3`.',
    }),
    pytorch: input.text({
      about:
        '`image` takes the PyTorch that the host has; a version such as `2.9.1` is installed first, into a folder of its own, with 20 minutes for it.',
      fallback: 'image',
      pattern: /^(image|\d+\.\d+\.\d+)$/,
      must: 'image, or a version such as 2.9.1',
    }),
    timeout: input.duration({
      about: 'Time limit of the run on the host; then it is killed with everything that it started.',
      fallback: '30m',
      min: 10_000,
      max: 48 * 3_600_000,
    }),
    'allow-cpu': input.boolean({
      about: 'Measure the CPU where there is no GPU; the result then says `device: cpu`.',
      fallback: 'false',
    }),
  },
  outputs: {
    throughput: 'Images per second: median of the block medians. Empty when it could not be measured.',
    'throughput-low': 'Lower end of the 95 % interval within this run; empty with fewer than 5 blocks.',
    'throughput-high': 'Upper end of that interval.',
    'latency-ms': 'Milliseconds of a step (a whole batch): median of all timed steps.',
    'duration-seconds': 'Seconds that the timed part took.',
    valid: '`true` when nothing speaks against the figures; the reasons are in the result.',
    device: "The GPU's own name, or `cpu`.",
    'result-path': 'The record of the run, with raw step times.',
  },
  post: false,
  check: ({ instanceId, local, python }) => [
    ...(local && instanceId !== undefined ? ['instance-id, local: give one of them, not both'] : []),
    ...(!local && instanceId === undefined ? ['instance-id: is required, unless local is true'] : []),
    ...(python?.startsWith('-') ? ['python: must be a program, not an option'] : []),
  ],
})

export type BenchmarkAction = typeof action
