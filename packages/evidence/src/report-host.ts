import type { Preflight, Result, Telemetry } from '@gpu-actions/benchmark'
import { secondsWords } from './facts.ts'
import { cell, dash, figure, limited, plain, table } from './markdown.ts'

/** What the host said of itself before and while it was measured, and how its GPUs shared the work. */

type Spread = Telemetry['gpus'][number]['powerWatts']

const percent = (share: number | null): string => (share === null ? dash : `${figure(share * 100, 3)} %`)

/** `212.0 (198.4 to 221.3)`: the median, and the range of all looks. */
const spreadWords = (spread: Spread, unit = 1): string =>
  spread === null
    ? dash
    : `${figure(spread.median / unit, 3)} (${figure(spread.min / unit, 3)} to ${figure(spread.max / unit, 3)})`

/** Codes or reasons that were seen: a dash when nobody could look, `none` when nothing was there. */
const seen = (found: readonly (string | number)[] | null): string =>
  found === null ? dash : found.length === 0 ? 'none' : found.map(cell).join(', ')

export function preflightPart(preflight: Preflight | null): string {
  if (preflight === null) return ''
  const { checks } = preflight
  const passed = checks.filter(check => check.status === 'pass').length
  const line = `Outcome: ${plain(preflight.status)} (level ${plain(preflight.level)}, ${secondsWords(preflight.seconds)}): ${passed} of ${checks.length} checks passed.`
  const others = checks.filter(check => check.status !== 'pass')
  if (others.length === 0) return `## Preflight\n\n${line}`
  const rows = limited(
    others.map(({ name, gpu, status, reason, signal, threshold, source }) =>
      [name, gpu, status, reason, signal, threshold, source].map(cell),
    ),
  )
  return `## Preflight\n\n${line}\n\n${table([['check', 'GPU', 'status', 'reason', 'read', 'wanted', 'source'], ...rows])}`
}

export function telemetryPart(telemetry: Telemetry | null): string {
  if (telemetry === null) return ''
  const host = table([
    ['in the timed part', 'value'],
    ['looks', `${telemetry.samples} in ${secondsWords(telemetry.seconds)}, source ${cell(telemetry.source)}`],
    ['CPU of the host, %', spreadWords(telemetry.cpuPercent)],
    ['memory of the host, GiB', spreadWords(telemetry.memoryUsedBytes, 2 ** 30)],
    ["others' share of the CPUs", percent(telemetry.foreignCpuShare)],
    ["others' processes on the GPUs", cell(telemetry.foreignGpuProcesses)],
    ['Xids', seen(telemetry.xids)],
    ['energy of all GPUs', telemetry.energyJoules === null ? dash : `${figure(telemetry.energyJoules)} J`],
    ['telemetry itself, of one core', percent(telemetry.ownCpuShare)],
  ])
  return ['## Telemetry', host, gpuTable(telemetry)].filter(part => part !== '').join('\n\n')
}

/** Medians with the range of the looks; throttling in milliseconds by the driver's counters. */
function gpuTable({ gpus }: Telemetry): string {
  if (gpus.length === 0) return ''
  const rows = limited(
    gpus.map(gpu => [
      cell(gpu.index),
      spreadWords(gpu.utilization),
      spreadWords(gpu.memoryUsedBytes, 2 ** 30),
      spreadWords(gpu.powerWatts),
      spreadWords(gpu.temperatureCelsius),
      spreadWords(gpu.smClockMhz),
      spreadWords(gpu.pcieGeneration),
      seen(gpu.throttleReasonsSeen),
      throttledMs(gpu.throttledMicroseconds),
      cell(gpu.eccUncorrected),
    ]),
  )
  const header = ['GPU', 'busy, %', 'memory, GiB', 'power, W', '°C', 'SM clock, MHz', 'PCIe', 'held back by', 'heat or brake, ms', 'ECC errors'] // prettier-ignore
  return table([header, ...rows])
}

/** Without the power cap, at which healthy GPUs run. null where no counter is known. */
function throttledMs(counted: Telemetry['gpus'][number]['throttledMicroseconds']): string {
  const { hardwareSlowdown, hardwareThermal, powerBrake, softwareThermal } = counted ?? {}
  // They overlap (the hardware's slowdown holds its heat and its brake): the longest, not the sum.
  const known = [hardwareSlowdown, hardwareThermal, powerBrake, softwareThermal].filter(one => typeof one === 'number')
  return known.length === 0 ? dash : figure(Math.max(...known) / 1000, 3)
}

export function scalingPart({ scaling, ranks }: Result): string {
  if (scaling === null) return ''
  const { perGpu, alone, efficiency, sameParameters } = scaling
  const devices = new Map((ranks ?? []).map(({ rank, device }) => [rank, device]))
  const rows = limited(perGpu.map((each, rank) => [String(rank), cell(devices.get(rank)), figure(each)]))
  const same = sameParameters === null ? dash : sameParameters ? 'yes' : '**no**'
  const facts = table([
    ['several GPUs', 'value'],
    ['the first alone', alone === null ? dash : `${figure(alone)} images/s`],
    ['scaling efficiency', percent(efficiency)],
    ['same parameters on all', same],
  ])
  return ['## Scaling', facts, table([['rank', 'device', 'images/s'], ...rows])].join('\n\n')
}

/** Rows for the table of the benchmark: what stands beside the timed part, where there is such a thing. */
export function besideRows({ firstStep, sanity, interrupted }: Result): readonly (readonly string[])[] {
  const [first, last] = [sanity?.losses.at(0), sanity?.losses.at(-1)]
  return [
    ...(firstStep === null ? [] : [['first step, with the model built', secondsWords(firstStep.seconds)]]),
    ...(firstStep === null || firstStep.compileSeconds === null
      ? []
      : [['compile', `${secondsWords(firstStep.compileSeconds)}, ${cell(firstStep.graphs)} graphs`]]),
    ...(sanity === null
      ? []
      : [['training on one batch', `loss ${figure(first)} → ${figure(last)} in ${sanity.losses.length} steps`]]),
    ...(interrupted === null
      ? []
      : [['interrupted', `${cell(interrupted.action)} at ${cell(interrupted.time)}, by ${interrupted.source === 'notice' ? 'notice' : 'the reason of its end'}`]]), // prettier-ignore
  ]
}
