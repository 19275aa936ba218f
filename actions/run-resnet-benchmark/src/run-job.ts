import { join } from 'node:path'
import type { ActionContext } from '@gpu-actions/action-kit'
import { formatThroughput, resultOfJob, type JobFrame, type Result, type Status } from '@gpu-actions/benchmark'
import { waitForJob, type ClusterApi, type JobOutcome, type JobReport } from '@gpu-actions/cluster-api'
import { usualSizes, type BenchmarkAction } from './action.ts'
import { clusterPlaceOf } from './place.ts'

type Context = Pick<
  ActionContext<BenchmarkAction['inputs'], BenchmarkAction['outputs']>,
  'inputs' | 'runDirectories' | 'log' | 'clock' | 'signal' | 'setOutput'
>

/** How a job ended, its starting included. */
interface Ended {
  readonly status: Status
  readonly jobId: string | null
  readonly report: JobReport | null
  readonly fault: Error | null
}

/**
 * Runs the benchmark as a job of a cluster, and leaves record and outputs whatever became of it.
 * @throws UserFault, OutsideFault or Cancelled when the job did not complete with a throughput
 */
export async function runJob(context: Context, api: ClusterApi): Promise<void> {
  const { inputs, log, clock, setOutput } = context
  const clusterId = inputs.clusterId ?? ''
  const place = await clusterPlaceOf({ ...inputs, clusterId }, context.runDirectories)
  const records = context.runDirectories.open(place.id)
  const startedAt = clock.now()
  const { stepsPerEpoch = usualSizes.stepsPerEpoch, imageSize = usualSizes.imageSize } = inputs
  const asked: JobFrame['asked'] = {
    epochs: inputs.epochs ?? usualSizes.epochs,
    batchSize: inputs.batchSize ?? usualSizes.batchSize,
    allowCpu: inputs.allowCpu,
    stepsPerEpoch: stepsPerEpoch === usualSizes.stepsPerEpoch ? null : stepsPerEpoch,
    imageSize: imageSize === usualSizes.imageSize ? null : imageSize,
  }
  const { status, jobId, report, fault } = await startAndWait(context, api, clusterId, asked)
  const result = resultOfJob({
    status,
    fault,
    leaseId: place.leaseId,
    host: place.host ?? `a cluster of ${api.host}`,
    asked,
    job: {
      id: jobId,
      clusterId,
      api: api.host,
      status: report?.word ?? null,
      durationSeconds: report?.durationSeconds ?? null,
      exitCode: report?.exitCode ?? null,
    },
    throughput: report?.throughput ?? null,
    startedAt,
    endedAt: clock.now(),
  })
  await records.write('result.json', result)
  setOutput('throughput', result.metrics.throughput)
  for (const unknown of ['throughput-low', 'throughput-high', 'latency-ms', 'device'] as const) setOutput(unknown, null)
  setOutput('duration-seconds', result.job?.durationSeconds ?? null)
  setOutput('valid', result.validity.valid)
  setOutput('result-path', join(records.path, 'result.json'))
  if (jobId !== null && (status === 'cancelled' || status === 'timed-out'))
    log.warning(
      `Job ${jobId} was not cancelled: the cluster API has no call for that. It goes on until it ends by itself, its agent's own time limit ends it, or its machine ends; teardown ends machine and cluster.`,
    )
  if (fault !== null) throw fault
  log.notice(inOneSentence(result))
  for (const reason of result.validity.reasons) log.info(reason)
}

/** Starts the job and waits for its end. Never rejects: the record comes first. */
async function startAndWait(
  { inputs, log, clock, signal, setOutput }: Context,
  api: ClusterApi,
  clusterId: string,
  asked: JobFrame['asked'],
): Promise<Ended> {
  let jobId: string | null = null
  try {
    signal.throwIfAborted()
    const { epochs, batchSize, stepsPerEpoch, imageSize, allowCpu } = asked
    const more = {
      stepsPerEpoch: stepsPerEpoch ?? undefined,
      imageSize: imageSize ?? undefined,
      allowCpu: allowCpu ? true : undefined,
    }
    jobId = await api.startJob(clusterId, { epochs, batchSize, more }, { signal })
    setOutput('job-id', jobId)
    log.info(`Job ${jobId} is started through ${api.host}: epochs ${epochs}, batch size ${batchSize}.`)
    const ports = { clock, log }
    const ended: JobOutcome = await waitForJob(api, { clusterId, id: jobId }, ports, {
      timeoutMs: inputs.timeout,
      signal,
    })
    return { jobId, ...ended }
  } catch (thrown) {
    const fault = thrown instanceof Error ? thrown : new Error(String(thrown))
    return { status: signal.aborted ? 'cancelled' : 'failed', jobId, report: null, fault }
  }
}

/** What was measured, and where. */
function inOneSentence({ workload, metrics, host }: Result): string {
  const { throughput } = metrics
  const speed = throughput === null ? 'no throughput' : `${formatThroughput(throughput)} images/s`
  return `ResNet-50 as a job of a cluster: ${speed} on ${host}, batch ${workload.asked.batchSize}, epochs ${workload.asked.epochs}`
}
