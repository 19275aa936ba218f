import type { Block, Result, Status } from '../result.ts'

/** Microseconds for which the GPU held its clocks back during the timed part: counters after minus before. */
export interface ThrottledMicroseconds {
  readonly hardwareSlowdown: number | null
  readonly hardwareThermal: number | null
  readonly powerBrake: number | null
  readonly softwareThermal: number | null
  /** Expected on T4, L4, A100 and H100: reported, never a doubt. */
  readonly softwarePowerCap: number | null
}

/** What went on around a run. null: not known, which is no doubt by itself. */
export interface Conditions {
  readonly backend: Result['backend']
  /** Seconds of the timed part. */
  readonly timedSeconds: number | null
  /** Of the worst GPU. */
  readonly throttled: ThrottledMicroseconds | null
  /** Uncorrected memory errors that came up during the timed part, all GPUs. */
  readonly eccUncorrected: number | null
  /** Xid errors that the kernel logged during the timed part. */
  readonly xids: readonly number[] | null
  /** Compute processes on the GPU that are not ours. */
  readonly foreignGpuProcesses: number | null
  /** CPU time that others took during the timed part, as a share of all CPUs of the host; with what was stolen. */
  readonly foreignCpuShare: number | null
  /** The spot machine was to be taken back while the run went on. */
  readonly spotNotice: boolean
}

export const unknownConditions: Conditions = {
  backend: null,
  timedSeconds: null,
  throttled: null,
  eccUncorrected: null,
  xids: null,
  foreignGpuProcesses: null,
  foreignCpuShare: null,
  spotNotice: false,
}

/** All that a validity rule may look at. */
export interface RunToJudge {
  readonly status: Status
  readonly mode: 'train' | 'inference'
  readonly blocks: readonly Block[]
  readonly conditions: Conditions
}

/** One sentence of a driver's counters, as `result.notices.throttled` has it. */
export interface ThrottleNotice {
  readonly reason: 'hardware_slowdown' | 'hardware_thermal' | 'power_brake' | 'software_thermal' | 'software_power_cap'
  /** null: seen, but for how long is not known. */
  readonly microseconds: number | null
}

/** The worst GPU's throttling by reason; a reason that nobody noticed is null. */
export function throttledOf(notices: readonly ThrottleNotice[]): ThrottledMicroseconds {
  const worst = (reason: ThrottleNotice['reason']): number | null => {
    const seen = notices.flatMap(notice => (notice.reason === reason ? (notice.microseconds ?? []) : []))
    return seen.length === 0 ? null : Math.max(...seen)
  }
  return {
    hardwareSlowdown: worst('hardware_slowdown'),
    hardwareThermal: worst('hardware_thermal'),
    powerBrake: worst('power_brake'),
    softwareThermal: worst('software_thermal'),
    softwarePowerCap: worst('software_power_cap'),
  }
}
