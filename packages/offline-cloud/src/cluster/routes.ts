import { setTimeout as delay } from 'node:timers/promises'
import { Hono, type Context } from 'hono'
import type { Cloud } from '../cloud.ts'
import { cutReply, type Bindings } from '../cut.ts'
import type { FaultKind } from '../faults.ts'
import { requestId } from '../ids.ts'
import { completeJob, exchangeToken, heartbeat, pollJobs } from './agent.ts'
import { requireUser } from './authorizer.ts'
import {
  createCluster,
  createOnboardingToken,
  deleteCluster,
  getCluster,
  getInstaller,
  getPolicy,
  listClusters,
  putPolicy,
} from './clusters.ts'
import { createContainerJob, createJob, getJob } from './jobs.ts'
import { ApiRefusal } from './refusal.ts'
import type { ApiAnswer, ApiRequest } from './request.ts'

interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly operation: string
  /** Whether the gateway asks for a user's ID token; the agent's calls check their own tokens. */
  readonly isForUsers: boolean
  readonly answer: (cloud: Cloud, request: ApiRequest) => ApiAnswer
}

type RequestContext = Context<{ Bindings: Bindings }>

const route = (
  method: Route['method'],
  path: string,
  operation: string,
  answer: Route['answer'],
  isForUsers = true,
): Route => ({ method, path, operation, answer, isForUsers })

const health = (): ApiAnswer => ({ body: { status: 'ok' } })

const routes: readonly Route[] = [
  route('GET', '/', 'Health', health, false),
  route('GET', '/health', 'Health', health, false),
  route('POST', '/v1/clusters', 'CreateCluster', createCluster),
  route('GET', '/v1/clusters', 'ListClusters', listClusters),
  route('GET', '/v1/clusters/:id', 'GetCluster', getCluster),
  route('DELETE', '/v1/clusters/:id', 'DeleteCluster', deleteCluster),
  route('POST', '/v1/clusters/:id/onboarding-token', 'CreateOnboardingToken', createOnboardingToken),
  route('GET', '/v1/admin/clusters/:id/policy', 'GetPolicy', getPolicy),
  route('POST', '/v1/admin/clusters/:id/policy', 'PutPolicy', putPolicy),
  route('POST', '/v1/clusters/:id/jobs', 'CreateJob', createJob),
  route('POST', '/v1/jobs', 'CreateJob', createContainerJob),
  route('GET', '/v1/clusters/:id/install.sh', 'GetInstaller', getInstaller, false),
  route('POST', '/v1/clusters/:id/auth/exchange', 'ExchangeToken', exchangeToken, false),
  route('POST', '/v1/clusters/:id/heartbeat', 'Heartbeat', heartbeat, false),
  route('POST', '/v1/clusters/:id/jobs/poll', 'PollJobs', pollJobs, false),
  route('POST', '/v1/clusters/:id/jobs/:job/complete', 'CompleteJob', completeJob, false),
]

const noRoute = (): ApiRefusal => new ApiRefusal(404, 'NotFound', 'Not Found')

const statusPaths = ['/v1/jobs/{job}', '/v1/clusters/{id}/jobs/{job}', '/v1/jobs/{job}/status'] as const

/** The cluster API below its base. */
export function clusterRoutes(cloud: Cloud): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>()
  // Only one of the paths gives the status of a job; on the others there is nothing, whoever asks.
  const status = statusPaths.map(path => {
    const answer: Route['answer'] =
      path === cloud.clusterApi.statusPath
        ? getJob
        : () => {
            throw noRoute()
          }
    const own = path.replaceAll(/\{(\w+)\}/g, ':$1')
    return route('GET', own, 'GetJob', answer, path === cloud.clusterApi.statusPath)
  })
  for (const one of [...routes, ...status]) app.on(one.method, one.path, context => serve(cloud, one, context))
  app.all('*', context => context.json({ message: noRoute().message }, 404))
  return app
}

async function serve(cloud: Cloud, { operation, isForUsers, answer }: Route, context: RequestContext) {
  const id = requestId()
  const text = await context.req.text()
  const { params, body } = { params: context.req.param() as Readonly<Record<string, string>>, body: json(text) }
  const target = { service: 'cluster', operation } as const
  const take = (...kinds: FaultKind[]) => cloud.faults.take(kinds, target)
  const log = (outcome: string): void => {
    const at = new Date(cloud.clock.now()).toISOString()
    const parameters = { ...params, ...loggable(body) }
    cloud.calls.record({ at, service: 'cluster', operation, outcome, requestId: id, parameters })
  }
  const slow = take('slow-reply')
  if (slow !== null) await delay((slow.seconds ?? 5) * 1000)
  if (take('drop-request') !== null) {
    log('drop-request')
    return cutReply(context)
  }
  const struck = take('server-error', 'throttled', 'denied')
  const isLost = struck === null && take('lost-reply') !== null
  context.header('apigw-requestid', id)
  try {
    if (struck !== null) throw refusalOf(struck.kind)
    if (body === undefined) throw new ApiRefusal(400, 'BadRequest', 'The body is not JSON')
    const header = (name: string): string | undefined => context.req.header(name)
    const user = isForUsers ? await requireUser(cloud, header) : ''
    const given = answer(cloud, { header, params, body, user })
    log(isLost ? 'lost-reply' : 'ok')
    return isLost ? cutReply(context) : written(cloud, context, operation, given)
  } catch (cause) {
    if (!(cause instanceof ApiRefusal)) throw cause
    log(isLost ? 'lost-reply' : (struck?.kind ?? cause.code))
    if (isLost) return cutReply(context)
    if (cause.challenge !== null) context.header('WWW-Authenticate', cause.challenge)
    return context.json({ message: cause.message }, cause.status)
  }
}

function written(cloud: Cloud, context: RequestContext, operation: string, { body, contentType }: ApiAnswer) {
  const codes: Readonly<Record<string, number>> = cloud.clusterApi.successCodes
  const status = codes[operation] ?? 200
  if (status === 204 || status === 205) return new Response(null, { status, headers: context.res.headers })
  const headers = new Headers(context.res.headers)
  headers.set('Content-Type', contentType ?? 'application/json')
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })
}

// In the words of the gateway before the API.
function refusalOf(kind: FaultKind): ApiRefusal {
  if (kind === 'throttled') return new ApiRefusal(429, 'TooManyRequests', 'Too Many Requests')
  if (kind === 'denied') return new ApiRefusal(403, 'Forbidden', 'Forbidden')
  return new ApiRefusal(503, 'ServiceUnavailable', 'Service Unavailable')
}

function json(text: string): unknown {
  if (text.trim() === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// What a job prints and what its environment holds stays out of the list of calls.
function loggable(body: unknown): object {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return {}
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) =>
      name === 'output_payload' || name === 'env' || name.includes('token') ? [name, '***'] : [name, value],
    ),
  )
}
