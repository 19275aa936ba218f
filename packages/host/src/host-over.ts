import { downloadOver, uploadOver } from './files.ts'
import type { Host } from './host.ts'
import { jobOver, startOver, type HostPorts } from './jobs.ts'
import type { Transport } from './transport.ts'

/** Makes a host of what can run short scripts on a machine: detached jobs, live output, verified files. */
export const hostOver = (transport: Transport, ports: HostPorts): Host => ({
  name: transport.name,
  run: async (script, options) => {
    const bytes = Buffer.byteLength(script)
    if (bytes > transport.limits.scriptBytes)
      throw new RangeError(`a script of ${bytes} bytes; ${transport.name} takes ${transport.limits.scriptBytes}`)
    const { exitCode, output } = await transport.run(script, options)
    return { exitCode, output }
  },
  start: job => startOver(transport, ports, job),
  job: id => jobOver(transport, ports, id),
  upload: (path, content, options) => uploadOver(transport, ports.clock, path, content, options),
  download: path => downloadOver(transport, ports.clock, path),
})
