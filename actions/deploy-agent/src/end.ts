import { OutsideFault, type LateInput, type PostContext, type Records } from '@gpu-actions/action-kit'
import { idTokens, missingOfLogin } from '@gpu-actions/aws'
import { agentFile, clusterApi, parseAgentRecord, removeAgent, type AgentRecord } from '@gpu-actions/cluster-api'
import { leaseRecord } from '@gpu-actions/lease'
import type { DeployAction } from './action.ts'
import { endDeployment } from './end-cluster.ts'
import { journal } from './journal.ts'
import type { DeployPorts } from './real-ports.ts'
import type { DeployState } from './state.ts'

/** What cannot be read says nothing, and must not keep anything from being ended. */
async function agentIn(records: Records): Promise<AgentRecord | undefined> {
  try {
    const found = await records.read(agentFile)
    return found === undefined ? undefined : parseAgentRecord(found)
  } catch {
    return undefined
  }
}

/** Teardown leaves `deleted` in the run directory; apart from that the state is written first, and knows more. */
async function latestOf(records: Records, state: DeployState): Promise<AgentRecord> {
  const record = await agentIn(records)
  // A later step on the same machine has a record of its own there.
  const isSame = record?.startedAt === state.record.startedAt && record.clusterName === state.record.clusterName
  return isSame && record.status === 'deleted' ? record : state.record
}

const isEnded = ({ status, token, clusterId }: AgentRecord): boolean =>
  token === null && (status === 'deleted' || (status === 'failed' && clusterId === null))

/**
 * The safety net, when the job ends: ends cluster and token parameter unless teardown has, or the lease is kept and main
 * had succeeded.
 * @param late the inputs of the login, which the runner evaluates anew: the id token may have expired by now
 * @throws OutsideFault when something is left
 */
export async function endWhatIsLeft(
  context: PostContext,
  state: DeployState | undefined,
  late: LateInput<DeployAction['inputs']>,
  ports: () => Promise<DeployPorts>,
): Promise<void> {
  const { clock, log } = context
  const mask = (secret: string): void => context.mask(secret)
  if (state === undefined) {
    log.info('Nothing was registered, nothing to end.')
    return
  }
  const records = context.runDirectories.open(state.place)
  const record = await latestOf(records, state)
  if (record.clusterId !== null) mask(record.clusterId)
  if (isEnded(record)) {
    log.info(`Cluster ${record.clusterName} has ended already.`)
    return
  }
  const lease = record.leaseId === null ? undefined : await leaseRecord.read(records).catch(() => undefined)
  if (lease?.onJobEnd === 'keep' && record.status === 'active' && record.token === null) {
    log.notice(
      `Cluster ${record.clusterName} is kept with its lease, as on-job-end asks. Teardown with lease-id ${lease.id} ends the machine; in another job it does not know the cluster, which ends by its name in the dashboard of ${record.apiHost}, or by cluster-id and api-base.`,
    )
    return
  }
  log.info(`Cluster ${record.clusterName} at ${record.apiHost} was not ended by teardown: ending it`)
  const { world, hostFor } = await ports()
  const inputs = {
    idToken: late('id-token'),
    userPoolId: late('user-pool-id'),
    clientId: late('client-id'),
    clientSecret: late('client-secret'),
    username: late('username'),
    password: late('password'),
  }
  const token = idTokens(inputs, { clock, credentials: world.credentials, log, mask })
  const clients = world.clientsFor(state.region)
  const left = await endDeployment({
    clock,
    log,
    journal: journal({ ...state, record }, records, () => undefined),
    clients: () => clients,
    api: () => clusterApi({ base: record.apiBase, token, clock, log, mask }),
  })
  // A rented machine ends, and its agent with it.
  if (lease === undefined && record.agent === 'reference')
    await removeAgent(hostFor(clients, state.instanceId)).catch((error: unknown) =>
      log.info(`The agent was not removed from ${state.instanceId}: ${String(error)}`),
    )
  if (left.length === 0) return
  throw new OutsideFault({
    what: [`${left.length} of the deployment could not be ended`, ...left.map(({ what }) => `- ${what}`)].join('\n'),
    advice: [
      `End it by hand: ${left.map(({ byHand }) => byHand).join(' ; ')}`,
      ...(missingOfLogin(inputs).length === 0
        ? []
        : ['With the inputs user-pool-id, client-id, username and password this step logs in again by itself.']),
    ].join('. '),
  })
}
