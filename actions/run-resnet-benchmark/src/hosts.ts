import { join } from 'node:path'
import { UserFault, type Clock, type Log } from '@gpu-actions/action-kit'
import type { Host } from '@gpu-actions/host'

export interface HostChoice {
  readonly instanceId?: string | undefined
  readonly awsRegion?: string | undefined
  readonly local: boolean
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

/**
 * The host that the inputs name. Nothing is sent to it yet.
 * @throws UserFault without a region
 */
export async function openHost(choice: HostChoice, { clock, log, environment, temp }: HostPorts): Promise<Host> {
  if (choice.local || choice.instanceId === undefined) {
    const { localHost } = await import('@gpu-actions/host')
    const directory = join(temp, 'gpu-actions-local')
    return localHost({ clock, log, environment: localEnvironment(environment), directory })
  }
  const region = choice.awsRegion ?? (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'])
  if (region === undefined || region === '') {
    throw new UserFault(`The region of ${choice.instanceId} is not known`, [
      'aws-region: give it, or set AWS_REGION (aws-actions/configure-aws-credentials does)',
    ])
  }
  const { awsClients, ssmHost } = await import('@gpu-actions/aws')
  return ssmHost({ clients: awsClients({ region }), instanceId: choice.instanceId, clock, log })
}
