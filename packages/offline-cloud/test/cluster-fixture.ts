import { AdminInitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider'
import { cognito } from '../src/index.ts'
import type { Rig } from './cloud-fixture.ts'

export interface Reply {
  readonly status: number
  readonly header: (name: string) => string | null
  /** The body as JSON; empty for none. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One call of the cluster API. Rejects when the connection is cut. */
export async function call(
  rig: Rig,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown } = {},
): Promise<Reply> {
  const reply = await fetch(`${rig.cloud.clusterApi}${path}`, {
    method,
    headers: { ...options.headers, connection: 'close' },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  })
  const text = await reply.text()
  return { status: reply.status, header: name => reply.headers.get(name), body: text === '' ? {} : JSON.parse(text) }
}

/** The id and access token of a fresh login with an app client. */
export async function logIn(rig: Rig, clientId: string = cognito.clients.ci.id) {
  const { AuthenticationResult: result } = await rig.cognito.send(
    new AdminInitiateAuthCommand({
      UserPoolId: cognito.poolId,
      ClientId: clientId,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: cognito.users.ci.email, PASSWORD: cognito.users.ci.password },
    }),
  )
  return { idToken: result?.IdToken ?? '', accessToken: result?.AccessToken ?? '' }
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** A registered cluster, before any agent. */
export interface Registered {
  readonly id: string
  readonly tenant: string
  /** The user's header. */
  readonly user: { readonly authorization: string }
  readonly oneTimeToken: string
}

export async function register(rig: Rig): Promise<Registered> {
  const user = bearer((await logIn(rig)).idToken)
  const cluster = await call(rig, 'POST', '/v1/clusters', { headers: user, body: { name: 'ci-gpu-bench' } })
  const id = String(cluster.body['cluster_id'] ?? cluster.body['id'])
  const token = await call(rig, 'POST', `/v1/clusters/${id}/onboarding-token`, { headers: user })
  const tenant = cluster.body['tenant_id']
  return {
    id,
    tenant: typeof tenant === 'string' ? tenant : 'demo-tenant',
    user,
    oneTimeToken: String(token.body['one_time_token']),
  }
}

export const exchange = (rig: Rig, { id, tenant, oneTimeToken }: Registered): Promise<Reply> =>
  call(rig, 'POST', `/v1/clusters/${id}/auth/exchange`, {
    headers: { 'X-Radix-One-Time-Token': oneTimeToken, 'X-Radix-Tenant-Id': tenant },
  })

/** What an agent does, with its token. */
export interface Agent {
  readonly headers: Readonly<Record<string, string>>
  heartbeat(): Promise<Reply>
  poll(most?: number): Promise<readonly Readonly<Record<string, unknown>>[]>
  complete(job: string, report?: object): Promise<Reply>
}

export async function agentOf(rig: Rig, cluster: Registered): Promise<Agent> {
  const { body } = await exchange(rig, cluster)
  const headers = { 'X-Radix-Cluster-Token': String(body['cluster_token']), 'X-Radix-Tenant-Id': cluster.tenant }
  const base = `/v1/clusters/${cluster.id}`
  return {
    headers,
    heartbeat: () =>
      call(rig, 'POST', `${base}/heartbeat`, {
        headers,
        body: { status: 'active', agent_version: '1.0.0', capabilities: { cpu_count: 8, gpus: [], gpu_count: 0 } },
      }),
    async poll(most = 1) {
      const reply = await call(rig, 'POST', `${base}/jobs/poll`, { headers, body: { max_jobs: most } })
      return reply.body['jobs'] as readonly Readonly<Record<string, unknown>>[]
    },
    complete: (job, report = success) =>
      call(rig, 'POST', `${base}/jobs/${job}/complete`, { headers, body: { tenant_id: cluster.tenant, ...report } }),
  }
}

/** What an agent reports of a job that went well. */
export const success = {
  status: 'succeeded',
  output_payload: { stdout: 'canary-output', stderr: '' },
  metrics: { duration_seconds: 85.6, throughput_images_per_sec: 343.2, exit_code: 0 },
  error_message: null,
}

/** Launches a job and gives its id. */
export async function launchJob(rig: Rig, { id, user }: Registered, body: object = resnet): Promise<string> {
  const reply = await call(rig, 'POST', `/v1/clusters/${id}/jobs`, { headers: user, body })
  return String(reply.body['job_id'])
}

export const resnet = { job_kind: 'resnet50_benchmark', params: { epochs: 1, batch_size: 128 } }
