import type { Host, JobEnd } from '@gpu-actions/host'
import { lineReader, type EventOf, type Line } from './events.ts'
import { followToItsEnd, keep, programEnvironment, programName } from './jobs.ts'
import type { BenchmarkPorts } from './ports.ts'
import { tellPreflight, type Preflight, type PreflightWish } from './preflight.ts'
import type { Workplace } from './python.ts'
import type { BenchmarkWish } from './wish.ts'

const preflightLogName = 'preflight.log'

/** A first import of PyTorch, and the makers' own diagnoses, may take their time. */
const preflightLimitMs = { quick: 15 * 60_000, all: 30 * 60_000 } as const

/**
 * Checks the host before anything is timed.
 * @returns null when the checks came to no end, which is told; with `require` that is the end of the run
 */
export async function checkFirst(
  host: Host,
  wish: BenchmarkWish,
  { level }: PreflightWish,
  ports: BenchmarkPorts,
  { python, folder }: Workplace,
): Promise<Preflight | null> {
  const { log, signal } = ports
  signal.throwIfAborted()
  log.info(`Checking ${host.name} first (${level})`)
  const job = await host.start({
    name: 'preflight',
    command: [
      python,
      `${folder}/${programName}`,
      'preflight',
      '--level',
      level,
      ...(wish.allowCpu ? ['--allow-cpu'] : []),
    ],
    environment: programEnvironment,
    timeoutMs: preflightLimitMs[level],
  })
  const keeper = keep(ports, preflightLogName)
  const reader = lineReader()
  let found: Preflight | null = null
  const take = (lines: readonly Line[]): void => {
    for (const line of lines) {
      if (line.kind === 'text') log.untrusted(line.text)
      else if (line.event.event === 'preflight') found = preflightIn(line.event)
    }
  }
  const end = await followToItsEnd(job, ports, text => {
    keeper.write(text)
    take(reader.push(text))
  })
  take(reader.end())
  await keeper.end()
  return concluded(found, end, log)
}

function concluded(found: Preflight | null, end: JobEnd, log: BenchmarkPorts['log']): Preflight | null {
  if (found === null) {
    log.warning(`The checks came to no end (${end.how}); logs/${preflightLogName} says more`)
    return null
  }
  tellPreflight(found, log)
  return found
}

function preflightIn({ event: _event, ...found }: EventOf<'preflight'>): Preflight {
  return found
}
