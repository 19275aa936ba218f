import {
  anchors,
  estimates,
  gpus,
  gpuTableVersion,
  type Anchor,
  type AnchorPrecision,
  type GpuData,
} from './gpu-table.ts'

/** What the ratios are made of. null: not known, and what needs it is null then. */
export interface RatioInputs {
  /** As the driver names it; null on a CPU. */
  readonly gpuName: string | null
  readonly gpus: number
  readonly mode: 'train' | 'inference'
  /** `pytorch-default` in the compatible mode, where convolutions use TF32 and the rest fp32. */
  readonly precision: 'fp32' | 'tf32' | 'fp16' | 'bf16' | 'pytorch-default' | null
  readonly compiled: boolean
  /** Side of the images, pixels. */
  readonly imageSize: number | null
  /** Images per second of the whole machine. */
  readonly throughput: number | null
  /** Bytes per second of one GPU, as the preflight measured it. */
  readonly measuredBandwidth: number | null
  /** US dollars per hour of the whole machine. */
  readonly pricePerHour: number | null
  /** Of all GPUs in the timed part, and the images in it. */
  readonly energyJoules: number | null
  readonly images: number | null
}

export interface Ratios {
  readonly tableVersion: string
  /** Model FLOP per second over the dense 16-bit peak, per GPU: 0.2 is 20 %. */
  readonly mfu: number | null
  /** Over what this GPU's measured bandwidth allows this workload. */
  readonly roofline: number | null
  /** Over the best published figure for this GPU and precision. */
  readonly anchor: { readonly ratio: number; readonly of: Anchor } | null
  /** Over our own estimate, for GPUs without a published figure. */
  readonly estimate: { readonly ratio: number; readonly imagesPerSecond: number } | null
  /** US dollars. */
  readonly costPerMillionImages: number | null
  readonly joulesPerImage: number | null
}

/**
 * FLOP of tensor operations per image at 224 px, 1 MAC = 2 FLOP: MLPerf's definition of utilisation counts neither BN
 * nor recomputation. Forward 4.11 GMAC (timm); training three times that, less the first convolution's data gradient.
 */
const flopPerImage = { train: 24.4e9, inference: 8.22e9 } as const
const anchorSize = 224
/** All strides divide such sizes, so that the work of each convolution grows with the area; the rest is 0.05 %. */
const strides = 32

/** Training, 16-bit: 24.4 GFLOP over 0.545 GB of memory traffic per image, or 0.351 GB with BN, ReLU and add fused. */
const intensity = { eager: 24.4 / 0.545, compiled: 24.4 / 0.351 } as const

/** The GPU of this name; null for an unknown one, a slice of one, or a CPU. */
export function gpuOf(name: string | null): GpuData | null {
  const wanted = plain(name ?? '')
  return gpus.find(({ names }) => names.some(known => plain(known) === wanted)) ?? null
}

/** Drivers before 470 leave the maker out, and blanks vary. */
const plain = (name: string): string =>
  name
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^NVIDIA /, '')
    .toLowerCase()

/** FLOP of one image; null for a size for which it is not known. */
export const flopOf = (mode: RatioInputs['mode'], imageSize: number): number | null =>
  imageSize > 0 && imageSize % strides === 0 ? flopPerImage[mode] * (imageSize / anchorSize) ** 2 : null

/** The best published figure of a GPU; null when there is none. An estimate is none. */
export function anchorOf(gpu: string, mode: RatioInputs['mode'], precision: AnchorPrecision): Anchor | null {
  const found = anchors.filter(one => one.gpu === gpu && one.mode === mode && one.precision === precision)
  return found.reduce<Anchor | null>(
    (best, one) => (best === null || one.imagesPerSecond > best.imagesPerSecond ? one : best),
    null,
  )
}

/** All ratios of a run; each null where one of its inputs is missing. */
export function ratiosOf(inputs: RatioInputs): Ratios {
  const { throughput, gpus: count, pricePerHour, energyJoules, images } = inputs
  const perGpu = throughput === null || count < 1 ? null : throughput / count
  const gpu = gpuOf(inputs.gpuName)
  return {
    tableVersion: gpuTableVersion,
    ...utilisation(inputs, gpu, perGpu),
    ...comparison(inputs, gpu, perGpu),
    costPerMillionImages: over(pricePerHour, throughput === null ? null : throughput * 3600, 1e6),
    joulesPerImage: over(energyJoules, images),
  }
}

/** 16-bit runs only: other precisions have other peaks, which the table does not hold. */
function utilisation(
  inputs: RatioInputs,
  gpu: GpuData | null,
  perGpu: number | null,
): Pick<Ratios, 'mfu' | 'roofline'> {
  const { mode, imageSize, precision, measuredBandwidth, compiled } = inputs
  const flop = imageSize === null ? null : flopOf(mode, imageSize)
  const peak = gpu !== null && computes16Bit(precision, gpu) ? gpu.peakFlops : null
  if (flop === null || perGpu === null || peak === null) return { mfu: null, roofline: null }
  const reached = perGpu * flop
  const modelled = mode === 'train' && measuredBandwidth !== null && measuredBandwidth > 0
  const roof = modelled ? Math.min(peak, intensity[compiled ? 'compiled' : 'eager'] * measuredBandwidth) : null
  return { mfu: reached / peak, roofline: over(reached, roof) }
}

const computes16Bit = (precision: RatioInputs['precision'], gpu: GpuData): boolean =>
  precision === 'fp16' || (precision === 'bf16' && gpu.bf16)

/** Published and estimated figures are for 224 px. */
function comparison(
  { mode, precision, imageSize, compiled }: RatioInputs,
  gpu: GpuData | null,
  perGpu: number | null,
): Pick<Ratios, 'anchor' | 'estimate'> {
  if (gpu === null || perGpu === null || precision === null || imageSize !== anchorSize) {
    return { anchor: null, estimate: null }
  }
  const amp = precision === 'fp16' || precision === 'bf16'
  const best = anchorOf(gpu.id, mode, precision === 'fp16' || precision === 'bf16' ? 'amp' : precision)
  const guess = amp && mode === 'train' ? estimates.find(one => one.gpu === gpu.id) : undefined
  const expected = guess?.[compiled ? 'compiled' : 'eager']
  return {
    anchor: best === null ? null : { ratio: perGpu / best.imagesPerSecond, of: best },
    estimate: expected === undefined ? null : { ratio: perGpu / expected, imagesPerSecond: expected },
  }
}

function over(value: number | null, by: number | null, times = 1): number | null {
  if (value === null || by === null || by <= 0) return null
  const ratio = (value / by) * times
  return Number.isFinite(ratio) ? ratio : null
}
