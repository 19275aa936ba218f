import { inWords } from './outcome.ts'
import type { Asked, ClusterJob, Result, Status } from './result.ts'

/** A job of a cluster, from the asking to its end. Times in milliseconds since the epoch. */
export interface JobFrame {
  readonly status: Status
  readonly fault: Error | null
  readonly leaseId: string | null
  /** For a person: the machine, or the cluster. */
  readonly host: string
  /** Sizes that the job was not told are null. */
  readonly asked: Pick<Asked, 'epochs' | 'batchSize' | 'allowCpu'> & {
    readonly stepsPerEpoch: number | null
    readonly imageSize: number | null
  }
  readonly job: ClusterJob
  /** Images per second, as the API tells it. */
  readonly throughput: number | null
  readonly startedAt: number
  readonly endedAt: number
}

/** The kind of job that agents know. */
const workload = 'resnet50_benchmark'

const unjudged =
  'The cluster API tells one throughput of a job and no step times: there is no interval, and whether the run was steady cannot be judged. `target: host` measures it block by block.'

/**
 * The record of a cluster's job: what its API tells, and null for all else. A throughput alone is neither proved nor
 * doubted, so a job that ended well is not judged.
 */
export function resultOfJob(frame: JobFrame): Result {
  const { status, fault, asked, job } = frame
  const completed = status === 'completed'
  return {
    schema: 'gpu-actions/result@1',
    status,
    leaseId: frame.leaseId,
    host: frame.host,
    device: null,
    backend: null,
    workload: {
      name: workload,
      version: null,
      asked: { mode: 'train', ...asked, precision: null, memoryFormat: null, compile: null, gpus: null },
      actual: null,
    },
    job,
    environment: null,
    flags: null,
    clock: null,
    optimizer: null,
    firstStep: null,
    sanity: null,
    warmup: null,
    blocks: [],
    alone: null,
    ranks: null,
    scaling: null,
    batchHalvings: [],
    metrics: {
      throughput: completed ? frame.throughput : null,
      throughputLow: null,
      throughputHigh: null,
      latencyMs: null,
      durationSeconds: null,
      images: null,
      peakMemoryBytes: null,
    },
    preflight: null,
    telemetry: null,
    interrupted: null,
    notices: { throttled: [], xids: [] },
    validity: completed
      ? { valid: null, reasons: [unjudged] }
      : { valid: false, reasons: [`The run did not complete (${status}).`] },
    error: fault === null ? null : inWords(fault),
    setupSeconds: null,
    startedAt: new Date(frame.startedAt).toISOString(),
    endedAt: new Date(frame.endedAt).toISOString(),
  }
}
