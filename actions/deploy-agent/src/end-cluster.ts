import { formatDuration, messageOf, OutsideFault, poll, type Clock, type Log } from '@gpu-actions/action-kit'
import { deleteByHand, deleteParameter, type AwsClients } from '@gpu-actions/aws'
import type { AgentRecord, ClusterApi } from '@gpu-actions/cluster-api'
import type { Journal } from './journal.ts'

/** How long to look until a cluster that was deleted is gone, in milliseconds. */
const goneMs = 60_000

export interface EndPorts {
  readonly clock: Clock
  readonly log: Log
  readonly clients: () => AwsClients
  readonly api: () => ClusterApi
  readonly journal: Journal
}

/** What could not be ended: why, and what a person does about it. */
export interface Left {
  readonly what: string
  readonly byHand: string
}

/** Deletes one cluster and looks until it is gone. @throws OutsideFault */
async function deleteCluster(api: ClusterApi, id: string, { clock, log }: Pick<EndPorts, 'clock' | 'log'>) {
  const how = await api.delete(id)
  const gone = await poll(
    clock,
    async () => {
      const found = await api.cluster(id)
      return found === null || found.word === 'deleted' ? true : undefined
    },
    { firstMs: 500, maxMs: 5_000, deadline: clock.now() + goneMs },
  )
  if (gone === undefined)
    throw new OutsideFault({
      what: `The cluster was deleted at ${api.host}, and is still there after ${formatDuration(goneMs)}`,
      advice: 'Look at it in the dashboard.',
    })
  log.info(
    how === 'deleted' ? `The cluster is deleted, and seen gone at ${api.host}.` : 'The cluster was gone already.',
  )
}

const clusterByHand = (record: AgentRecord): string =>
  `delete the cluster named ${record.clusterName} in the dashboard of ${record.apiHost}, or with DELETE ${record.apiBase}/v1/clusters/<its id> and an id token`

/** The ids that may be of this step: the one that is known, else those with its name. */
async function idsOf(api: ClusterApi, record: AgentRecord): Promise<readonly string[]> {
  if (record.clusterId !== null) return [record.clusterId]
  const found = await api.find(record.clusterName)
  if (found !== null) return found
  throw new OutsideFault({
    what: `Whether cluster ${record.clusterName} was registered at ${api.host} is not known: its step ended before the reply came, and this API does not list clusters`,
    advice: 'Look in its dashboard.',
  })
}

async function endParameter({ clients, log, journal }: EndPorts): Promise<Left | null> {
  const { token } = journal.now()
  if (token?.kind !== 'ssm-parameter') return null
  try {
    const how = await deleteParameter(clients(), token.name)
    await journal.note({ token: null })
    if (how === 'deleted') log.info('The parameter with the one-time token is deleted, and gone.')
    return null
  } catch (error) {
    return {
      what: `The parameter ${token.name} in ${token.region} could not be deleted: ${messageOf(error)}`,
      byHand: deleteByHand(token.region, token.name),
    }
  }
}

async function endClusters(ports: EndPorts): Promise<Left | null> {
  const record = ports.journal.now()
  // `failed` without an id: the API had refused to register it.
  if (record.status === 'deleted' || (record.status === 'failed' && record.clusterId === null)) return null
  try {
    const api = ports.api()
    for (const id of await idsOf(api, record)) await deleteCluster(api, id, ports)
    await ports.journal.note({ status: 'deleted', endedAt: new Date(ports.clock.now()).toISOString() })
    return null
  } catch (error) {
    return {
      what: `Cluster ${record.clusterName} at ${record.apiHost} could not be ended: ${messageOf(error)}`,
      byHand: clusterByHand(record),
    }
  }
}

/** Ends parameter and cluster, each in its own right. Never throws. @returns what is left */
export async function endDeployment(ports: EndPorts): Promise<readonly Left[]> {
  // The parameter needs no login, and holds a secret.
  const left = [await endParameter(ports), await endClusters(ports)]
  return left.filter(one => one !== null)
}
