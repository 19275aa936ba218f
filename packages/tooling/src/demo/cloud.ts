import { readFile } from 'node:fs/promises'
import { readScenario, startOfflineCloud } from '@gpu-actions/offline-cloud'
import type { CloudState, Scenario } from '@gpu-actions/offline-cloud'
import { parse } from 'yaml'
import { CommandFault } from './command.ts'

/** A cloud that a workflow runs against, whoever started it. */
export interface Cloud {
  readonly url: string
  /** What the runner gives to steps. No AWS keys: a workflow gets its own through OIDC, as it would on GitHub. */
  readonly env: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

const needed = ['AWS_ENDPOINT_URL', 'ACTIONS_RESULTS_URL', 'ACTIONS_RUNTIME_TOKEN'] as const
const forTokens = ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'] as const

const isLocal = (url: string) => ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)

/** The variables of a cloud that reach a step; the SDK may look for credentials nowhere else. */
export function stepEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const missing = needed.filter(name => !env[name])
  if (missing.length > 0)
    throw new CommandFault(`the cloud in AWS_ENDPOINT_URL needs these variables too: ${missing.join(', ')}`)
  const picked = [...needed, ...forTokens].flatMap(name => (env[name] ? [[name, env[name]] as const] : []))
  for (const [name, value] of picked) {
    if (name.endsWith('_URL') && !isLocal(value))
      throw new CommandFault(`${name} must point at this machine, not at ${value}`)
  }
  return { ...Object.fromEntries(picked), AWS_EC2_METADATA_DISABLED: 'true' }
}

/** The cloud in AWS_ENDPOINT_URL, else an offline cloud of our own. Nothing beyond this machine can be called. */
export async function openCloud(scenarioFile?: string): Promise<Cloud> {
  const url = process.env['AWS_ENDPOINT_URL']
  if (url !== undefined && url !== '') {
    if (scenarioFile !== undefined)
      throw new CommandFault('--scenario is for a cloud started here, but AWS_ENDPOINT_URL is set')
    return { url, env: stepEnvironment(process.env), stop: async () => {} }
  }
  const scenario = scenarioFile === undefined ? {} : await scenarioOf(scenarioFile)
  const cloud = await startOfflineCloud({ scenario })
  return { url: cloud.url, env: stepEnvironment(cloud.env), stop: () => cloud.stop() }
}

async function scenarioOf(file: string): Promise<Scenario> {
  try {
    return readScenario(parse(await readFile(file, 'utf8')) ?? {})
  } catch (cause) {
    throw new CommandFault(`--scenario ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** What lives in the cloud, and every call that was counted. */
export async function viewCloud(url: string): Promise<CloudState> {
  const reply = await fetch(new URL('/_offline/state', url))
  if (!reply.ok) throw new CommandFault(`${url} is no offline cloud: ${reply.status}`)
  return (await reply.json()) as CloudState
}

export const fetchArtifact = async (url: string, name: string): Promise<Uint8Array> => {
  const reply = await fetch(new URL(`/_offline/artifacts/${encodeURIComponent(name)}`, url))
  if (!reply.ok) throw new Error(`the artifact ${name} could not be fetched: ${reply.status}`)
  return new Uint8Array(await reply.arrayBuffer())
}

export const isAnythingAlive = ({ living }: Pick<CloudState, 'living'>) =>
  Object.values(living).some(count => count > 0)

/** `0 instances, 0 volumes, 0 interfaces, 0 clusters, 0 spotRequests` */
export const describeLiving = ({ living }: Pick<CloudState, 'living'>) =>
  Object.entries(living)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ')
