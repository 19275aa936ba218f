import { connect, createServer, type Socket } from 'node:net'

/** A proxy on 127.0.0.1 that breaks connections on demand. */
export interface CuttingProxy {
  readonly port: number
  /** How many connections it has taken so far. */
  readonly taken: () => number
  /** Cuts all connections; new ones are taken. */
  cut(): void
  /** Cuts all connections as soon as so many bytes more went to the server. */
  cutAfter(bytes: number): void
  /** Holds everything back, or lets it go on: as when packets are lost on the way. */
  hold(held: boolean): void
  /** Refuses new connections and cuts the present ones, or takes them again. */
  refuse(refused: boolean): Promise<void>
  stop(): Promise<void>
}

export async function startProxy(target: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let [taken, held, left] = [0, false, Infinity]
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const server = createServer({ pauseOnConnect: true }, near => {
    taken++
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('data', chunk => {
        if (from === near) left -= chunk.length
        if (left < 0) {
          left = Infinity
          cut()
          return
        }
        if (!to.write(chunk)) {
          from.pause()
          to.once('drain', () => held || from.resume())
        }
      })
      if (held) from.pause()
      else from.resume()
    }
  })
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      cut()
    })
  const port = await listen(0)
  return {
    port,
    taken: () => taken,
    cut,
    cutAfter: bytes => void (left = bytes),
    hold: wanted => {
      held = wanted
      for (const socket of sockets) {
        if (held) socket.pause()
        else socket.resume()
      }
    },
    refuse: async wanted => {
      if (wanted) await close()
      else await listen(port)
    },
    stop: async () => {
      if (server.listening) await close()
      else cut()
    },
  }
}
