import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AdminInitiateAuthCommand, CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { systemClock, type Clock } from '@gpu-actions/action-kit/ports'
import { localHost, type Host } from '@gpu-actions/host'
import { cognito, startOfflineCloud, type OfflineCloud, type OfflineCloudOptions } from '@gpu-actions/offline-cloud'
import { clusterApi, type ClusterApi } from '../src/index.ts'

/** Waits a fifth of what it is told to. */
export const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 5, signal) }

export const quiet = { debug: () => {}, info: () => {}, warning: () => {} }

/** Here and in the guests. Any Python will do for the agent itself. */
export const python = process.env['GPU_ACTIONS_PYTHON'] ?? 'python3'

export const agentFile = (): Promise<Buffer> => readFile(new URL('../agent/gpu_actions_agent.py', import.meta.url))

/** The benchmark programs as a zipapp, made as the build makes it. */
export async function zipapp(folder: string): Promise<Buffer> {
  const target = join(folder, 'programs.pyz')
  const source = new URL('../../benchmark/programs', import.meta.url).pathname
  await promisify(execFile)(python, ['-m', 'zipapp', source, '-o', target])
  return readFile(target)
}

export interface Rig {
  readonly cloud: OfflineCloud
  readonly api: ClusterApi
  /** This computer, in a folder of its own. */
  readonly host: Host
  readonly folder: string
  readonly masked: readonly string[]
  readonly logins: () => number
  stop(): Promise<void>
}

/** An offline cloud with a client of its cluster API that logs in when it must. */
export async function startRig(options: OfflineCloudOptions = {}): Promise<Rig> {
  const cloud = await startOfflineCloud(options)
  const folder = await mkdtemp(join(tmpdir(), 'gpu-actions-cluster-'))
  const client = new CognitoIdentityProviderClient({
    region: cognito.region,
    endpoint: cloud.url,
    credentials: {
      accessKeyId: cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  })
  const masked: string[] = []
  let logins = 0
  let held: string | undefined
  const logIn = async (): Promise<string> => {
    logins++
    const { AuthenticationResult } = await client.send(
      new AdminInitiateAuthCommand({
        UserPoolId: cognito.poolId,
        ClientId: cognito.clients.ci.id,
        AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: cognito.users.ci.email, PASSWORD: cognito.users.ci.password },
      }),
    )
    return (held = AuthenticationResult?.IdToken ?? '')
  }
  const api = clusterApi({
    base: cloud.clusterApi,
    token: async refused => (held === undefined || held === refused ? logIn() : held),
    clock: hasty,
    log: quiet,
    mask: secret => void masked.push(secret),
  })
  const host = localHost({
    clock: systemClock,
    log: quiet,
    environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder },
    directory: join(folder, 'host'),
  })
  return {
    cloud,
    api,
    host,
    folder,
    masked,
    logins: () => logins,
    stop: async () => {
      client.destroy()
      await cloud.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
