import { join } from 'node:path'
import type { ActionContext, Records } from '@gpu-actions/action-kit'
import {
  formatThroughput,
  furtherRuns,
  preflightOf,
  runBenchmark,
  sizesOf,
  type BenchmarkWish,
  type Result,
} from '@gpu-actions/benchmark'
import { recordUse } from '@gpu-actions/lease'
import type { BenchmarkAction } from './action.ts'
import type { OpenedHost } from './hosts.ts'
import { placeOf } from './place.ts'

type Context = ActionContext<BenchmarkAction['inputs'], BenchmarkAction['outputs']>

/**
 * Measures the host, and leaves record and outputs whatever became of it.
 * @param program the host programs, a zipapp
 * @throws UserFault, OutsideFault or Cancelled when the run did not complete
 */
export async function run(
  context: Pick<Context, 'inputs' | 'runDirectories' | 'log' | 'clock' | 'signal' | 'setOutput'> & {
    readonly run?: Pick<Context['run'], 'sha'>
  },
  { host, takenBack }: Pick<OpenedHost, 'host' | 'takenBack'>,
  program: Uint8Array,
): Promise<void> {
  const { inputs, log, clock, signal, setOutput } = context
  const place = await placeOf(inputs, context.runDirectories)
  const records = context.runDirectories.open(place.id)
  const ports = { clock, log, records, signal, ...(takenBack === undefined ? {} : { takenBack }) }
  const wish = wishOf(inputs, context.run?.sha)
  const { result, fault } = await runBenchmark(host, program, wish, ports, place)
  await records.write('result.json', result)
  await noteUse(records, result)
  const { metrics } = result
  setOutput('throughput', figure(metrics.throughput))
  setOutput('throughput-low', figure(metrics.throughputLow))
  setOutput('throughput-high', figure(metrics.throughputHigh))
  setOutput('latency-ms', figure(metrics.latencyMs))
  setOutput('duration-seconds', figure(metrics.durationSeconds))
  setOutput('valid', result.validity.valid)
  setOutput('device', result.device)
  setOutput('result-path', join(records.path, 'result.json'))
  if (fault !== null) throw fault
  tell(result, log)
  for (const { name, asked } of furtherRuns(inputs.profile, wish)) {
    log.info(`Profile ${inputs.profile}: now ${name}`)
    const further = await runBenchmark(host, program, { ...wish, ...asked, preflight: undefined }, ports, {
      ...place,
      telemetryLog: `telemetry-${name}.csv`,
    })
    await records.write(`result-${name}.json`, further.result)
    await noteUse(records, further.result)
    if (further.fault !== null) throw further.fault
    tell(further.result, log)
  }
}

/** For the receipt of the lease: time in which nothing was measured is waste. */
async function noteUse(records: Records, { blocks, startedAt, endedAt }: Result): Promise<void> {
  if (blocks.length > 0) await recordUse(records, { by: 'run-resnet-benchmark', startedAt, endedAt })
}

/** What the inputs ask for; sizes that they leave open are the profile's. */
function wishOf(inputs: Context['inputs'], sha: string | undefined): BenchmarkWish {
  const { epochs, stepsPerEpoch, batchSize, imageSize } = inputs
  const { sizes, onCpu } = sizesOf(inputs.profile, { epochs, stepsPerEpoch, batchSize, imageSize })
  return {
    ...sizes,
    onCpu,
    mode: inputs.mode,
    precision: inputs.precision,
    memoryFormat: inputs.memoryFormat,
    compile: inputs.compile,
    gpus: inputs.gpus === 'all' ? 'all' : Number(inputs.gpus),
    allowCpu: inputs.allowCpu,
    commit: /^[0-9a-f]{40,64}$/.test(sha ?? '') ? sha : undefined,
    preflight: preflightOf(inputs.profile, inputs.preflight),
    python: inputs.python,
    pytorch: inputs.pytorch === 'image' ? undefined : inputs.pytorch,
    timeoutMs: inputs.timeout,
  }
}

function tell(result: Result, log: Context['log']): void {
  log.notice(inOneSentence(result))
  if (!result.validity.valid) log.warning(['The figures should not be used:', ...result.validity.reasons].join('\n'))
}

/** Six digits are more than any interval has; the record keeps them all. */
const figure = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(6)))

/** What was measured, where, and with which doubt. */
export function inOneSentence({ device, workload, metrics, scaling }: Result): string {
  const { mode, batchSize, imageSize, precision } = workload.actual ?? workload.asked
  const compiled = workload.asked.compile === true ? ', compiled' : ''
  const together =
    scaling === null
      ? ''
      : ` × ${scaling.perGpu.length}${scaling.efficiency === null ? '' : ` (scaling efficiency ${(scaling.efficiency * 100).toFixed(0)} %)`}`
  const { throughput, throughputLow, throughputHigh } = metrics
  const speed = throughput === null ? 'no throughput' : `${formatThroughput(throughput)} images/s`
  const interval =
    throughputLow === null || throughputHigh === null
      ? ''
      : ` [${formatThroughput(throughputLow)}, ${formatThroughput(throughputHigh)}]`
  const where = device === 'cpu' ? 'the CPU (device: cpu)' : (device ?? 'an unknown device')
  return `ResNet-50 ${mode === 'train' ? 'training' : 'inference'}: ${speed}${interval} on ${where}${together}, ${precision}${compiled}, batch ${batchSize}, ${imageSize} px`
}
