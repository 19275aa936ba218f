import type { PostContext } from '@gpu-actions/action-kit'
import { awsWorld, ssmHost, type AwsClients, type AwsWorld } from '@gpu-actions/aws'
import type { Host } from '@gpu-actions/host'

/** What deploying needs of the world beside the action's context. */
export interface DeployPorts {
  readonly world: AwsWorld
  readonly hostFor: (clients: AwsClients, instanceId: string) => Host
}

/** @param roleToAssume the input of this name, which a post reads anew */
export function realPorts(
  environment: Readonly<Record<string, string | undefined>>,
  { clock, idToken, log, run }: Pick<PostContext, 'clock' | 'idToken' | 'log' | 'run'>,
  roleToAssume: string | undefined,
): DeployPorts {
  return {
    world: awsWorld({ environment, roleToAssume, idToken, sessionName: `${run.repository} ${run.runId}`, clock }),
    hostFor: (clients, instanceId) => ssmHost({ clients, instanceId, clock, log }),
  }
}
