import { join } from 'node:path'
import { UserFault, type Clock, type Log } from '@gpu-actions/action-kit'
import type { Host } from '@gpu-actions/host'

export interface HostChoice {
  readonly instanceId?: string | undefined
  readonly awsRegion?: string | undefined
  readonly local: boolean
  readonly sshHost?: string | undefined
  readonly sshPort?: number
  readonly sshUser?: string | undefined
  readonly sshKey?: string | undefined
  readonly sshHostKey?: string | undefined
}

export interface HostPorts {
  readonly clock: Clock
  readonly log: Log
  /** The runner's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The runner's folder for this job. */
  readonly temp: string
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
  close(): Promise<void>
}

const nothingToClose = (host: Host): OpenedHost => ({ host, close: () => Promise.resolve() })

/**
 * The host that the inputs name. Nothing is sent to it yet.
 * @throws UserFault without a region
 */
export async function openHost(choice: HostChoice, ports: HostPorts): Promise<OpenedHost> {
  const { clock, log, environment, temp } = ports
  if (choice.sshHost !== undefined) return openSsh(choice, choice.sshHost, ports)
  if (choice.local || choice.instanceId === undefined) {
    const { localHost } = await import('@gpu-actions/host')
    const directory = join(temp, 'gpu-actions-local')
    return nothingToClose(localHost({ clock, log, environment: localEnvironment(environment), directory }))
  }
  const region = choice.awsRegion ?? (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'])
  if (region === undefined || region === '') {
    throw new UserFault(`The region of ${choice.instanceId} is not known`, [
      'aws-region: give it, or set AWS_REGION (aws-actions/configure-aws-credentials does)',
    ])
  }
  const { awsClients, ssmHost } = await import('@gpu-actions/aws')
  return nothingToClose(ssmHost({ clients: awsClients({ region }), instanceId: choice.instanceId, clock, log }))
}

async function openSsh(choice: HostChoice, host: string, ports: HostPorts): Promise<OpenedHost> {
  const { sshPort, sshUser = '', sshKey = '', sshHostKey } = choice
  const { clock, log, environment, temp } = ports
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
  const opened = sshHost(options, { clock, log, environment: seen, directory: join(temp, 'gpu-actions-ssh') })
  return { host: opened, close: () => opened.close() }
}
