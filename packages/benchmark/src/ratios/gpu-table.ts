/**
 * What is published about GPUs, as data. Written down on 2026-11-27 from the sources beside each figure, which carry
 * their own commits or dates; a changed figure is a new version.
 *
 * Kinds: M measured and published, D derived by arithmetic from published figures, S data sheet, E estimate of ours.
 */
export const gpuTableVersion = '2026-11-27'

export type Kind = 'M' | 'D' | 'S' | 'E'

/** A GPU by what sets its speed. Names as `nvidia-smi` and PyTorch print them. */
export interface GpuData {
  readonly id: string
  readonly names: readonly string[]
  /** Dense 16-bit matrix peak without sparsity, FLOP/s: the data sheets of L4, L40S and H100 print twice as much. */
  readonly peakFlops: number | null
  /** Memory bandwidth, bytes/s. */
  readonly bandwidth: number | null
  /** Whether it computes in bf16: compute capability 8.0 and later, CDNA. */
  readonly bf16: boolean
  readonly source: string
}

/** Common knowledge that was not read again in a data sheet. */
const notReRead = 'data sheet, not read again'
const dataSheet = 'data sheet'

const gpu = (
  id: string,
  names: readonly string[],
  teraflops: number | null,
  gigabytes: number | null,
  source: string = dataSheet,
  bf16 = true,
): GpuData => ({
  id,
  names,
  peakFlops: teraflops === null ? null : teraflops * 1e12,
  bandwidth: gigabytes === null ? null : gigabytes * 1e9,
  bf16,
  source,
})

/** Kind S. A card that is sold in several forms has an entry for each; a slice of a card (MIG, vGPU) has none. */
export const gpus: readonly GpuData[] = [
  gpu('t4', ['Tesla T4', 'NVIDIA T4'], 65, 320, notReRead, false),
  gpu('v100-sxm2', ['Tesla V100-SXM2-16GB', 'Tesla V100-SXM2-32GB'], 125, 900, dataSheet, false),
  gpu('a10', ['NVIDIA A10'], 125, 600),
  gpu('a10g', ['NVIDIA A10G'], 70, 600, notReRead),
  gpu('l4', ['NVIDIA L4'], 121, 300, notReRead),
  gpu('l40s', ['NVIDIA L40S'], 362, 864, notReRead),
  gpu('a100-sxm-40', ['NVIDIA A100-SXM4-40GB'], 312, 1555),
  gpu('a100-sxm-80', ['NVIDIA A100-SXM4-80GB'], 312, 2039),
  gpu('a100-pcie-40', ['NVIDIA A100-PCIE-40GB'], 312, 1555),
  gpu('a100-pcie-80', ['NVIDIA A100 80GB PCIe'], 312, null),
  gpu('h100-sxm', ['NVIDIA H100 80GB HBM3'], 989, 3350),
  gpu('h100-pcie', ['NVIDIA H100 PCIe'], null, null),
  gpu('h200', ['NVIDIA H200'], 989, 4800),
  gpu('gh200', ['NVIDIA GH200 480GB', 'NVIDIA GH200 96GB HBM3'], null, null),
  gpu('b200', ['NVIDIA B200'], null, null),
  gpu('mi300x', ['AMD Instinct MI300X', 'AMD Instinct MI300X OAM'], 1307, 5300),
  gpu('rtx-3090', ['NVIDIA GeForce RTX 3090'], null, null),
  gpu('rtx-4090', ['NVIDIA GeForce RTX 4090'], null, null),
  gpu('rtx-6000-ada', ['NVIDIA RTX 6000 Ada Generation'], null, null),
  gpu('rtx-a6000', ['NVIDIA RTX A6000'], null, null),
]

/** The arithmetic of a run, as far as anchors tell it apart: fp16 and bf16 are equally fast under AMP. */
export type AnchorPrecision = 'amp' | 'tf32' | 'fp32' | 'pytorch-default'

/** A published throughput of ResNet-50 v1.5 at 224 px on one GPU. */
export interface Anchor {
  readonly gpu: string
  readonly mode: 'train' | 'inference'
  readonly precision: AnchorPrecision
  /** Per GPU. */
  readonly imagesPerSecond: number
  readonly batch: number | null
  readonly stack: string
  readonly kind: 'M' | 'D'
  readonly source: string
  /** When it was measured or published, as far as the source says. */
  readonly date: string | null
}

const nvidia = 'NVIDIA/DeepLearningExamples @729963dd'
const lambda = 'lambdal/deeplearning-benchmark @aa5addb6'
const timm = 'huggingface/pytorch-image-models results @aa4b5850'
const mlperf = 'MLPerf Training v3.0, 3.0-2053, from time, epochs and images'
const reference = 'the reference program on g5.2xlarge, three trials'

type Row = readonly [
  gpu: string,
  precision: AnchorPrecision,
  imagesPerSecond: number,
  batch: number | null,
  stack: string,
  source: string,
  date: string | null,
  kind?: 'M' | 'D',
]

const anchor =
  (mode: Anchor['mode']) =>
  ([of, precision, imagesPerSecond, batch, stack, source, date, kind = 'M']: Row): Anchor => ({
    gpu: of,
    mode,
    precision,
    imagesPerSecond,
    batch,
    stack,
    kind,
    source,
    date,
  })

