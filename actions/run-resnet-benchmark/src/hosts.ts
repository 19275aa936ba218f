import { join } from 'node:path'
import { UserFault, type PostContext, type RunContext } from '@gpu-actions/action-kit'
import type { Host } from '@gpu-actions/host'

export interface HostChoice {
  readonly instanceId?: string | undefined
  readonly awsRegion?: string | undefined
  readonly roleToAssume?: string | undefined
  readonly local: boolean
  readonly sshHost?: string | undefined
  readonly sshPort?: number
  readonly sshUser?: string | undefined
  readonly sshKey?: string | undefined
  readonly sshHostKey?: string | undefined
}

export interface HostPorts extends Pick<PostContext, 'clock' | 'log' | 'idToken'> {
  readonly run: Pick<RunContext, 'repository' | 'runId' | 'temp'>
  /** The runner's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** What a program needs of the runner's environment, and what decides how fast it runs. Tokens and inputs are not in it. */
const needed = /^(PATH|HOME|USER|LANG|LC_ALL|TMPDIR|TZ|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|(https?|no)_proxy)$/i
const flags = /^(TORCH|PYTORCH|CUDA|CUDNN|CUBLAS|NVIDIA|NCCL|MIOPEN|HIP|HSA|ROCR|OMP|GOMP|KMP|MKL|ONEDNN|DNNL)_/

/** The part of the runner's environment that a benchmark on the runner itself sees. */
export const localEnvironment = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && (needed.test(name) || flags.test(name)) ? [[name, value]] : [],
    ),
  )

/** A host, and what is to be called when nothing is asked of it any more. */
export interface OpenedHost {
  readonly host: Host
  /** The code of the machine's state reason when the cloud took it back, else null; absent where nobody can tell. */
  readonly takenBack?: () => Promise<string | null>
  close(): Promise<void>
}

const nothingToClose = (host: Host): OpenedHost => ({ host, close: () => Promise.resolve() })

/**
 * The host that the inputs name. Nothing is sent to it yet.
 * @throws UserFault without a region
 */
export async function openHost(choice: HostChoice, ports: HostPorts): Promise<OpenedHost> {
  const { clock, log, environment, run } = ports
  if (choice.sshHost !== undefined) return openSsh(choice, choice.sshHost, ports)
  if (choice.local || choice.instanceId === undefined) {
    const { localHost } = await import('@gpu-actions/host')
    const directory = join(run.temp, 'gpu-actions-local')
    return nothingToClose(localHost({ clock, log, environment: localEnvironment(environment), directory }))
  }
  return openInstance(choice, choice.instanceId, ports)
}

async function openInstance(choice: HostChoice, instanceId: string, ports: HostPorts): Promise<OpenedHost> {
  const { clock, environment, idToken, log, run } = ports
  const { awsWorld, isInterruption, lookAtInstance, ssmHost } = await import('@gpu-actions/aws')
  const sessionName = `${run.repository} ${run.runId}`
  const world = awsWorld({ environment, roleToAssume: choice.roleToAssume, idToken, sessionName, clock })
  const region = choice.awsRegion ?? world.environmentRegion
  if (region === undefined) {
    throw new UserFault(`The region of ${instanceId} is not known`, [
      'aws-region: give it, or set AWS_REGION (aws-actions/configure-aws-credentials does)',
    ])
  }
  const clients = world.clientsFor(region)
  return {
    ...nothingToClose(ssmHost({ clients, instanceId, clock, log })),
    takenBack: async () => {
      const machine = await lookAtInstance(clients, instanceId)
      return machine !== undefined && isInterruption(machine) ? (machine.stateReason?.code ?? null) : null
    },
  }
}

async function openSsh(choice: HostChoice, host: string, ports: HostPorts): Promise<OpenedHost> {
  const { sshPort, sshUser = '', sshKey = '', sshHostKey } = choice
  const { clock, log, environment, run } = ports
  const { sshHost } = await import('@gpu-actions/host')
  const options = {
    host,
    user: sshUser,
    privateKey: sshKey,
    ...(sshPort === undefined ? {} : { port: sshPort }),
    ...(sshHostKey === undefined ? {} : { hostKey: sshHostKey }),
  }
  // Of the runner's environment the client needs only where programs are: the rest may hold an agent, tokens, inputs.
  const seen = { PATH: environment['PATH'] ?? '/usr/bin:/bin' }
  const opened = sshHost(options, { clock, log, environment: seen, directory: join(run.temp, 'gpu-actions-ssh') })
  return { host: opened, close: () => opened.close() }
}
