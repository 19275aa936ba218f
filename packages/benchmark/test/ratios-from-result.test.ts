import { describe, expect, test } from '@jest/globals'
import { readLine, type EventOf } from '../src/events.ts'
import { ratioInputsOf, ratiosOfResult, type Measured } from '../src/ratios/from-result.ts'
import { actual, withTelemetry } from './told.ts'

function telemetryOf(more: object = {}): EventOf<'result'>['telemetry'] {
  const line = readLine(JSON.stringify(withTelemetry(more)))
  if (line.kind !== 'event' || line.event.event !== 'result') throw new Error('it is no result')
  return line.event.telemetry
}

const { image_size: imageSize, memory_format: memoryFormat } = actual
const measured: Measured = {
  backend: 'cuda',
  device: 'NVIDIA A10G',
  workload: {
    name: 'resnet50-v1.5',
    version: 2,
    asked: {
      mode: 'train',
      epochs: 1,
      stepsPerEpoch: 10,
      batchSize: 8,
      imageSize: 224,
      precision: 'auto',
      memoryFormat,
      allowCpu: false,
      compile: false,
      gpus: 1,
    },
    actual: {
      mode: 'train',
      batchSize: 8,
      imageSize,
      precision: 'bf16',
      memoryFormat,
      learningRate: 0.005,
      lossScale: 1,
      compile: 'inductor',
      gpus: 1,
      blocks: 5,
      stepsPerBlock: 2,
      threads: 8,
      seed: 1,
      injectedSlowdown: null,
    },
  },
  environment: null,
  metrics: {
    throughput: 650,
    throughputLow: null,
    throughputHigh: null,
    latencyMs: null,
    durationSeconds: 1,
    images: 501,
    peakMemoryBytes: null,
  },
  telemetry: telemetryOf(),
  preflight: {
    level: 'quick',
    status: 'pass',
    checks: [],
    measured: {
      memoryBytesPerSecond: 4.8e11,
      memoryTriadBytesPerSecond: null,
      matmulFlops: null,
      hostToDeviceBytesPerSecond: null,
      deviceToHostBytesPerSecond: null,
    },
    seconds: 1,
  },
}

describe('the inputs of the ratios, from a record', () => {
  test('are what telemetry and the preflight measured', () => {
    expect(ratioInputsOf(measured, 1.2)).toEqual({
      gpuName: 'NVIDIA A10G',
      gpus: 1,
      mode: 'train',
      precision: 'bf16',
      compiled: true,
      imageSize: 64,
      throughput: 650,
      measuredBandwidth: 4.8e11,
      pricePerHour: 1.2,
      energyJoules: 250.5,
      images: 501,
    })
    expect(ratiosOfResult(measured, null)).toMatchObject({ joulesPerImage: 0.5, costPerMillionImages: null })
  })

  test('are null where nobody measured them', () => {
    const bare = { ...measured, telemetry: null, preflight: null }
    expect(ratioInputsOf(bare, null)).toMatchObject({ energyJoules: null, measuredBandwidth: null })
    expect(ratioInputsOf({ ...measured, backend: 'cpu', device: 'cpu' }, null).gpuName).toBeNull()
  })

  test('have no energy when the host has more GPUs than the run used', () => {
    const [gpu] = telemetryOf()?.gpus ?? []
    const more = {
      ...measured,
      telemetry: telemetryOf({
        gpus: [
          { index: 0, samples: 1 },
          { index: 1, samples: 1 },
        ],
      }),
    }
    expect(gpu).toBeDefined()
    expect(ratioInputsOf(more, null).energyJoules).toBeNull()
  })
})