const training: readonly Row[] = [
  ['v100-sxm2', 'amp', 1492, null, 'MXNet, fused BN, NHWC', nvidia, null],
  ['v100-sxm2', 'amp', 1200, 256, 'PyTorch 21.03, NHWC', nvidia, '2021-03'],
  ['v100-sxm2', 'fp32', 367, 256, 'PyTorch 21.03', nvidia, '2021-03'],
  ['a100-sxm-40', 'amp', 2375, 256, 'TensorFlow, XLA', nvidia, null],
  ['a100-sxm-40', 'tf32', 909, null, 'TensorFlow, XLA', nvidia, null],
  ['a100-sxm-80', 'amp', 3410, 256, 'MXNet, fused BN, NHWC', nvidia, null],
  ['a100-sxm-80', 'amp', 2470, 256, 'PyTorch 21.03, NHWC', nvidia, '2021-03'],
  ['a100-sxm-80', 'tf32', 1056, null, 'MXNet', nvidia, null],
  ['a100-sxm-80', 'tf32', 938, 256, 'PyTorch 21.03', nvidia, '2021-03'],
  ['a100-pcie-80', 'amp', 1527, null, 'PyTorch, NCHW', lambda, null],
  ['a100-pcie-40', 'amp', 1396, null, 'PyTorch, NCHW', lambda, null],
  ['a10', 'amp', 638, 448, 'PyTorch, NCHW', lambda, null],
  ['a10', 'tf32', 349, 448, 'PyTorch, NCHW', lambda, null],
  ['a10g', 'pytorch-default', 343.27, 128, 'PyTorch 2.2.0, NCHW', reference, '2025-12-26'],
  ['h100-sxm', 'amp', 6980, null, 'MXNet, eight GPUs', mlperf, '2023-06', 'D'],
  ['h100-sxm', 'amp', 2790, 1280, 'PyTorch, NCHW, median of 39 hosts', lambda, null],
  ['h100-sxm', 'tf32', 1895, null, 'PyTorch, NCHW', lambda, null],
  ['h100-pcie', 'amp', 1866, 1280, 'PyTorch, NCHW', lambda, null],
  ['h100-pcie', 'tf32', 1197, 1280, 'PyTorch, NCHW', lambda, null],
  ['gh200', 'amp', 2845, null, 'PyTorch, NCHW', lambda, null],
  ['gh200', 'tf32', 2063, null, 'PyTorch, NCHW', lambda, null],
  ['h200', 'amp', 3079, null, 'PyTorch, NCHW', lambda, null],
  ['h200', 'tf32', 2259, null, 'PyTorch, NCHW', lambda, null],
  ['b200', 'amp', 3076, null, 'PyTorch, NCHW', lambda, null],
  ['b200', 'tf32', 2967, null, 'PyTorch, NCHW', lambda, null],
  ['rtx-3090', 'amp', 1218, 512, 'timm 0.6.6, PyTorch 1.12, NHWC', timm, null],
  ['rtx-4090', 'amp', 1301, 448, 'PyTorch, NCHW', lambda, null],
  ['rtx-4090', 'tf32', 721, 448, 'PyTorch, NCHW', lambda, null],
  ['rtx-6000-ada', 'amp', 1146, 928, 'PyTorch, NCHW', lambda, null],
  ['rtx-6000-ada', 'tf32', 647, 928, 'PyTorch, NCHW', lambda, null],
  ['rtx-a6000', 'amp', 916, 928, 'PyTorch, NCHW', lambda, null],
  ['rtx-a6000', 'tf32', 514, 928, 'PyTorch, NCHW', lambda, null],
]

/** PyTorch and its likes only: TensorRT's figures are of another kind. */
const inference: readonly Row[] = [
  ['t4', 'amp', 1559, 256, 'MXNet', nvidia, null],
  ['t4', 'amp', 1198, 256, 'PyTorch 21.03', nvidia, '2021-03'],
  ['t4', 'fp32', 415, 256, 'PyTorch 21.03', nvidia, '2021-03'],
  ['v100-sxm2', 'amp', 3382, 256, 'PyTorch', nvidia, null],
  ['v100-sxm2', 'fp32', 1261, 256, 'PyTorch', nvidia, null],
  ['a100-sxm-80', 'amp', 5742, 256, 'PaddlePaddle', nvidia, null],
  ['rtx-3090', 'amp', 3730, 1024, 'PyTorch 2.4, NHWC', timm, null],
  ['rtx-4090', 'amp', 8039, 1024, 'PyTorch 2.9.1, NCHW, compiled', timm, null],
]

export const anchors: readonly Anchor[] = [...training.map(anchor('train')), ...inference.map(anchor('inference'))]

/** Training under AMP where nothing trustworthy is published; −20 … +5 % where it could be checked. Never a pass line. */
export interface Estimate {
  readonly gpu: string
  readonly kind: 'E'
  /** channels_last, eager: images/s. */
  readonly eager: number
  /** channels_last, compiled: an upper bound. */
  readonly compiled: number
}

/** 24.4 GFLOP over the attainable matmul speed, and 0.545 (eager) or 0.351 GB (fused) over the attainable bandwidth. */
export const estimates: readonly Estimate[] = (
  [
    ['t4', 330, 445],
    ['a10g', 650, 880],
    ['l4', 400, 565],
    ['l40s', 1150, 1690],
    ['a100-sxm-40', 2070, 2920],
    ['h100-sxm', 4700, 6770],
    ['h200', 6350, 8900],
    ['mi300x', 6000, 8300],
  ] as const
).map(([of, eager, compiled]) => ({ gpu: of, kind: 'E', eager, compiled }))
