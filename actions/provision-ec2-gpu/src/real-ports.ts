import { randomBytes } from 'node:crypto'
import type { PostContext } from '@gpu-actions/action-kit'
import {
  awsWorld,
  ssmHost,
  waitForRegistration,
  type AwsClients,
  type AwsWorld,
  type RegistrationOptions,
} from '@gpu-actions/aws'
import type { GpuHost } from './gpu-check.ts'

/** What provisioning needs of the world beside the action's context. */
export interface ProvisionPorts {
  readonly world: AwsWorld
  hostFor(clients: AwsClients, machineId: string): GpuHost
  /** Waits until the machine is online with Systems Manager. */
  register(clients: AwsClients, machineId: string, options: RegistrationOptions): Promise<unknown>
  /** Eight characters of [0-9a-f] that no other lease has. */
  newLeaseSuffix(): string
}

/** @param roleToAssume the input of this name, which a post reads anew */
export function realPorts(
  environment: Readonly<Record<string, string | undefined>>,
  { clock, log, idToken, run }: Pick<PostContext, 'clock' | 'log' | 'idToken' | 'run'>,
  roleToAssume: string | undefined,
): ProvisionPorts {
  return {
    world: awsWorld({ environment, roleToAssume, idToken, sessionName: `${run.repository} ${run.runId}`, clock }),
    hostFor: (clients, instanceId) => ssmHost({ clients, instanceId, clock, log }),
    register: (clients, instanceId, options) => waitForRegistration({ clients, instanceId, clock, log }, options),
    newLeaseSuffix: () => randomBytes(4).toString('hex'),
  }
}
