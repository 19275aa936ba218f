import { randomBytes } from 'node:crypto'
import type { Clock, Log } from '@gpu-actions/action-kit'
import { awsClients, ssmHost, waitForRegistration, type AwsClients, type RegistrationOptions } from '@gpu-actions/aws'
import type { GpuHost } from './gpu-check.ts'

/** What provisioning needs of the world beside the action's context. */
export interface ProvisionPorts {
  /** The region that the job's AWS settings name. */
  readonly environmentRegion: string | undefined
  clientsFor(region: string): AwsClients
  hostFor(clients: AwsClients, machineId: string): GpuHost
  /** Waits until the machine is online with Systems Manager. */
  register(clients: AwsClients, machineId: string, options: RegistrationOptions): Promise<unknown>
  /** Eight characters of [0-9a-f] that no other lease has. */
  newLeaseSuffix(): string
}

export function realPorts(
  environment: Readonly<Record<string, string | undefined>>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): ProvisionPorts {
  const clients = new Map<string, AwsClients>()
  return {
    environmentRegion: environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined,
    clientsFor: region => {
      const known = clients.get(region) ?? awsClients({ region })
      clients.set(region, known)
      return known
    },
    hostFor: (found, instanceId) => ssmHost({ clients: found, instanceId, clock, log }),
    register: (found, instanceId, options) => waitForRegistration({ clients: found, instanceId, clock, log }, options),
    newLeaseSuffix: () => randomBytes(4).toString('hex'),
  }
}
