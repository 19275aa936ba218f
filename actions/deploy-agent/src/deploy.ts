import { messageOf, UserFault } from '@gpu-actions/action-kit'
import { idTokens, issuerOf } from '@gpu-actions/aws'
import { ApiFault, clusterApi, codeOf, reachBase, readBase, type AgentRecord } from '@gpu-actions/cluster-api'
import { bringUp, type AgentFiles } from './bring-up.ts'
import { clusterName } from './cluster-name.ts'
import { giveUp } from './give-up.ts'
import { journal } from './journal.ts'
import { placeOf, type Place } from './place.ts'
import type { DeployPorts } from './real-ports.ts'
import type { DeployContext, Site } from './site.ts'

/**
 * Registers the machine as a cluster and brings its agent to life. What fails after the registration ends what was made
 * by then; what is killed is ended by post.
 */
export async function deploy(context: DeployContext, ports: DeployPorts, files: AgentFiles): Promise<void> {
  const site = await explore(context, ports)
  const tenantId = await register(context, site)
  try {
    await bringUp(context, site, { tenantId, files })
  } catch (fault) {
    // The runner kills a cancelled step within seconds: post ends what was begun.
    context.signal.throwIfAborted()
    throw await giveUp(context, site, fault)
  }
}

/** Everything that must be right before anything is registered. */
async function explore(context: DeployContext, ports: DeployPorts): Promise<Site> {
  const { inputs, log, clock, signal } = context
  const { productionHosts, onProduction, apiBase, instanceId, idToken } = inputs
  const region = inputs.awsRegion ?? ports.world.environmentRegion
  if (region === undefined)
    throw new UserFault(`The region of ${instanceId} is not known`, [
      'aws-region: give it, or set AWS_REGION (aws-actions/configure-aws-credentials does)',
    ])
  const issuer = issuerOf(idToken)
  const base = readBase(apiBase, { productionHosts, onProduction, ...(issuer === undefined ? {} : { issuer }) }, log)
  const place = await placeOf(inputs, context.runDirectories)
  const clients = ports.world.clientsFor(region)
  const host = ports.hostFor(clients, instanceId)
  log.info(`Looking whether the cluster API at ${base.host} answers, and ${host.name}.`)
  await Promise.all([reachBase(base, { clock, signal }), host.run(':\n', { timeoutMs: 30_000, signal })])

  const secrets = [idToken, inputs.password, inputs.clientSecret].filter(secret => secret !== undefined)
  const mask = (secret: string): void => {
    secrets.push(secret)
    context.mask(secret)
  }
  const watch = watchedFetch()
  const root = base.href.replace(/\/+$/, '')
  const token = idTokens(inputs, { clock, credentials: ports.world.credentials, log, mask, signal })
  const api = clusterApi({ base: root, token, clock, log, mask, fetch: watch.fetch })
  const record = firstRecord(context, { place, host: host.name, apiBase: root, apiHost: api.host })
  const records = context.runDirectories.open(place.id)
  const notes = journal({ place: place.id, instanceId, region, record }, records)
  return { place, region, clients, host, api, records, notes, secrets, unanswered: watch.unanswered }
}

function firstRecord(
  { inputs, run, clock }: DeployContext,
  { place, ...known }: Pick<AgentRecord, 'host' | 'apiBase' | 'apiHost'> & { readonly place: Place },
): AgentRecord {
  const id = place.leaseId ?? `${run.runId}-${run.attempt}-${inputs.instanceId.slice(-8)}`
  return {
    schema: 'gpu-actions/agent@1',
    ...known,
    leaseId: place.leaseId,
    clusterName: clusterName(inputs.clusterName, id),
    clusterId: null,
    agent: inputs.agent,
    agentVersion: null,
    activationSeconds: null,
    status: 'registering',
    error: null,
    token: null,
    jobId: null,
    startedAt: new Date(clock.now()).toISOString(),
    endedAt: null,
  }
}

/** Tells whether any request may have been carried out although its caller was not told so. */
function watchedFetch(): { readonly fetch: typeof fetch; readonly unanswered: () => boolean } {
  let unanswered = false
  return {
    unanswered: () => unanswered,
    fetch: async (...request) => {
      try {
        const response = await fetch(...request)
        unanswered ||= response.status >= 500
        return response
      } catch (error) {
        unanswered = true
        throw error
      }
    },
  }
}

/** @returns the tenant */
async function register({ clock, log, signal, setOutput }: DeployContext, site: Site): Promise<string> {
  const { api, notes, region } = site
  const { clusterName: name } = notes.now()
  await notes.note({})
  try {
    // Not ended by the signal: a registration whose reply nobody hears could not be taken back.
    const cluster = await api.register({ name, region })
    await notes.note({ clusterId: cluster.id, status: 'registered' })
    setOutput('cluster-id', cluster.id)
    log.info(`Cluster ${name} is registered at ${api.host}.`)
    if (site.unanswered() && (await api.find(name)) === null)
      log.warning(
        `A reply of ${api.host} was lost, and it does not list clusters: a second cluster named ${name} may be there, without an agent. Look in its dashboard, and delete the one that is not active.`,
      )
    signal.throwIfAborted()
    return cluster.tenantId
  } catch (fault) {
    if (notes.now().clusterId === null) {
      // Only when every request was answered is it sure that none made a cluster: else post looks for it.
      const isRefused = !site.unanswered() && (!(fault instanceof ApiFault) || codeOf(fault) !== undefined)
      const endedAt = new Date(clock.now()).toISOString()
      await notes.note({ error: messageOf(fault), endedAt, ...(isRefused ? { status: 'failed' } : {}) })
    }
    throw fault
  }
}
