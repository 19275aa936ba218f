import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anchors, estimates, gpus } from '../src/ratios/gpu-table.ts'
import { anchorOf, flopOf, gpuOf, ratiosOf, type RatioInputs } from '../src/ratios/ratios.ts'

const onA100: RatioInputs = {
  gpuName: 'NVIDIA A100-SXM4-80GB',
  gpus: 1,
  mode: 'train',
  precision: 'bf16',
  compiled: false,
  imageSize: 224,
  throughput: 2470,
  measuredBandwidth: 1.6e12,
  pricePerHour: 2.7447,
  energyJoules: 16_000,
  images: 100_000,
}

describe('the ratios of a run', () => {
  test('agree with the published ones: 2470 images/s on an A100 are 19.3 % of its peak, and MXNet has 3410', () => {
    const { mfu, anchor, costPerMillionImages, joulesPerImage, roofline } = ratiosOf(onA100)
    expect(mfu).toBeCloseTo(0.193, 3)
    expect(anchor?.ratio).toBeCloseTo(2470 / 3410, 9)
    expect(anchor?.of).toMatchObject({ kind: 'M', stack: expect.stringContaining('MXNet') })
    expect(roofline).toBeCloseTo((2470 * 0.545e9) / 1.6e12, 9)
    expect(costPerMillionImages).toBeCloseTo(0.309, 3)
    expect(joulesPerImage).toBeCloseTo(0.16, 9)
  })

  test.each([
    ['NVIDIA H100 80GB HBM3', 2790, 0.069],
    ['NVIDIA H100 80GB HBM3', 6980, 0.172],
    ['NVIDIA H200', 3079, 0.076],
    ['NVIDIA A10', 638, 0.125],
    ['NVIDIA A100-SXM4-80GB', 3410, 0.267],
  ])('of %s at %d images/s have the utilisation of the protocol', (gpuName, throughput, mfu) => {
    expect(ratiosOf({ ...onA100, gpuName, throughput }).mfu).toBeCloseTo(mfu, 3)
  })

  test('are per GPU, but for the money', () => {
    const [one, eight] = [ratiosOf(onA100), ratiosOf({ ...onA100, gpus: 8, throughput: 8 * 2470 })]
    expect(eight.mfu).toBeCloseTo(one.mfu ?? Number.NaN, 12)
    expect(eight.anchor?.ratio).toBeCloseTo(one.anchor?.ratio ?? Number.NaN, 12)
    expect(eight.costPerMillionImages).toBeCloseTo((one.costPerMillionImages ?? Number.NaN) / 8, 12)
  })

  test.each([
    ['gpuName', ['mfu', 'roofline', 'anchor', 'estimate']],
    ['throughput', ['mfu', 'roofline', 'anchor', 'estimate', 'costPerMillionImages']],
    ['imageSize', ['mfu', 'roofline', 'anchor', 'estimate']],
    ['precision', ['mfu', 'roofline', 'anchor', 'estimate']],
    ['measuredBandwidth', ['roofline']],
    ['pricePerHour', ['costPerMillionImages']],
    ['energyJoules', ['joulesPerImage']],
    ['images', ['joulesPerImage']],
  ] as const)('without %s lose what needs it, and nothing else', (missing, lost) => {
    const [whole, less] = [ratiosOf(onA100), ratiosOf({ ...onA100, [missing]: null })]
    expect(less).toEqual({ ...whole, ...Object.fromEntries(lost.map(name => [name, null])) })
  })

  test('leave out what the table does not hold: other precisions, other sizes, inference without a traffic model', () => {
    expect(ratiosOf({ ...onA100, precision: 'fp32' })).toMatchObject({ mfu: null, roofline: null, anchor: null })
    expect(ratiosOf({ ...onA100, precision: 'tf32' }).anchor?.of.imagesPerSecond).toBe(1056)
    expect(ratiosOf({ ...onA100, imageSize: 128 }).anchor).toBeNull()
    expect(ratiosOf({ ...onA100, imageSize: 200 }).mfu).toBeNull()
    expect(ratiosOf({ ...onA100, mode: 'inference' })).toMatchObject({ roofline: null, estimate: null })
    expect(ratiosOf({ ...onA100, gpuName: 'Tesla T4', precision: 'bf16' }).mfu).toBeNull()
  })

  test('compare a GPU without a published figure with our estimate, which is no anchor', () => {
    const onL4 = ratiosOf({ ...onA100, gpuName: 'NVIDIA L4', throughput: 200, compiled: true })
    expect(onL4.anchor).toBeNull()
    expect(onL4.estimate).toEqual({ ratio: 200 / 565, imagesPerSecond: 565 })
  })

  test('of the compatible mode on an A10G compare with the reference program', () => {
    const compatible = ratiosOf({ ...onA100, gpuName: 'NVIDIA A10G', precision: 'pytorch-default', throughput: 343.27 })
    expect(compatible.anchor?.ratio).toBe(1)
  })

  test('are never NaN or infinite', () => {
    const amount = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }))
    const inputs = fc.record({
      gpuName: fc.option(fc.constantFrom('NVIDIA A10G', 'Tesla T4', 'NVIDIA H200', 'what')),
      gpus: fc.integer({ min: 0, max: 8 }),
      mode: fc.constantFrom('train' as const, 'inference' as const),
      precision: fc.constantFrom('fp16' as const, 'tf32' as const, null),
      compiled: fc.boolean(),
      imageSize: fc.option(fc.integer({ min: 0, max: 512 })),
      throughput: amount,
      measuredBandwidth: amount,
      pricePerHour: amount,
      energyJoules: amount,
      images: amount,
    })
    fc.assert(
      fc.property(inputs, given => {
        const { mfu, roofline, anchor, estimate, costPerMillionImages, joulesPerImage } = ratiosOf(given)
        const figures = [mfu, roofline, anchor?.ratio, estimate?.ratio, costPerMillionImages, joulesPerImage]
        expect(figures.filter(value => value != null && !Number.isFinite(value))).toEqual([])
      }),
    )
  })
})

