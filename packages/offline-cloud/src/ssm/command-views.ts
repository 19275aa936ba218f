import { epoch } from './input.ts'
import { hasEnded, type Command, type Invocation } from './model.ts'

/** Limits of GetCommandInvocation, in characters. It is the first part that is kept. */
const stdoutLimit = 24_000
const stderrLimit = 8_000
/** Limit of ListCommandInvocations with details. */
const listedLimit = 2_500

const plugin = 'aws:runShellScript'

// The command of several instances is as far as its slowest and as good as its worst.
function overall(command: Command): Pick<Invocation, 'status' | 'details'> {
  const [first] = command.invocations
  if (first === undefined) return { status: 'Success', details: 'Success' }
  if (command.invocations.length === 1) return first
  if (command.invocations.some(invocation => !hasEnded(invocation)))
    return { status: 'InProgress', details: 'InProgress' }
  return command.invocations.find(({ status }) => status !== 'Success') ?? first
}

/** A command as SendCommand and ListCommands show it. */
export function commandView(command: Command): object {
  const { status, details } = overall(command)
  const count = (fits: (invocation: Invocation) => boolean): number => command.invocations.filter(fits).length
  return {
    CommandId: command.id,
    DocumentName: command.document,
    DocumentVersion: '$DEFAULT',
    Comment: command.comment,
    ExpiresAfter: epoch(command.requestedAt + (command.deliverySeconds + command.executionSeconds) * 1000),
    Parameters: command.parameters,
    InstanceIds: command.invocations.map(({ instanceId }) => instanceId),
    Targets: [],
    RequestedDateTime: epoch(command.requestedAt),
    Status: status,
    StatusDetails: details,
    OutputS3Region: command.region,
    OutputS3BucketName: '',
    OutputS3KeyPrefix: '',
    MaxConcurrency: '50',
    MaxErrors: '0',
    TargetCount: command.invocations.length,
    CompletedCount: count(hasEnded),
    ErrorCount: count(({ status: own }) => own === 'Failed' || own === 'TimedOut'),
    DeliveryTimedOutCount: count(({ details: own }) => own === 'DeliveryTimedOut'),
    ServiceRole: '',
    NotificationConfig: { NotificationArn: '', NotificationEvents: [], NotificationType: '' },
    CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
    TimeoutSeconds: command.deliverySeconds,
  }
}

const iso = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString())

function elapsed({ startedAt, endedAt }: Invocation): string {
  if (startedAt === null || endedAt === null) return ''
  const seconds = (endedAt - startedAt) / 1000
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const rest = Number((seconds % 60).toFixed(3))
  return `PT${hours > 0 ? `${hours}H` : ''}${minutes > 0 ? `${minutes}M` : ''}${rest}S`
}

/** An invocation as GetCommandInvocation shows it: no output before the end, and then only its first part. */
export function invocationView(command: Command, invocation: Invocation): object {
  const isOver = hasEnded(invocation)
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    Comment: command.comment,
    DocumentName: command.document,
    DocumentVersion: '$DEFAULT',
    PluginName: plugin,
    ResponseCode: invocation.responseCode,
    ExecutionStartDateTime: iso(invocation.startedAt),
    ExecutionElapsedTime: elapsed(invocation),
    ExecutionEndDateTime: iso(invocation.endedAt),
    Status: invocation.status,
    StatusDetails: invocation.details,
    StandardOutputContent: isOver ? invocation.stdout.slice(0, stdoutLimit) : '',
    StandardOutputUrl: '',
    StandardErrorContent: isOver ? invocation.stderr.slice(0, stderrLimit) : '',
    StandardErrorUrl: '',
    CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
  }
}

/** An invocation as ListCommandInvocations shows it. */
export function listedInvocationView(command: Command, invocation: Invocation, hasDetails: boolean): object {
  const output = [invocation.stdout, ...(invocation.stderr === '' ? [] : ['----------ERROR-------', invocation.stderr])]
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    InstanceName: '',
    Comment: command.comment,
    DocumentName: command.document,
    DocumentVersion: '$DEFAULT',
    RequestedDateTime: epoch(command.requestedAt),
    Status: invocation.status,
    StatusDetails: invocation.details,
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    CommandPlugins: hasDetails
      ? [
          {
            Name: plugin,
            Status: invocation.status,
            StatusDetails: invocation.details,
            ResponseCode: invocation.responseCode,
            ...(invocation.startedAt === null ? {} : { ResponseStartDateTime: epoch(invocation.startedAt) }),
            ...(invocation.endedAt === null ? {} : { ResponseFinishDateTime: epoch(invocation.endedAt) }),
            Output: hasEnded(invocation) ? output.join('\n').slice(0, listedLimit) : '',
          },
        ]
      : [],
  }
}

/** Whether a plugin name, where one is given, is the one of AWS-RunShellScript. */
export const isPlugin = (name: string | undefined): boolean =>
  name === undefined || name === plugin || name === 'runShellScript'
