import type { ActionContext, Records } from '@gpu-actions/action-kit'
import type { AwsClients } from '@gpu-actions/aws'
import type { ClusterApi } from '@gpu-actions/cluster-api'
import type { Host } from '@gpu-actions/host'
import type { DeployAction } from './action.ts'
import type { Journal } from './journal.ts'
import type { Place } from './place.ts'

/** What of its context the action uses. */
export type DeployContext = Pick<
  ActionContext<DeployAction['inputs'], DeployAction['outputs']>,
  'inputs' | 'run' | 'runDirectories' | 'log' | 'clock' | 'signal' | 'mask' | 'setOutput'
>

/** The machine, the API, and where it is written down: what every part of a deployment works with. */
export interface Site {
  readonly place: Place
  readonly region: string
  readonly clients: AwsClients
  readonly host: Host
  readonly api: ClusterApi
  readonly records: Records
  readonly notes: Journal
  /** Every value that must not be in a text; grows as they become known. */
  readonly secrets: readonly string[]
  /** Whether a request to the API was left without a clear answer. */
  readonly unanswered: () => boolean
}
