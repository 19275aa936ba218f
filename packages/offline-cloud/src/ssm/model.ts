import { account } from '../world/account.ts'

/** A parameter of Parameter Store. Times in ms of the cloud's clock. */
export interface Parameter {
  readonly name: string
  readonly region: string
  readonly type: 'String' | 'StringList' | 'SecureString'
  readonly value: string
  readonly version: number
  readonly modified: number
  tags: Readonly<Record<string, string>>
}

/** The ARN of a parameter; public ones belong to no account. */
export const parameterArn = ({ name, region }: Pick<Parameter, 'name' | 'region'>): string =>
  `arn:aws:ssm:${region}:${name.startsWith('/aws/') ? '' : account}:parameter${name.startsWith('/') ? '' : '/'}${name}`

/** `StatusDetails` as the service spells them on the wire (its documentation writes them with spaces). */
export type StatusDetails =
  | 'Pending'
  | 'InProgress'
  | 'Delayed'
  | 'Success'
  | 'Failed'
  | 'DeliveryTimedOut'
  | 'ExecutionTimedOut'
  | 'Cancelling'
  | 'Cancelled'

export type Status =
  'Pending' | 'InProgress' | 'Delayed' | 'Success' | 'Cancelled' | 'TimedOut' | 'Failed' | 'Cancelling'

/** A command on one instance. `responseCode` is −1 until the script has ended by itself. */
export interface Invocation {
  readonly instanceId: string
  status: Status
  details: StatusDetails
  responseCode: number
  stdout: string
  stderr: string
  startedAt: number | null
  endedAt: number | null
}

export interface Command {
  readonly id: string
  readonly region: string
  readonly comment: string
  readonly document: string
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly commands: readonly string[]
  readonly workingDirectory: string | undefined
  readonly deliverySeconds: number
  readonly executionSeconds: number
  readonly requestedAt: number
  readonly visibleAt: number
  readonly invocations: readonly Invocation[]
}

/** Everything SSM knows. */
export interface SsmState {
  /** By `region/name`. */
  readonly parameters: Map<string, Parameter>
  readonly commands: Map<string, Command>
}

export const emptySsm = (): SsmState => ({ parameters: new Map(), commands: new Map() })

/** Whether nothing more can happen to an invocation. */
export const hasEnded = ({ status }: Invocation): boolean =>
  status === 'Success' || status === 'Cancelled' || status === 'TimedOut' || status === 'Failed'
