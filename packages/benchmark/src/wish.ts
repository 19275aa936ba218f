import type { PreflightWish } from './preflight.ts'
import type { Asked } from './result.ts'

/** How much is measured. */
export type Sizes = Pick<Asked, 'epochs' | 'stepsPerEpoch' | 'batchSize' | 'imageSize'>

/** One benchmark run as it is asked for. */
export interface BenchmarkWish extends Asked {
  /** The Python that runs the program; undefined: the first one on the host that imports PyTorch. */
  readonly python?: string | undefined
  /** Sizes in place of those above where the CPU is measured. */
  readonly onCpu?: Partial<Sizes> | undefined
  /** What is checked before the run; undefined: nothing. */
  readonly preflight?: PreflightWish | undefined
  /** The commit that is measured, for the record. */
  readonly commit?: string | undefined
  /** A version of PyTorch to install first; undefined: what the host has. */
  readonly pytorch?: string | undefined
  /** Limit of the whole run on the host, in milliseconds. */
  readonly timeoutMs: number
}

const flagOf = {
  epochs: 'epochs',
  stepsPerEpoch: 'steps-per-epoch',
  batchSize: 'batch-size',
  imageSize: 'image-size',
} as const satisfies Record<keyof Sizes, string>

/** `batch-size=8,image-size=64`; empty for no sizes. */
const sizesInWords = (sizes: Partial<Sizes>): string =>
  (Object.keys(flagOf) as (keyof Sizes)[])
    .flatMap(name => (sizes[name] === undefined ? [] : [`${flagOf[name]}=${sizes[name]}`]))
    .join(',')

/** The arguments of the host program. */
export function buildArguments({
  onCpu = {},
  commit,
  ...asked
}: Asked & Pick<BenchmarkWish, 'onCpu' | 'commit'>): readonly string[] {
  const small = sizesInWords(onCpu)
  return [
    'resnet50',
    ...Object.entries({
      mode: asked.mode,
      ...Object.fromEntries((Object.keys(flagOf) as (keyof Sizes)[]).map(name => [flagOf[name], asked[name]])),
      precision: asked.precision,
      'memory-format': asked.memoryFormat,
      gpus: asked.gpus,
    }).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...(commit === undefined ? [] : ['--commit', commit]),
    ...(asked.compile ? ['--compile'] : []),
    ...(asked.allowCpu ? ['--allow-cpu', ...(small === '' ? [] : ['--on-cpu', small])] : []),
  ]
}
