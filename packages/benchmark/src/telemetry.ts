import * as v from 'valibot'
import { count, later, list, measured, object } from './raw.ts'

/** Smallest, median and largest of what was read once a second; null when nothing could be read. */
const spread = later(object({ min: v.number(), median: v.number(), max: v.number() }))
const figure = later(v.number())

/** Microseconds by the driver's own counters, in the timed part; null for a reason that it does not count. */
export const throttledMicrosecondsSchema = object({
  hardwareSlowdown: later(v.number()),
  hardwareThermal: later(v.number()),
  powerBrake: later(v.number()),
  softwareThermal: later(v.number()),
  softwarePowerCap: later(v.number()),
})

/** One GPU in the timed part. */
export const gpuTelemetrySchema = object({
  index: count,
  samples: count,
  /** Percent of the time in which some kernel ran: no efficiency. */
  utilization: spread,
  memoryUsedBytes: spread,
  powerWatts: spread,
  temperatureCelsius: spread,
  smClockMhz: spread,
  memoryClockMhz: spread,
  /** Under load: idle links go down to generation 1. */
  pcieGeneration: spread,
  pcieWidth: spread,
  /** Why its clocks were seen held back; empty when they never were, null when the driver does not tell. */
  throttleReasonsSeen: later(list(v.string())),
  throttledMicroseconds: later(throttledMicrosecondsSchema),
  /** Of the driver's energy counter (NVIDIA, Volta and later); never from samples of the power. */
  energyJoules: measured,
  eccCorrected: figure,
  eccUncorrected: figure,
  rowsRemappedCorrected: figure,
  rowsRemappedUncorrected: figure,
  pagesRetiredSingle: figure,
  pagesRetiredDouble: figure,
})

/** What a process beside the run saw in the timed part, once a second, and what counters came to meanwhile. */
export const telemetrySchema = object({
  /** `nvml`, `nvidia-smi`, `amdgpu`, `amd-smi`, `rocm-smi`, `xpu-smi`; null on a host without a GPU. */
  source: later(v.string()),
  intervalSeconds: v.number(),
  samples: count,
  seconds: v.number(),
  gpus: list(gpuTelemetrySchema),
  /** Of all GPUs; null when one of them does not count its energy. */
  energyJoules: measured,
  cpuPercent: spread,
  memoryUsedBytes: spread,
  /** CPU time that others took, with what the hypervisor took, as a share of all CPUs of the host. */
  foreignCpuShare: measured,
  /** Compute processes on the GPUs that are not of this run; null where that cannot be told. */
  foreignGpuProcesses: later(count),
  /** Codes of the Xid errors in the kernel's log; null when it may not be read. */
  xids: later(list(count)),
  /** CPU time of telemetry itself, as a share of one core. */
  ownCpuShare: measured,
  /** Whether `telemetry.csv` had to end before the run. */
  csvTruncated: v.boolean(),
  /**
   * How much longer the steps of the last block were than those of one more block without telemetry, in percent; below 0
   * where that one was slower. Where blocks differ by more, it is their noise.
   */
  overheadPercent: figure,
  /** The steps of that block, in milliseconds. */
  stepMsWithout: later(list(v.number())),
})

export type Telemetry = v.InferOutput<typeof telemetrySchema>
