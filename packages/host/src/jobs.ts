import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { formatDuration, messageOf, OutsideFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import type { HostJob, JobEnd, RunningJob } from './host.ts'
import { cancelScript, lookScript, startScript, type JobPlace } from './job-scripts.ts'
import { sendOver } from './sending.ts'
import type { Transport } from './transport.ts'

/** What the logic of a host takes from outside. */
export interface HostPorts {
  readonly clock: Clock
  readonly log: Pick<Log, 'warning' | 'debug'>
}

/** How long a started job may take until its supervisor runs, in milliseconds. */
const beginMs = 30_000
/** Time limit of a look, in milliseconds. */
const lookMs = 20_000
/** Room in a reply for its first line. */
const headBytes = 80

/** Bytes that fit into a reply of this size as base64 of gzip, even when they cannot be compressed. */
export const bytesFor = (replyBytes: number): number => Math.floor(replyBytes * 0.75 * 0.999) - 64

/** A reply of this size is big enough without trying what compression may win: each try costs the host time. */
const bigReplyBytes = 1_000_000

/** How many bytes a look tries to bring, the most first. */
const sizesFor = (least: number): readonly number[] =>
  [...(least < bigReplyBytes ? [16, 4] : []), 1.3, 1].map(times => Math.floor(least * times))

interface Look {
  /** The state's words, as the supervisor or the look wrote them: `running`, `exited 3`. */
  readonly state: string
  /** Bytes that the job has printed so far. */
  readonly size: number
  /** The next bytes of its output. */
  readonly bytes: Uint8Array
  readonly calls: number
}

const reply = /^look: ([a-z-]+(?: \d+)?) (\d+)\n(?:([A-Za-z0-9+/=]+)\n?)?$/m

async function look(transport: Transport, place: JobPlace, offset: number, signal?: AbortSignal): Promise<Look> {
  const replyBytes = transport.limits.outputBytes - headBytes
  const least = bytesFor(replyBytes)
  const script = lookScript(place, offset, sizesFor(least), replyBytes)
  const result = await transport.run(script, { timeoutMs: lookMs, ...(signal ? { signal } : {}) })
  const found = reply.exec(result.output)
  const bytes = unpack(found?.[3] ?? '')
  if (result.exitCode !== 0 || found === null || bytes === undefined)
    throw new OutsideFault({
      what: `Looking at job ${place.id} on ${transport.name} failed: ${result.output.slice(0, 300).trim() || `exit code ${result.exitCode}`}`,
      advice: 'See whether the disk of the machine is full and whether it has gzip, base64, head and tail.',
    })
  const [, state = '', size = '0'] = found
  return { state, size: Number(size), bytes, calls: result.calls ?? 0 }
}

/** @returns undefined when the text was damaged on its way */
function unpack(base64: string): Uint8Array | undefined {
  if (base64 === '') return new Uint8Array()
  try {
    return gunzipSync(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}

/** @returns how the job ended, or undefined while it runs */
function endOf(state: string, host: string): JobEnd | undefined {
  const exited = /^exited (\d+)$/.exec(state)
  if (exited !== null) return { how: 'exited', exitCode: Number(exited[1]) }
  switch (state) {
    case 'timed-out':
    case 'cancelled':
      return { how: state }
    case 'stopped':
      return { how: 'lost', reason: `something else on ${host} stopped it, such as a shutdown, or for want of memory` }
    case 'dead':
      return { how: 'lost', reason: `its supervisor on ${host} was killed, perhaps for want of memory` }
    case 'rebooted':
      return { how: 'lost', reason: `${host} was rebooted while it ran` }
    case 'missing':
      return { how: 'lost', reason: `${host} knows no such job` }
    default:
      return undefined
  }
}

/**
 * When to look again, in milliseconds after the last look began. Often at first; for a job older than five minutes a
 * little less often, because a lease of 20 minutes is to stay within 200 calls of the cloud.
 */
export function lookInterval(pace: Transport['pace'], ageMs: number, calls: number): number {
  const wanted = Math.max(pace.firstMs, ageMs / 2)
  if (wanted < pace.maxMs) return wanted
  return Math.max(pace.maxMs, calls * pace.msPerCall, Math.min(ageMs / 20, (pace.maxMs * 4) / 3))
}

interface Following {
  readonly transport: Transport
  readonly place: JobPlace
  readonly ports: HostPorts
  readonly onOutput: (text: string) => void
  readonly signal?: AbortSignal
}

async function follow(f: Following): Promise<JobEnd> {
  const { transport, place, ports } = f
  const { clock } = ports
  // Keeps the first bytes of a character until its rest has come.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const tell = (text: string): void => {
    if (text !== '') f.onOutput(text)
  }
  const began = clock.now()
  let seen = began
  let warned = false
  for (let offset = 0; ;) {
    f.signal?.throwIfAborted()
    const at = clock.now()
    let calls = 0
    try {
      const found = await look(transport, place, offset, f.signal)
      calls = found.calls
      offset += found.bytes.length
      tell(decoder.decode(found.bytes, { stream: true }))
      if (found.bytes.length > 0 && offset < found.size) continue
      const end = endOf(found.state, transport.name)
      if (end !== undefined) {
        tell(decoder.decode())
        return end
      }
      if (found.state === 'starting' && at - began > beginMs)
        return { how: 'lost', reason: `it never began on ${transport.name}` }
      seen = clock.now()
      warned = false
    } catch (failure) {
      f.signal?.throwIfAborted()
      if (!transport.mayPass(failure)) throw failure
      const silent = clock.now() - seen
      if (silent >= transport.pace.patienceMs)
        return {
          how: 'lost',
          reason: `${transport.name} did not answer for ${formatDuration(silent)}: ${messageOf(failure)}`,
        }
      if (!warned) ports.log.warning(`${messageOf(failure)}. The job goes on; looking again.`)
      warned = true
    }
    const pause = lookInterval(transport.pace, clock.now() - began, calls) - (clock.now() - at)
    await clock.sleep(Math.max(pause, 0), f.signal)
  }
}

/** A job on the machine, running or not. */
export function jobOver(transport: Transport, ports: HostPorts, id: string): RunningJob {
  const place: JobPlace = { id, folder: transport.folder }
  return {
    id,
    follow: (onOutput, options = {}) => follow({ transport, place, ports, onOutput, ...options }),
    cancel: async () => {
      const { exitCode, output } = await sendOver(transport, ports.clock, cancelScript(place), { timeoutMs: 60_000 })
      if (exitCode === 0) return
      throw new OutsideFault({
        what: `Ending job ${id} on ${transport.name} failed: ${output.slice(0, 300).trim() || `exit code ${exitCode}`}`,
        advice: 'Terminating the machine ends the job.',
      })
    },
  }
}

/** Starts a job over a transport. */
export async function startOver(transport: Transport, ports: HostPorts, job: HostJob): Promise<RunningJob> {
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(job.name)) throw new RangeError(`not a name for a job: ${job.name}`)
  const id = `${job.name}-${randomBytes(6).toString('hex')}`
  const script = startScript({ id, folder: transport.folder }, job, transport.units)
  const bytes = Buffer.byteLength(script)
  if (bytes > transport.limits.scriptBytes)
    throw new OutsideFault({
      what: `Job ${job.name} does not fit into one script for ${transport.name}: ${bytes} bytes of at most ${transport.limits.scriptBytes}`,
      advice: 'Upload what it needs as a file, and pass the path.',
    })
  const { exitCode, output } = await sendOver(transport, ports.clock, script, { timeoutMs: 60_000 })
  if (exitCode !== 0)
    throw new OutsideFault({
      what: `Starting job ${job.name} on ${transport.name} failed: ${output.slice(0, 300).trim() || `exit code ${exitCode}`}`,
      advice: 'See whether the disk of the machine is full or read-only.',
    })
  return jobOver(transport, ports, id)
}
