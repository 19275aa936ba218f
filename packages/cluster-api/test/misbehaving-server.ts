import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly method: string
  readonly path: string
  readonly authorization: string
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}

/** What happens to the next request of a path: a reply, or worse. */
export type Event =
  | { readonly code: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** The connection is closed without an answer; `executed`: after the request was carried out. */
  | { readonly cut: true; readonly executed?: () => void }
  /** Never answers. */
  | { readonly silent: true }

export interface MisbehavingServer {
  readonly base: string
  readonly received: readonly Received[]
  /** What happens to the next requests of `GET /path`, in order; the last one stays. */
  on(call: string, ...events: readonly Event[]): void
  /** Ends and starts again on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
  /** How often a call arrived. */
  count(call: string): number
}

const bodyOf = async (request: IncomingMessage): Promise<unknown> => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text === '' ? null : JSON.parse(text)
}

/** A server on 127.0.0.1 that answers 404 unless told otherwise. */
export async function misbehavingServer(): Promise<MisbehavingServer> {
  const received: Received[] = []
  const events = new Map<string, Event[]>()
  let port = 0

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request
    received.push({ method, path, authorization: headers.authorization ?? '', headers, body: await bodyOf(request) })
    const planned = events.get(`${method} ${path}`) ?? []
    const event = (planned.length > 1 ? planned.shift() : planned[0]) ?? { code: 404, body: { message: 'Not Found' } }
    if ('silent' in event) return
    if ('cut' in event) {
      event.executed?.()
      response.destroy()
      return
    }
    const { code, body, headers: more = {} } = event
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    response.writeHead(code, { connection: 'close', ...more }).end(text)
  }

  const make = () => createServer((request, response) => void answer(request, response))
  let server = make()
  const start = (): Promise<void> =>
    new Promise(resolve => {
      server = make()
      server.listen(port, '127.0.0.1', () => {
        port = (server.address() as AddressInfo).port
        resolve()
      })
    })
  const stop = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await start()
  return {
    base: `http://127.0.0.1:${port}`,
    received,
    on: (call, ...planned) => void events.set(call, [...planned]),
    stop,
    start,
    count: call => received.filter(({ method, path }) => `${method} ${path}` === call).length,
  }
}
