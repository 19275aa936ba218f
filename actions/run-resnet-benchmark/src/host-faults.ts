import { messageOf } from '@gpu-actions/action-kit'
import { readHostKeyPin, readPrivateKey } from '@gpu-actions/host/ssh-keys'

/** What names the host, and what is needed to reach it. */
export interface HostGiven {
  readonly local: boolean
  readonly instanceId: string | undefined
  readonly sshHost: string | undefined
  readonly sshPort: number
  readonly sshUser: string | undefined
  readonly sshKey: string | undefined
  readonly sshHostKey: string | undefined
  readonly clusterId: string | undefined
}

const namesOf = (values: Readonly<Record<string, boolean>>): readonly string[] =>
  Object.entries(values).flatMap(([id, isSet]) => (isSet ? [id] : []))

/** What is for ssh only, and whether it was given. */
const sshIdsGiven = (given: HostGiven) => ({
  'ssh-port': given.sshPort !== 22,
  'ssh-user': given.sshUser !== undefined,
  'ssh-key': given.sshKey !== undefined,
  'ssh-host-key': given.sshHostKey !== undefined,
})

/** What a job of a cluster has no use for, and whether it was given; an instance may be named to find its lease. */
export const hostIdsGiven = (given: HostGiven) => ({
  local: given.local,
  'ssh-host': given.sshHost !== undefined,
  ...sshIdsGiven(given),
})

/** The faults of what names one host, all of them. */
export function faultsOfHost(given: HostGiven): readonly string[] {
  const isSsh = given.sshHost !== undefined
  const hosts = namesOf({ 'instance-id': given.instanceId !== undefined, 'ssh-host': isSsh, local: given.local })
  const stray = isSsh ? [] : namesOf(sshIdsGiven(given))
  const missing = isSsh
    ? namesOf({ 'ssh-user': given.sshUser === undefined, 'ssh-key': given.sshKey === undefined })
    : []
  return [
    ...(hosts.length === 0 ? ['instance-id: is required, or ssh-host, or local: true'] : []),
    ...(hosts.length > 1 ? [`${hosts.join(', ')}: give only one of them`] : []),
    ...(stray.length > 0 ? [`${stray.join(', ')}: needs ssh-host`] : []),
    ...missing.map(id => `${id}: is required with ssh-host`),
    ...faultsOfText('ssh-key', given.sshKey, readPrivateKey),
    ...faultsOfText('ssh-host-key', given.sshHostKey, readHostKeyPin),
    ...(given.clusterId === undefined ? [] : ['cluster-id: is for target: cluster only']),
  ]
}

function faultsOfText(id: string, text: string | undefined, read: (text: string) => unknown): readonly string[] {
  if (text === undefined) return []
  try {
    read(text)
    return []
  } catch (error) {
    return [`${id}: ${messageOf(error)}`]
  }
}
