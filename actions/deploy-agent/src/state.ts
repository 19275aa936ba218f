import { stateSlot } from '@gpu-actions/action-kit'
import { parseAgentRecord, type AgentRecord } from '@gpu-actions/cluster-api'

/** What main leaves for its post. Written before each call whose trace must be found again; no secret is in it. */
export interface DeployState {
  /** The run directory. */
  readonly place: string
  readonly instanceId: string
  readonly region: string
  /** As in the run directory; only `active` says that main reached its end. */
  readonly record: AgentRecord
}

function parse(value: unknown): DeployState {
  if (typeof value !== 'object' || value === null) throw new TypeError('the state of deploy-agent is no object')
  const text = (name: string): string => {
    const found: unknown = Reflect.get(value, name)
    if (typeof found !== 'string' || found === '') throw new TypeError(`the state of deploy-agent has no ${name}`)
    return found
  }
  return {
    place: text('place'),
    instanceId: text('instanceId'),
    region: text('region'),
    record: parseAgentRecord(Reflect.get(value, 'record')),
  }
}

export const deployState = stateSlot<DeployState>('deploy', parse)
