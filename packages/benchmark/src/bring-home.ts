import { messageOf } from '@gpu-actions/action-kit/ports'
import type { Host } from '@gpu-actions/host'
import { telemetryName } from './jobs.ts'
import type { BenchmarkPorts } from './ports.ts'
import type { Workplace } from './python.ts'

/** The table is at most two megabytes. */
const bringHomePatienceMs = 60_000

/** The table of all looks. A run is worth no less without it, so that a failure is only told. */
export async function bringHome(host: Host, { folder }: Workplace, ports: BenchmarkPorts, name: string): Promise<void> {
  const { clock, log, records, signal } = ports
  const waiting = new AbortController()
  const untold = (why: string): undefined => {
    log.debug(`${telemetryName} did not come home: ${why}`)
    return undefined
  }
  const table = host.download(`${folder}/${telemetryName}`).then(
    bytes => new TextDecoder().decode(bytes),
    (error: unknown) => untold(messageOf(error)),
  )
  const late = clock.sleep(bringHomePatienceMs, waiting.signal).then(
    () => untold('it took too long'),
    () => undefined,
  )
  const text = await Promise.race([table, late])
  waiting.abort()
  if (text === undefined || text === '' || signal.aborted) return
  await records
    .appendLog(name, text)
    .catch((error: unknown) => log.warning(`${name} is not whole: ${messageOf(error)}`))
}
