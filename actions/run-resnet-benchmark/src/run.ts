import { join } from 'node:path'
import type { ActionContext } from '@gpu-actions/action-kit'
import { formatThroughput, runBenchmark, type Result } from '@gpu-actions/benchmark'
import type { Host } from '@gpu-actions/host'
import type { BenchmarkAction } from './action.ts'
import { placeOf } from './place.ts'

type Context = ActionContext<BenchmarkAction['inputs'], BenchmarkAction['outputs']>

/**
 * Measures the host, and leaves record and outputs whatever became of it.
 * @param program the host programs, a zipapp
 * @throws UserFault, OutsideFault or Cancelled when the run did not complete
 */
export async function run(
  context: Pick<Context, 'inputs' | 'runDirectories' | 'log' | 'clock' | 'signal' | 'setOutput'>,
  host: Host,
  program: Uint8Array,
): Promise<void> {
  const { inputs, log, clock, signal, setOutput } = context
  const place = await placeOf(inputs, context.runDirectories)
  const records = context.runDirectories.open(place.id)
  const pytorch = inputs.pytorch === 'image' ? undefined : inputs.pytorch
  const wish = { ...inputs, pytorch, timeoutMs: inputs.timeout }
  const { result, fault } = await runBenchmark(host, program, wish, { clock, log, records, signal }, place)
  await records.write('result.json', result)
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
  log.notice(inOneSentence(result))
  if (!result.validity.valid) log.warning(['The figures should not be used:', ...result.validity.reasons].join('\n'))
}

/** Six digits are more than any interval has; the record keeps them all. */
const figure = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(6)))

/** What was measured, where, and with which doubt. */
export function inOneSentence({ device, workload, metrics }: Result): string {
  const { mode, batchSize, imageSize, precision } = workload.actual ?? workload.asked
  const { throughput, throughputLow, throughputHigh } = metrics
  const speed = throughput === null ? 'no throughput' : `${formatThroughput(throughput)} images/s`
  const interval =
    throughputLow === null || throughputHigh === null
      ? ''
      : ` [${formatThroughput(throughputLow)}, ${formatThroughput(throughputHigh)}]`
  const where = device === 'cpu' ? 'the CPU (device: cpu)' : (device ?? 'an unknown device')
  return `ResNet-50 ${mode === 'train' ? 'training' : 'inference'}: ${speed}${interval} on ${where}, ${precision}, batch ${batchSize}, ${imageSize} px`
}
