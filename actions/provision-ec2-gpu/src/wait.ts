import { formatDuration, OutsideFault, poll, type Clock, type Log } from '@gpu-actions/action-kit'
import type { Machine } from '@gpu-actions/lease'
import { askGpus, type GpuHost } from './gpu-check.ts'

const minute = 60_000

/** How long each stage may take. Registration has been seen to need more than six minutes. */
export const stageLimits = { running: 5 * minute, ssm: 12 * minute, gpu: 6 * minute } as const

/** What waiting looks at. */
export interface Watched {
  readonly id: string
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** The machine ends itself then; nothing is waited for beyond it. Milliseconds since the epoch, on `clock`. */
  readonly expiresAt: number
  /** undefined while EC2 does not show it yet. */
  look(): Promise<Machine | undefined>
  /** Waits until commands can be run on it. */
  register(options: {
    readonly deadline: number
    readonly signal: AbortSignal
    readonly hopeless: () => Promise<Error | undefined>
    readonly diagnose: () => Promise<string>
  }): Promise<unknown>
  /** What a person wants to know when it does not come, one sentence each. */
  diagnose(): Promise<readonly string[]>
  /** The same of a machine that can be reached: what it says itself. */
  bootLog(): Promise<readonly string[]>
  gpuHost(): GpuHost
}

/** AWS did not start it, or took it back: not what was asked for is at fault, but this offer. */
const takenBack: ReadonlySet<string> = new Set([
  'Server.InsufficientInstanceCapacity',
  'Server.InternalError',
  'Server.SpotInstanceTermination',
  'Server.SpotInstanceShutdown',
])

/** The machine ended while it was waited for. */
export class MachineEnded extends OutsideFault {
  readonly code: string

  constructor(machine: Machine) {
    const code = machine.stateReason?.code ?? 'no reason given'
    super({
      what: `${machine.id} (${machine.instanceType}) ended while it was starting: ${code} ${machine.stateReason?.message ?? ''}`.trim(),
      advice: adviceForEnd(code),
    })
    this.code = code
  }

  /** Another offer may do better. */
  get isCapacity(): boolean {
    return takenBack.has(this.code)
  }
}

function adviceForEnd(code: string): string {
  if (code === 'Server.InsufficientInstanceCapacity') return 'Name more instance types or subnets, or try again later.'
  if (code.startsWith('Server.Spot')) {
    return 'AWS needs its spot machines back there: name more instance types or subnets, or use market: spot-then-on-demand.'
  }
  if (code === 'Server.InternalError') return 'A fault of AWS: try again.'
  if (code === 'Client.VolumeLimitExceeded') return 'Raise the EBS quota of the account in this region.'
  if (code === 'Client.InternalError' || code === 'Client.InvalidSnapshot.NotFound') {
    return 'Check the image: its snapshot, or the KMS key that encrypts it, cannot be used by this account.'
  }
  if (code === 'Client.InstanceInitiatedShutdown') {
    return 'The machine shut itself down: check user-data, and whether ttl is long enough.'
  }
  if (code === 'Client.UserInitiatedShutdown') return 'Somebody ended it through the API.'
  return 'See the reason above.'
}

const hasEnded = (machine: Machine): boolean => machine.state === 'ending' || machine.state === 'gone'

/** Polls one stage with its own deadline, tells that it still waits, and stops when the machine ends. */
async function stage<T>(
  watched: Watched,
  wait: {
    readonly what: string
    readonly limitMs: number
    readonly advice: string
    readonly more?: () => Promise<readonly string[]>
  },
  ask: () => Promise<T | undefined>,
  pauses: { readonly firstMs: number; readonly maxMs: number },
): Promise<T> {
  const { clock, log } = watched
  const begun = clock.now()
  let told = begun
  const answer = await poll(
    clock,
    async () => {
      const found = await ask()
      if (found === undefined && clock.now() - told >= 30_000) {
        told = clock.now()
        log.info(`Still waiting until ${wait.what} (${formatDuration(told - begun)})`)
      }
      return found
    },
    { ...pauses, deadline: Math.min(begun + wait.limitMs, watched.expiresAt), signal: watched.signal },
  )
  if (answer !== undefined) return answer
  const facts = [...(await watched.diagnose()), ...((await wait.more?.()) ?? [])]
  throw new OutsideFault({
    what: [
      `${watched.id} was not ready in time: ${wait.what} did not come within ${formatDuration(clock.now() - begun)}`,
      ...facts,
    ].join('\n'),
    advice: wait.advice,
  })
}

/** @throws MachineEnded, OutsideFault when it does not run in time */
export function waitUntilRunning(watched: Watched): Promise<Machine> {
  return stage(
    watched,
    { what: 'EC2 calls it running', limitMs: stageLimits.running, advice: 'Try again; EC2 usually needs seconds.' },
    async () => {
      const machine = await watched.look()
      if (machine === undefined) return undefined
      if (hasEnded(machine)) throw new MachineEnded(machine)
      return machine.state === 'running' ? machine : undefined
    },
    { firstMs: 700, maxMs: 1_500 },
  )
}

/** The machine's death, which must not be mistaken for silence. */
async function death(watched: Watched): Promise<MachineEnded | undefined> {
  const machine = await watched.look()
  return machine !== undefined && hasEnded(machine) ? new MachineEnded(machine) : undefined
}

const registrationAdvice =
  'Check that the instance profile allows what docs/iam/instance-role.json lists, that the subnet reaches the internet or the endpoints of Systems Manager on port 443, and that the image has the SSM agent.'

/** @throws MachineEnded, OutsideFault with what is known about the machine when it does not register in time */
export async function waitUntilReachable(watched: Watched): Promise<void> {
  await watched.register({
    deadline: Math.min(watched.clock.now() + stageLimits.ssm, watched.expiresAt),
    signal: watched.signal,
    hopeless: () => death(watched),
    diagnose: async () => [registrationAdvice, ...(await watched.diagnose())].join('\n'),
  })
}

export interface ReadyGpus {
  readonly name: string
  readonly count: number
}

/** @throws MachineEnded, OutsideFault when not all GPUs answer in time */
export async function waitUntilGpusAnswer(watched: Watched, expected: number | null): Promise<ReadyGpus> {
  const host = watched.gpuHost()
  let reason = ''
  try {
    return await stage(
      watched,
      {
        what: 'every GPU answers',
        limitMs: stageLimits.gpu,
        more: () => watched.bootLog(),
        advice:
          'Check that the image has the NVIDIA driver for this type. For a machine without a GPU use wait-for: ssm.',
      },
      async () => {
        const answer = await askGpus(host, expected, watched.signal)
        if (answer.kind === 'gpus') return { name: answer.name, count: answer.count }
        if (answer.reason !== reason) watched.log.info(`The GPUs do not answer yet: ${answer.reason}`)
        reason = answer.reason
        const ended = await death(watched)
        if (ended !== undefined) throw ended
        return undefined
      },
      { firstMs: 2_500, maxMs: 10_000 },
    )
  } catch (error) {
    if (error instanceof OutsideFault && !(error instanceof MachineEnded) && reason !== '') {
      throw new OutsideFault({
        what: `${error.message}\nLast answer: ${reason}`,
        advice: error.advice,
        cause: error.cause,
      })
    }
    throw error
  }
}
