import { awsClients, type AwsClients } from '@gpu-actions/aws'

/** What tearing down needs of the world beside the action's context. */
export interface TeardownPorts {
  /** The region that the job's AWS settings name. */
  readonly environmentRegion: string | undefined
  clientsFor(region: string): AwsClients
}

export function realPorts(environment: Readonly<Record<string, string | undefined>>): TeardownPorts {
  const clients = new Map<string, AwsClients>()
  return {
    environmentRegion: environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined,
    clientsFor: region => {
      const known = clients.get(region) ?? awsClients({ region })
      clients.set(region, known)
      return known
    },
  }
}
