import type { Asked } from './result.ts'

/** One benchmark run as it is asked for. */
export interface BenchmarkWish extends Asked {
  /** The Python that runs the program; undefined: the first one on the host that imports PyTorch. */
  readonly python?: string | undefined
  /** A version of PyTorch to install first; undefined: what the host has. */
  readonly pytorch?: string | undefined
  /** Limit of the whole run on the host, in milliseconds. */
  readonly timeoutMs: number
}

/** The arguments of the host program. */
export const buildArguments = (asked: Asked): readonly string[] => [
  'resnet50',
  ...Object.entries({
    mode: asked.mode,
    epochs: asked.epochs,
    'steps-per-epoch': asked.stepsPerEpoch,
    'batch-size': asked.batchSize,
    'image-size': asked.imageSize,
    precision: asked.precision,
    'memory-format': asked.memoryFormat,
  }).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ...(asked.allowCpu ? ['--allow-cpu'] : []),
]
