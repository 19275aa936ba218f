import { isSuccess } from './dialect.ts'
import { apiFault, neverSent, type Trouble } from './faults.ts'
import type { RequestPorts } from './requests.ts'

/**
 * Whether something that is no server in trouble answers at the base. It sends no token, and any answer but 5xx will
 * do: what the health page says is not documented.
 * @throws ApiFault
 */
export async function checkHealth(
  ports: Omit<RequestPorts, 'token'>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { clock, dialect } = ports
  let trouble: Trouble | undefined
  for (let attempt = 1; attempt <= 3; attempt++) {
    if (attempt > 1) await clock.sleep(1_000 * attempt * (0.75 + clock.random() / 2), signal)
    for (const path of dialect.paths.health) {
      const found = await probe(ports, path, signal)
      if (found === null || (found.kind === 'answered' && found.code < 500)) return
      trouble = found
    }
  }
  if (trouble !== undefined)
    throw apiFault(new URL(ports.base).host, 'Asking for the health of the cluster API', trouble, false)
}

async function probe(
  ports: Omit<RequestPorts, 'token'>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Trouble | null> {
  const limit = AbortSignal.timeout(ports.requestMs)
  try {
    const response = await ports.fetch(ports.base + path, {
      redirect: 'manual',
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    })
    await response.body?.cancel()
    return isSuccess(ports.dialect, response.status) ? null : { kind: 'answered', code: response.status, message: '' }
  } catch (cause) {
    signal?.throwIfAborted()
    return { kind: 'transport', cause, never: neverSent(cause) }
  }
}
