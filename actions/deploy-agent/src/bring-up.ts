import { messageOf, OutsideFault } from '@gpu-actions/action-kit'
import { deleteByHand, deleteParameter, putSecret, tagNames, tokenParameter } from '@gpu-actions/aws'
import {
  agentTrouble,
  imageAgentDefault,
  imageAgentScript,
  installAgent,
  waitForActive,
  type AgentSettings,
  type InstalledAgent,
} from '@gpu-actions/cluster-api'
import { machineEnd } from './place.ts'
import type { DeployContext, Site } from './site.ts'

/** What is put on the machine. */
export interface AgentFiles {
  /** The agent's source. */
  readonly agent: Uint8Array
  /** The benchmark programs, a zipapp. */
  readonly program: Uint8Array
}

interface Parameter {
  readonly name: string
  readonly region: string
}

/** Pull and start of the agent's image, in milliseconds: the script gives the pull ten minutes. */
const imageMs = 11 * 60_000

/** Token, agent, and the wait until it is active; then the outputs. */
export async function bringUp(
  context: DeployContext,
  site: Site,
  more: { readonly tenantId: string; readonly files: AgentFiles },
): Promise<void> {
  const { inputs, log, clock, signal, setOutput } = context
  const { api, host, notes } = site
  const id = notes.now().clusterId
  if (id === null) throw new Error('a cluster without an id')
  const began = clock.now()
  const parameter = await placeToken(context, site, await api.onboardingToken(id, { signal }))
  signal.throwIfAborted()
  const settings: AgentSettings = {
    apiBase: notes.now().apiBase,
    clusterId: id,
    tenantId: more.tenantId,
    execution: 'process',
    benchmark: {
      allowCpu: inputs.allowCpu,
      ...(inputs.stepsPerEpoch === undefined ? {} : { stepsPerEpoch: inputs.stepsPerEpoch }),
      ...(inputs.imageSize === undefined ? {} : { imageSize: inputs.imageSize }),
    },
  }
  const serviceNow = site.clients.serviceNow()
  const lifetimeMs = machineEnd(site.place, serviceNow) - serviceNow
  const installed: Pick<InstalledAgent, 'jobId'> & { readonly version: string | null } =
    inputs.agent === 'image'
      ? await startImage(context, site, settings, parameter)
      : await installAgent(
          host,
          {
            ...more.files,
            settings,
            token: { kind: 'ssm-parameter', ...parameter },
            lifetimeMs: Math.max(lifetimeMs, 600_000),
          },
          log,
        )
  await notes.note({ status: 'installed', agentVersion: installed.version, jobId: installed.jobId })
  const { agentVersion } = await waitForActive(
    api,
    { id, name: notes.now().clusterName },
    { clock, log },
    {
      timeoutMs: inputs.activationTimeout,
      signal,
      ...(inputs.agent === 'reference' ? { trouble: () => agentTrouble(host) } : {}),
    },
  )
  await removeToken(context, site, parameter)
  const version = agentVersion ?? installed.version
  const activationSeconds = Number(((clock.now() - began) / 1000).toFixed(1))
  await notes.note({ status: 'active', agentVersion: version, activationSeconds })
  setOutput('agent-version', version)
  setOutput('activation-seconds', activationSeconds)
}

/** Puts the one-time token where the machine can read it with its own role, and nobody sees it on the way. */
async function placeToken(context: DeployContext, site: Site, value: string): Promise<Parameter> {
  const { inputs, log, run } = context
  const { clients, notes, place, region } = site
  const parameter = { name: tokenParameter(place.id), region }
  await notes.note({ token: { kind: 'ssm-parameter', ...parameter } })
  const stored = await putSecret(clients, {
    name: parameter.name,
    value,
    kmsKeyId: inputs.kmsKeyId,
    tags: {
      ManagedBy: 'github-actions',
      [tagNames.lease]: place.id,
      [tagNames.repository]: run.repository,
      [tagNames.run]: run.runId,
      // For a sweep: with its machine, the token has outlived its purpose.
      [tagNames.expiresAt]: new Date(machineEnd(place, clients.serviceNow())).toISOString(),
    },
  })
  if (stored === 'exists') {
    // Whose it is, nobody knows: it must not be deleted with this deployment.
    await notes.note({ token: null })
    throw new OutsideFault({
      what: `The parameter ${parameter.name} exists already in ${region}, and is not overwritten`,
      advice: `Another step uses it, or has left it behind. When nothing of that runs any more: ${deleteByHand(region, parameter.name)}`,
    })
  }
  log.info(`The one-time token lies encrypted in the parameter ${parameter.name}, for this machine to read.`)
  return parameter
}

/** The agent deletes it as soon as it has used it, where its role may; that it is gone is seen here. */
async function removeToken({ log }: DeployContext, { clients, notes }: Site, { name, region }: Parameter) {
  try {
    await deleteParameter(clients, name)
    await notes.note({ token: null })
    log.info('The parameter with the one-time token is gone.')
  } catch (error) {
    log.warning(
      `The parameter ${name} could not be deleted: ${messageOf(error)}. Its token is spent. It is tried again when the job ends; by hand: ${deleteByHand(region, name)}`,
    )
  }
}

async function startImage(
  { inputs, log, signal }: DeployContext,
  { host }: Site,
  { apiBase, clusterId, tenantId }: AgentSettings,
  parameter: Parameter,
): Promise<{ readonly version: null; readonly jobId: null }> {
  const image = inputs.agentImage ?? imageAgentDefault
  log.info(`Starting the container ${image} on ${host.name}.`)
  const script = imageAgentScript({ image, apiBase, clusterId, tenantId, parameter })
  const { exitCode, output } = await host.run(script, { timeoutMs: imageMs, signal })
  if (exitCode === 0) return { version: null, jobId: null }
  throw new OutsideFault({
    what: `The container ${image} was not started on ${host.name} (exit code ${exitCode}): ${output.trim().slice(-600) || 'it said nothing'}`,
    advice: 'Use an image of the machine that has docker and the AWS CLI, and see whether it reaches the registry.',
  })
}
