import { Agent, createServer, request as send } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StepPlace } from '@gpu-actions/workflow-runner'

/** One call to AWS on its way. */
export interface WireCall {
  /** Whose call it is. */
  readonly from: StepPlace
  readonly operation: string
  /** Of the query protocol; empty for the others. */
  readonly parameters: URLSearchParams
  readonly region: string
  /** Of the reply; null until there is one. */
  status: number | null
  reply: string
}

export interface WireWatch {
  /** Before the cloud sees it. `drop`: the connection is cut and the cloud never sees it. */
  onCall(call: WireCall): Promise<'pass' | 'drop'>
  /** The cloud has carried it out, and its caller does not know yet. */
  onReply(call: WireCall): Promise<void>
}

/** What lies between the steps and the cloud: knows who calls, and lets a drill strike while a call is under way. */
export interface Wire {
  /** What the SDK of one process has to call. */
  endpoint(place: StepPlace): string
  readonly calls: readonly WireCall[]
  /** Resolves when no call is under way, those of dead callers included. */
  idle(): Promise<void>
  stop(): Promise<void>
}

const operationOf = (headers: IncomingMessage['headers'], parameters: URLSearchParams): string =>
  headers['x-amz-target']?.toString().split('.')[1] ?? parameters.get('Action') ?? ''

const regionOf = ({ authorization }: IncomingMessage['headers']): string =>
  /Credential=[^/]+\/\d+\/([^/]+)\//.exec(authorization ?? '')?.[1] ?? ''

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Starts the wire to a cloud. Every call that it lets pass is carried out, whether its caller still lives or not. */
export async function startWire(target: string, watch: WireWatch): Promise<Wire> {
  const agent = new Agent({ keepAlive: true })
  const places: StepPlace[] = []
  const calls: WireCall[] = []
  const underWay = new Set<Promise<void>>()

  const forward = (incoming: IncomingMessage, path: string, body: Buffer): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { host: _, ...headers } = incoming.headers
      const outgoing = send(new URL(path, target), { agent, method: incoming.method, headers }, answer => {
        bodyOf(answer).then(
          content => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content }),
          reject,
        )
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const cut = () => void incoming.socket.destroy()
    const [, index = '', path = '/'] = /^\/from\/(\d+)(\/.*)?$/.exec(incoming.url ?? '') ?? []
    const from = places[Number(index)]
    if (from === undefined) return cut()
    // A caller that died while it was sending has called nobody.
    const body = await bodyOf(incoming).catch(() => null)
    if (body === null) return cut()
    const parameters = new URLSearchParams(incoming.headers['x-amz-target'] === undefined ? body.toString() : undefined)
    const { headers } = incoming
    const call: WireCall = {
      from,
      operation: operationOf(headers, parameters),
      parameters,
      region: regionOf(headers),
      status: null,
      reply: '',
    }
    calls.push(call)
    if ((await watch.onCall(call)) === 'drop') return cut()
    try {
      const reply = await forward(incoming, path, body)
      call.status = reply.status
      call.reply = reply.body.toString()
      await watch.onReply(call)
      outgoing.writeHead(reply.status, reply.headers).end(reply.body)
    } catch {
      // The cloud has cut the connection, as a fault told it to: so do we.
      await watch.onReply(call)
      cut()
    }
  }

  const server = createServer((incoming, outgoing) => {
    const work = handle(incoming, outgoing).finally(() => underWay.delete(work))
    underWay.add(work)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    calls,
    endpoint(place) {
      places.push(place)
      return `http://127.0.0.1:${port}/from/${places.length - 1}`
    },
    async idle() {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
    async stop() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}
