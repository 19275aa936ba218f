import type { Records } from '@gpu-actions/action-kit'
import { agentFile, type AgentRecord } from '@gpu-actions/cluster-api'
import { deployState, type DeployState } from './state.ts'

/** The record of a deployment, kept in the state of the step and in the run directory. */
export interface Journal {
  now(): AgentRecord
  /** Writes a change down, before the caller goes on. */
  note(change: Partial<AgentRecord>): Promise<void>
}

/** @param save keeps the state for post; nothing in post itself, which has none after it */
export function journal(
  begin: DeployState,
  records: Records,
  save: (state: DeployState) => void = state => deployState.save(state),
): Journal {
  let { record } = begin
  return {
    now: () => record,
    async note(change) {
      record = { ...record, ...change }
      // First where a kill right after cannot lose it.
      save({ ...begin, record })
      await records.write(agentFile, record)
    },
  }
}
