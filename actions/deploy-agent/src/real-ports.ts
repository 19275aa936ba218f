import type { Clock, Log } from '@gpu-actions/action-kit'
import { awsClients, ssmHost, type AwsClients } from '@gpu-actions/aws'
import type { Host } from '@gpu-actions/host'

/** What deploying needs of the world beside the action's context. */
export interface DeployPorts {
  /** The region that the job's AWS settings name. */
  readonly environmentRegion: string | undefined
  clientsFor(region: string): AwsClients
  hostFor(clients: AwsClients, instanceId: string): Host
}

export function realPorts(
  environment: Readonly<Record<string, string | undefined>>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): DeployPorts {
  const clients = new Map<string, AwsClients>()
  return {
    environmentRegion: environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined,
    clientsFor: region => {
      const known = clients.get(region) ?? awsClients({ region })
      clients.set(region, known)
      return known
    },
    hostFor: (found, instanceId) => ssmHost({ clients: found, instanceId, clock, log }),
  }
}