describe('a GPU is found', () => {
  test.each([
    ['NVIDIA A10G', 'a10g'],
    ['NVIDIA A10', 'a10'],
    ['NVIDIA A100-SXM4-80GB', 'a100-sxm-80'],
    ['A100-SXM4-40GB', 'a100-sxm-40'],
    ['NVIDIA A100 80GB PCIe', 'a100-pcie-80'],
    ['NVIDIA H100 80GB HBM3', 'h100-sxm'],
    ['NVIDIA H100 PCIe', 'h100-pcie'],
    ['Tesla T4', 't4'],
    ['Tesla V100-SXM2-16GB', 'v100-sxm2'],
    ['NVIDIA L4', 'l4'],
    ['NVIDIA L40S', 'l40s'],
    ['AMD Instinct MI300X', 'mi300x'],
  ])('by the name that its driver prints: %s', (name, id) => {
    expect(gpuOf(name)?.id).toBe(id)
  })

  test.each(['NVIDIA A100-SXM4-40GB MIG 1g.5gb', 'GRID T4-8Q', 'NVIDIA H100 NVL', 'NVIDIA L40', 'cpu', '', 'A10G?'])(
    'only by its whole name: not %s',
    name => {
      expect(gpuOf(name)).toBeNull()
    },
  )

  test('and is null without a name', () => {
    expect(gpuOf(null)).toBeNull()
  })
})

describe('the table', () => {
  test('names each GPU once, and every anchor and estimate is of a GPU in it', () => {
    const names = gpus.flatMap(one => one.names)
    expect(new Set(names).size).toBe(names.length)
    const known = new Set(gpus.map(({ id }) => id))
    expect([...anchors, ...estimates].filter(({ gpu }) => !known.has(gpu))).toEqual([])
  })

  test('has a source for every figure, and no estimate among the anchors', () => {
    expect(anchors.filter(({ source, kind }) => source === '' || !['M', 'D'].includes(kind))).toEqual([])
    expect(anchorOf('t4', 'train', 'amp')).toBeNull()
    expect(anchorOf('mi300x', 'train', 'amp')).toBeNull()
  })
})

test('the work of an image grows with its area where every stride divides its side', () => {
  expect(flopOf('train', 224)).toBe(24.4e9)
  expect(flopOf('inference', 224)).toBe(8.22e9)
  expect(flopOf('inference', 448)).toBe(4 * 8.22e9)
  for (const size of [0, 100, 225, -32]) expect(flopOf('train', size)).toBeNull()
})
