import * as v from 'valibot'
import { count, later, list, object } from './raw.ts'

/** Longest text taken from a host into a record or a sentence. */
const longest = 2000

/** Text of a host on one line, without control characters, cut to a sane length: it ends up in logs and records. */
export const words = v.pipe(
  v.string(),
  v.transform(text =>
    text
      .replace(/\p{Cc}+/gu, ' ')
      .trim()
      .slice(0, longest),
  ),
)

const moment = v.pipe(v.string(), v.isoTimestamp())

/** Why a GPU held its clocks back, as its driver counts it. */
export const throttleReasons = [
  'hardware_slowdown',
  'hardware_thermal',
  'power_brake',
  'software_thermal',
  'software_power_cap',
] as const

export const throttledEntries = {
  at: moment,
  gpu: v.nullable(count),
  reason: v.picklist(throttleReasons),
  /** For how long in the timed part; null when it was only seen. */
  microseconds: v.nullable(count),
}

export const xidEntries = {
  at: moment,
  /** As the kernel names it, such as a PCI address. */
  gpu: v.nullable(words),
  code: count,
  message: v.nullable(words),
}

/** `action`: `terminate`, `stop` or `hibernate`; `time`: when, in UTC. */
export const spotNoticeEntries = { action: words, time: v.nullable(words) }

export const interruptionSchema = object({
  ...spotNoticeEntries,
  /** `notice`: the host heard of it; `state-reason`: the cloud says so of the ended machine. */
  source: v.picklist(['notice', 'state-reason']),
})

export const noticesSchema = object({
  throttled: list(object(throttledEntries)),
  xids: list(object(xidEntries)),
})

export type Interruption = v.InferOutput<typeof interruptionSchema>
export type Notices = v.InferOutput<typeof noticesSchema>

const figure = later(v.number())

/** One look at the host. What could not be read is null. */
export const telemetryEntries = {
  at: moment,
  gpus: list(
    object({
      index: count,
      /** Percent of the time in which some kernel ran: no efficiency. */
      utilization: figure,
      memoryUsedBytes: figure,
      powerWatts: figure,
      temperatureCelsius: figure,
      smClockMhz: figure,
      memoryClockMhz: figure,
      pcieGeneration: figure,
      pcieWidth: figure,
    }),
  ),
  cpuPercent: figure,
  memoryUsedBytes: figure,
}
