import { OutsideFault, type Clock, type Log } from '@gpu-actions/action-kit'
import { idTokens, missingOfLogin, type AwsWorld, type IdTokenInputs } from '@gpu-actions/aws'
import { ApiFault, clusterApi, readBase, type ClusterApi } from '@gpu-actions/cluster-api'
import type { Resource } from '@gpu-actions/lease'

/** A cluster that is to end, as far as it is known. */
export interface Cluster {
  /** null when the step that registered it ended before the reply came */
  readonly id: string | null
  /** null for one that only an input names */
  readonly name: string | null
  /** undefined: nobody said where it is. */
  readonly apiBase: string | undefined
}

export interface ClusterPorts {
  readonly clock: Clock
  readonly log: Log
  readonly mask: (secret: string) => void
  readonly login: IdTokenInputs
  /** Of AWS, for a new login. */
  readonly credentials: AwsWorld['credentials']
  /** Aborts when time is up. */
  readonly signal: AbortSignal
}

/** So long may one request take, in milliseconds: several must fit into the time of a teardown. */
const requestMs = 10_000

const passes = ({ trouble }: ApiFault): boolean =>
  trouble.kind === 'transport' || (trouble.kind === 'answered' && (trouble.code === 429 || trouble.code >= 500))

const hostOf = (apiBase: string | undefined): string => URL.parse(apiBase ?? '')?.host || 'an unknown API'

/** @throws UserFault, OutsideFault when no call can be made */
function open({ apiBase, name }: Cluster, { clock, credentials, log, mask, login }: ClusterPorts): ClusterApi {
  const called = name === null ? 'the cluster' : `cluster ${name}`
  if (apiBase === undefined)
    throw new OutsideFault({
      what: `Where ${called} is registered is not known`,
      advice: 'Give api-base beside cluster-id.',
    })
  if (login.idToken === undefined && missingOfLogin(login).length > 0)
    throw new OutsideFault({
      what: `There is no id token to end ${called} with, and no whole login (${missingOfLogin(login).join(', ')} not given)`,
      advice: 'Give teardown id-token, or user-pool-id, client-id, username and password.',
    })
  // It is to end wherever it is: which hosts are production does not matter here.
  const url = readBase(apiBase, { productionHosts: [], onProduction: 'warn' }, log)
  return clusterApi({
    base: url.href,
    token: idTokens(login, { clock, credentials, log, mask }),
    clock,
    log,
    mask,
    requestMs,
  })
}

/** A cluster as something that a teardown ends. Nothing is asked of its API yet. */
export function clusterResource(cluster: Cluster, ports: ClusterPorts): Resource {
  const { apiBase, name } = cluster
  const { signal } = ports
  const place = hostOf(apiBase)
  if (cluster.id !== null) ports.mask(cluster.id)
  let opened: ClusterApi | undefined
  const api = (): ClusterApi => (opened ??= open(cluster, ports))
  let found: readonly string[] | undefined = cluster.id === null ? undefined : [cluster.id]

  /** The ids that may be of this cluster: the one that is known, else those with its name. */
  async function ids(): Promise<readonly string[]> {
    found ??= (await api().find(name ?? '', { signal })) ?? undefined
    if (found !== undefined) return found
    throw new OutsideFault({
      what: `Whether cluster ${name} was registered at ${place} is not known: its step ended before the reply came, and this API does not list clusters`,
      advice: 'Look in its dashboard.',
    })
  }
  const inTime = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (!signal.aborted || error instanceof OutsideFault) throw error
      throw new Error(`${place} did not answer in time`, { cause: error })
    }
  }

  return {
    kind: 'cluster',
    id: cluster.id ?? name ?? 'unknown',
    name,
    place,
    account: null,
    consoleLink: apiBase ?? 'the dashboard of its API',
    byHand: `curl --fail -X DELETE -H "Authorization: Bearer $ID_TOKEN" '${apiBase ?? '<api-base>'}/v1/clusters/${encodeURIComponent(cluster.id ?? '<its id>')}'`,
    end: () =>
      inTime(async () => {
        for (const id of await ids()) await api().delete(id, { signal })
      }),
    isGone: () =>
      inTime(async () => {
        for (const id of await ids()) {
          const report = await api().cluster(id, { signal })
          if (report !== null && report.word !== 'deleted') return false
        }
        return true
      }),
    isFinal: error => !(error instanceof ApiFault && passes(error)),
  }
}
