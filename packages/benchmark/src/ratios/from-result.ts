import type { Result } from '../result.ts'
import { ratiosOf, type RatioInputs, type Ratios } from './ratios.ts'

/** As much of `result.json` as the ratios need. */
export type Measured = Pick<
  Result,
  'backend' | 'device' | 'workload' | 'environment' | 'metrics' | 'telemetry' | 'preflight'
>

/**
 * What a record knows of the inputs of the ratios.
 * @param pricePerHour US dollars per hour of the whole machine; null when nobody knows it
 */
export function ratioInputsOf(result: Measured, pricePerHour: number | null): RatioInputs {
  const { actual, asked } = result.workload
  return {
    gpuName: result.backend === 'cpu' ? null : result.device,
    gpus: actual?.gpus ?? 1,
    mode: actual?.mode ?? asked.mode,
    precision: actual?.precision === 'auto' ? null : (actual?.precision ?? null),
    compiled: (actual?.compile ?? null) !== null,
    imageSize: actual?.imageSize ?? null,
    throughput: result.metrics.throughput,
    measuredBandwidth: result.preflight?.measured.memoryBytesPerSecond ?? null,
    pricePerHour,
    energyJoules: energyOf(result),
    images: result.metrics.images,
  }
}

/** Of a host with more GPUs than the run used, nobody can tell which part was the run's. */
function energyOf({ telemetry, workload }: Measured): number | null {
  return telemetry !== null && telemetry.gpus.length === (workload.actual?.gpus ?? 1) ? telemetry.energyJoules : null
}

export const ratiosOfResult = (result: Measured, pricePerHour: number | null): Ratios =>
  ratiosOf(ratioInputsOf(result, pricePerHour))
