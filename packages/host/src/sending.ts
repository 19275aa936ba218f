import type { Clock } from '@gpu-actions/action-kit/ports'
import type { RunOptions } from './host.ts'
import type { Transport, TransportResult } from './transport.ts'

/**
 * Sends a script that does the same when it runs twice, again when a failure may pass: after one, two, four … seconds.
 * @param input what the script reads from its standard input; only for a transport that feeds scripts
 * @throws the last failure
 */
export async function sendOver(
  transport: Transport,
  clock: Pick<Clock, 'sleep'>,
  script: string,
  options: RunOptions & { readonly input?: Uint8Array },
): Promise<TransportResult> {
  const { input, ...rest } = options
  for (let sent = 0; ; sent++) {
    try {
      if (input === undefined || transport.feed === undefined) return await transport.run(script, rest)
      return await transport.feed(script, input, rest)
    } catch (failure) {
      options.signal?.throwIfAborted()
      if (sent >= (transport.resends ?? 0) || !transport.mayPass(failure)) throw failure
      await clock.sleep(1_000 * 2 ** sent, options.signal)
    }
  }
}
