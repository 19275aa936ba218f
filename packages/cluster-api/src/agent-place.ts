import { quote } from '@gpu-actions/host'

/** Where the agent lies on a machine. All paths absolute. */
export interface AgentPlace {
  readonly folder: string
  readonly config: string
  readonly log: string
  /** The unit's file; null: the agent runs as a detached job of the host, with or without systemd. */
  readonly unit: string | null
}

export const unitName = 'gpu-actions-agent.service'

/** For a machine of our own, as root. */
export const systemPlace: AgentPlace = {
  folder: '/var/lib/gpu-actions-agent',
  config: '/etc/gpu-actions/agent.json',
  log: '/var/log/gpu-actions-agent.log',
  unit: `/etc/systemd/system/${unitName}`,
}

/** For a machine where others work, too: everything in one folder, no service. */
export const placeIn = (folder: string): AgentPlace => ({
  folder,
  config: `${folder}/agent.json`,
  log: `${folder}/agent.log`,
  unit: null,
})

/** What lies in the agent's folder. */
export const filesOf = ({ folder }: AgentPlace) => ({
  agent: `${folder}/gpu_actions_agent.py`,
  program: `${folder}/programs.pyz`,
  state: `${folder}/state`,
  token: `${folder}/one-time-token`,
  /** The id of the detached job that holds the agent. */
  job: `${folder}/job`,
})

/** The agent's command line. No secret is in it. */
export function agentCommand(place: AgentPlace, python: string, ...flags: readonly string[]): readonly string[] {
  const files = filesOf(place)
  return [python, files.agent, '--config', place.config, '--state', files.state, '--program', files.program, ...flags]
}

/** sh that stops the service and says which detached job holds the agent; nothing installed is success. */
export const stopScript = (place: AgentPlace): string => `job=${quote(filesOf(place).job)}
${
  place.unit === null
    ? ''
    : `if [ -e ${quote(place.unit)} ]; then
  systemctl stop ${unitName} || exit
fi
`
}[ ! -e "$job" ] || echo "JOB $(cat "$job")"
`
