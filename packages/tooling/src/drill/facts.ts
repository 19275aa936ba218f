import type { CloudState, InstanceState } from '@gpu-actions/offline-cloud'
import type { DrillFacts, MachineFact } from './judge.ts'
import type { Drill } from './model.ts'
import type { WireCall } from './wire.ts'
import { leaseOf } from './witness.ts'
import { stepIds } from './workflow-file.ts'

/** What there is to see when a drill is over. */
export interface Over {
  readonly state: CloudState
  readonly foreign: readonly string[]
  readonly calls: readonly WireCall[]
  readonly endingSince: ReadonlyMap<string, number>
}

/** Leases that a workflow asks for when nothing goes wrong. */
export const wantedLeases = ({ workflow }: Drill): number =>
  workflow.layout === 'two-leases' || workflow.layout === 'matrix' ? 2 : 1

export function gatherFacts(over: Over): Pick<DrillFacts, 'machines' | 'leftovers' | 'harmed'> {
  const own = over.state.instances.filter(({ id }) => !over.foreign.includes(id))
  return { machines: own.map(instance => factOf(over, instance)), leftovers: leftovers(over), harmed: harmed(over) }
}

function factOf({ calls, endingSince }: Over, instance: InstanceState): MachineFact {
  const price = Number(instance.tags['gpu-actions:price'])
  return {
    id: instance.id,
    leaseId: leaseOf(instance) ?? 'no lease',
    type: instance.type,
    launchedAt: Date.parse(instance.launchTime),
    endedAt: endingSince.get(instance.id) ?? null,
    reason: instance.stateReason?.code ?? null,
    orderedBy: ordererOf(calls, instance.id),
    usdPerHour: Number.isFinite(price) ? price : null,
  }
}

/** Whose call has ended a machine: the first one that EC2 obeyed. */
function ordererOf(calls: readonly WireCall[], id: string): MachineFact['orderedBy'] {
  const call = calls.find(
    each => each.operation === 'TerminateInstances' && each.status === 200 && idsOf(each).includes(id),
  )
  if (call === undefined) return null
  const { step, phase } = call.from
  if (phase === 'post') return 'post'
  if (step.startsWith(stepIds.teardown)) return 'teardown'
  return stepIds.rent.some(rent => rent === step) ? 'provision' : 'sweep'
}

/** Every id that a call names, whatever the parameter. */
const idsOf = ({ parameters }: WireCall): readonly string[] => [...parameters.values()]

/** What may not be there any more. Volumes and interfaces of others belong to their machines. */
function leftovers({ state, foreign }: Over): readonly string[] {
  const theirs = new Set(
    state.instances
      .filter(({ id }) => foreign.includes(id))
      .flatMap(({ volumes, interfaces }) => [...volumes, ...interfaces]),
  )
  const things = (kind: string, list: CloudState['volumes']): readonly string[] =>
    list.filter(({ id }) => !theirs.has(id)).map(({ id, state: its }) => `${kind} ${id} (${its})`)
  return [
    ...state.instances
      .filter(({ id, state: its }) => !foreign.includes(id) && its !== 'terminated')
      .map(({ id, state: its }) => `machine ${id} (${its})`),
    ...things('volume', state.volumes),
    ...things('network interface', state.interfaces),
    ...state.spotRequests
      .filter(({ state: its }) => its === 'open' || its === 'active')
      .map(({ id, state: its }) => `spot request ${id} (${its})`),
    ...state.parameters.map(({ name }) => `parameter ${name}`),
    ...state.clusters.filter(({ deleted }) => !deleted).map(({ id }) => `cluster ${id}`),
  ]
}

/** Calls that change something; reads may show anybody's machine. */
const changing = /^(Terminate|Stop|Reboot|Start|Modify|CreateTags|DeleteTags|Delete|Cancel|Release|Detach)/

function harmed({ state, foreign, calls }: Over): readonly string[] {
  const down = state.instances
    .filter(({ id, state: its }) => foreign.includes(id) && its !== 'running')
    .map(({ id, state: its }) => `${id} is ${its}`)
  const named = calls
    .filter(({ operation }) => changing.test(operation))
    .flatMap(call =>
      idsOf(call)
        .filter(id => foreign.includes(id))
        .map(id => `${call.operation} of ${id}`),
    )
  return [...down, ...named]
}
