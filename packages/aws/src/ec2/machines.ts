import { paginateDescribeInstances, type EC2Client, type Filter, type Instance } from '@aws-sdk/client-ec2'
import type { Extra, Machine, MachineState, Market, Place, Price } from '@gpu-actions/lease'
import type { AwsClients } from '../clients.ts'
import { calling, codeOf } from '../errors.ts'
import { tablePrice } from './prices/table.ts'
import { tagNames } from './tags.ts'

const states: Readonly<Record<string, MachineState>> = {
  pending: 'starting',
  running: 'running',
  stopping: 'stopping',
  stopped: 'stopped',
  'shutting-down': 'ending',
  terminated: 'gone',
}

/** `User initiated (2026-11-22 18:45:00 GMT)` → when it began to end */
function transitionTime(reason: string | undefined): string | null {
  const [, day, time] = /\((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) GMT\)/.exec(reason ?? '') ?? []
  return day === undefined || time === undefined ? null : `${day}T${time}.000Z`
}

/** A tag is anybody's text: only a moment counts. */
function instantOf(text: string | undefined): string | null {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}

/** The price that was written on the machine when it was launched, on the day of its launch. */
function priceOf(
  tag: string | undefined,
  { InstanceType: instanceType, LaunchTime: launchedAt }: Instance,
  region: string,
): Price | null {
  const usd = Number(tag)
  if (tag === undefined || !Number.isFinite(usd) || usd <= 0) return null
  const table = tablePrice(instanceType ?? '', region)
  if (table?.usdPerHour === usd) return table
  const date = launchedAt?.toISOString().slice(0, 10) ?? 'unknown'
  return { usdPerHour: usd, source: `tag ${tagNames.price} of the machine`, date }
}

/** AWS took the machine back: the codes of a spot machine's end that nobody here ordered. */
const interruptions: ReadonlySet<string> = new Set(['Server.SpotInstanceTermination', 'Server.SpotInstanceShutdown'])

export const isInterruption = ({ stateReason }: Pick<Machine, 'stateReason'>): boolean =>
  stateReason !== null && interruptions.has(stateReason.code)

function marketOf({ InstanceLifecycle: lifecycle }: Instance): Market {
  if (lifecycle === 'spot' || lifecycle === 'capacity-block') return lifecycle
  return 'on-demand'
}

/** `storage=0.0049 address=0.005`, as it was written on the machine when it was launched; null for anything else. */
function extrasOf(tag: string | undefined, date: string): readonly Extra[] | null {
  if (tag === undefined) return null
  const parts = tag.split(' ').map(part => /^(storage|address)=(\d+(?:\.\d+)?)$/.exec(part))
  const source = `tag ${tagNames.extras} of the machine`
  const extras = parts.flatMap(part =>
    part === null ? [] : [{ what: part[1] as Extra['what'], usdPerHour: Number(part[2]), source, date }],
  )
  return extras.length === parts.length ? extras : null
}

/** An EC2 instance in the words of a lease. */
export function toMachine(instance: Instance, place: Place): Machine {
  const tags = new Map((instance.Tags ?? []).map(tag => [tag.Key, tag.Value]))
  const state = states[instance.State?.Name ?? ''] ?? 'starting'
  const ended = state === 'ending' || state === 'gone'
  const launchedAt = instance.LaunchTime?.toISOString() ?? null
  const price = priceOf(tags.get(tagNames.price), instance, place.region)
  return {
    id: instance.InstanceId ?? '',
    place,
    instanceType: instance.InstanceType ?? '',
    zone: instance.Placement?.AvailabilityZone ?? null,
    state,
    stateReason:
      instance.StateReason?.Code === undefined
        ? null
        : { code: instance.StateReason.Code, message: instance.StateReason.Message ?? '' },
    launchedAt,
    endedAt: ended ? transitionTime(instance.StateTransitionReason) : null,
    token: instance.ClientToken ?? null,
    leaseId: tags.get(tagNames.lease) ?? null,
    repository: tags.get(tagNames.repository) ?? null,
    privateIp: instance.PrivateIpAddress ?? null,
    publicIp: instance.PublicIpAddress ?? null,
    runId: tags.get(tagNames.run) ?? null,
    job: tags.get(tagNames.job) ?? null,
    expiresAt: instantOf(tags.get(tagNames.expiresAt)),
    market: marketOf(instance),
    requests: instance.SpotInstanceRequestId === undefined ? [] : [instance.SpotInstanceRequestId],
    extras: extrasOf(tags.get(tagNames.extras), (launchedAt ?? '').slice(0, 10)),
    volumes: (instance.BlockDeviceMappings ?? []).flatMap(({ Ebs }) =>
      Ebs?.VolumeId === undefined ? [] : [Ebs.VolumeId],
    ),
    interfaces: (instance.NetworkInterfaces ?? []).flatMap(({ NetworkInterfaceId: id }) =>
      id === undefined ? [] : [id],
    ),
    price,
  }
}

/** All machines that the filters show, on all pages. @throws OutsideFault */
export async function describeMachines(ec2: EC2Client, place: Place, filters: Filter[]): Promise<readonly Machine[]> {
  const call = { doing: 'Looking at the machines', permission: 'ec2:DescribeInstances', region: place.region }
  return calling(call, async () => {
    const machines: Machine[] = []
    try {
      for await (const page of paginateDescribeInstances({ client: ec2, pageSize: 1000 }, { Filters: filters })) {
        for (const reservation of page.Reservations ?? []) {
          machines.push(...(reservation.Instances ?? []).map(instance => toMachine(instance, place)))
        }
      }
    } catch (error) {
      // By id, a machine that is not shown (yet, or any more) is an error; for us it is simply absent.
      if (codeOf(error) !== 'InvalidInstanceID.NotFound') throw error
    }
    return machines
  })
}

/** One machine, or undefined while EC2 does not show it. @throws OutsideFault */
export async function lookAt(ec2: EC2Client, place: Place, id: string): Promise<Machine | undefined> {
  const [machine] = await describeMachines(ec2, place, [{ Name: 'instance-id', Values: [id] }])
  return machine
}

/** One machine whose account does not matter: to learn how it ended. @throws OutsideFault */
export const lookAtInstance = (clients: AwsClients, id: string): Promise<Machine | undefined> =>
  lookAt(clients.ec2(), { account: '', region: clients.region }, id)
