import { OutsideFault } from '@gpu-actions/action-kit/ports'
import type { Host, RunOptions } from './host.ts'
import { hostOver } from './host-over.ts'
import { runScript } from './ssh-client.ts'
import { sshConnection, type SshOptions, type SshPorts } from './ssh-connection.ts'
import { passing, SshFailure } from './ssh-faults.ts'
import type { Transport, TransportResult } from './transport.ts'

export interface SshHost extends Host {
  /** Ends the connection and removes key and folder. Jobs go on. Nothing can be run afterwards. */
  close(): Promise<void>
}

const outputBytes = 4 * 1024 * 1024

/**
 * A machine that is reached by the system's own ssh client (OpenSSH 7.6 or later) and serves with OpenSSH. Nothing
 * happens before the first call.
 * @throws RangeError for a host, user or key that cannot be right
 */
export function sshHost(options: SshOptions, ports: SshPorts): SshHost {
  const connection = sshConnection(options, ports)
  const { host, port, user } = connection.circumstances
  const call = async (script: string, input: Uint8Array, { signal, ...rest }: RunOptions): Promise<TransportResult> => {
    const programs = await orAborted(connection.open(), signal)
    const { argv, circumstances } = connection
    const one = { argv, script, input, outputBytes, circumstances }
    return runScript(programs, one, { ...rest, ...(signal ? { signal } : {}) })
  }
  const transport: Transport = {
    name: `${user}@${host}${port === 22 ? '' : ` port ${port}`} over ssh`,
    run: (script, runOptions = {}) => call(script, new Uint8Array(), runOptions),
    feed: (script, input, runOptions = {}) => call(script, input, runOptions),
    limits: { scriptBytes: 100_000, outputBytes, fileBytes: 1024 * 1024 * 1024 },
    folder: '"$HOME"/.cache/gpu-actions',
    units: true,
    pace: { firstMs: 200, maxMs: 2_000, msPerCall: 0, patienceMs: options.patienceMs ?? 180_000 },
    resends: 3,
    // A host that was never reached is rather named wrongly: that is said at once.
    mayPass: failure =>
      connection.wasOpen() &&
      failure instanceof OutsideFault &&
      failure.cause instanceof SshFailure &&
      passing.has(failure.cause.trouble),
  }
  return { ...hostOver(transport, ports), close: () => connection.close() }
}

/** Stops waiting, not the work, when the signal says so. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  let abort = (): void => undefined
  const aborted = new Promise<void>(resolve => {
    abort = resolve
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    await Promise.race([work, aborted])
    signal.throwIfAborted()
    return await work
  } finally {
    signal.removeEventListener('abort', abort)
    work.catch(() => undefined)
  }
}
