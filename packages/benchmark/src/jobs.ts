import { messageOf } from '@gpu-actions/action-kit/ports'
import type { JobEnd, RunningJob } from '@gpu-actions/host'
import type { BenchmarkPorts } from './ports.ts'

/** The host programs and the table of telemetry, in the workplace's folder. */
export const programName = 'programs.pyz'
export const telemetryName = 'telemetry.csv'
export const programEnvironment = { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' } as const

/** A cancelled job has seconds to live: what has not ended by then is left to the job's own time limit. */
const cancelPatienceMs = 5_000

/** Follows a job; when that ends early, because of a cancel or a failure, the job is ended too. */
export async function followToItsEnd(
  job: RunningJob,
  ports: BenchmarkPorts,
  hear: (text: string) => void,
): Promise<JobEnd> {
  const { clock, log, signal } = ports
  try {
    return await job.follow(hear, { signal })
  } catch (thrown) {
    if (!signal.aborted) log.warning('The job on the host is out of sight: ending it')
    const waiting = new AbortController()
    const late = clock.sleep(cancelPatienceMs, waiting.signal).then(
      () => log.warning('The job on the host has not ended yet; its own time limit ends it'),
      () => undefined,
    )
    const ended = job
      .cancel()
      .catch((error: unknown) => log.warning(`Ending the job on the host failed: ${messageOf(error)}`))
      .finally(() => waiting.abort())
    await Promise.race([ended, late])
    throw thrown
  }
}

/** Appends to a log file in order, without making whoever writes wait. */
export function keep({ log, records }: BenchmarkPorts, name: string) {
  let written: Promise<void> = Promise.resolve()
  return {
    write(text: string): void {
      written = written
        .then(() => records.appendLog(name, text))
        .catch((error: unknown) => log.warning(`${name} is not whole: ${messageOf(error)}`))
    },
    end: (): Promise<void> => written,
  }
}
