import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { Hono, type Context } from 'hono'
import { XMLParser } from 'fast-xml-parser'
import type { Cloud } from '../cloud.ts'
import { cutReply, type Bindings } from '../cut.ts'
import { requestId } from '../ids.ts'
import type { Artifact } from './artifact-store.ts'
import { callArtifactService, TwirpError } from './artifact-service.ts'
import { defaultClaims } from './claims.ts'

type RequestContext = Context<{ Bindings: Bindings }>

/** GitHub's side: results service, blob store, token endpoint and the issuer's documents. */
export function githubRoutes(cloud: Cloud, requestToken: string): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>()
  app.post('/twirp/github.actions.results.api.v1.ArtifactService/:method', context => twirp(cloud, context))
  app.all('/_github/blobs/:id/:name', context => blob(cloud, context))
  app.get('/_github/token', context => idToken(cloud, context, requestToken))
  app.get('/_github/issuer/.well-known/openid-configuration', context =>
    context.json({
      issuer: cloud.issuer.issuer,
      jwks_uri: `${cloud.issuer.issuer}/.well-known/jwks`,
      subject_types_supported: ['public', 'pairwise'],
      response_types_supported: ['id_token'],
      claims_supported: ['sub', 'aud', 'exp', 'iat', 'iss', 'jti', 'nbf', ...Object.keys(defaultClaims)],
      id_token_signing_alg_values_supported: ['RS256'],
      scopes_supported: ['openid'],
    }),
  )
  app.get('/_github/issuer/.well-known/jwks', context => context.json(cloud.issuer.keys))
  return app
}

const record = (cloud: Cloud, operation: string, outcome: string, parameters: unknown): void =>
  cloud.calls.record({
    at: new Date(cloud.clock.now()).toISOString(),
    service: 'github',
    operation,
    outcome,
    requestId: requestId(),
    parameters,
  })

async function twirp(cloud: Cloud, context: RequestContext): Promise<Response> {
  const operation = context.req.param('method') ?? ''
  const input: unknown = await context.req.json().catch(() => null)
  const target = { service: 'github', operation } as const
  const struck = cloud.faults.take(['results-down', 'server-error', 'throttled', 'denied'], target)
  if (struck !== null) {
    record(cloud, operation, struck.kind, input)
    if (struck.kind === 'throttled') return context.json({ code: 'resource_exhausted', msg: 'too many requests' }, 429)
    if (struck.kind === 'denied') return context.json({ code: 'permission_denied', msg: 'not allowed' }, 403)
    return context.json({ code: 'unavailable', msg: 'the results service is down' }, 503)
  }
  const isLost = cloud.faults.take(['lost-reply'], target) !== null
  try {
    const answer = await callArtifactService(cloud, operation, input, context.req.header('authorization'))
    record(cloud, operation, isLost ? 'lost-reply' : 'ok', input)
    return isLost ? cutReply(context) : context.json(answer)
  } catch (cause) {
    if (!(cause instanceof TwirpError)) throw cause
    record(cloud, operation, isLost ? 'lost-reply' : cause.code, input)
    return isLost ? cutReply(context) : context.json({ code: cause.code, msg: cause.message }, cause.status)
  }
}

// Blob storage: the part of Azure's protocol that the artifact client speaks.
async function blob(cloud: Cloud, context: RequestContext): Promise<Response> {
  const artifact = cloud.artifacts.byId(Number(context.req.param('id')))
  context.header('x-ms-request-id', randomUUID())
  context.header('x-ms-version', '2025-11-05')
  if (artifact === undefined || context.req.query('sig') !== artifact.signature)
    return blobRefusal(context, 'AuthenticationFailed', 403)
  context.header('ETag', `"0x${artifact.id.toString(16).toUpperCase()}"`)
  context.header('Last-Modified', new Date(artifact.createdAt).toUTCString())
  if (context.req.method === 'PUT') return putBlob(cloud, context, artifact)
  if (context.req.method !== 'GET' && context.req.method !== 'HEAD')
    return blobRefusal(context, 'UnsupportedHttpVerb', 405)
  record(cloud, 'GetBlob', artifact.isFinalized ? 'ok' : 'BlobNotFound', { id: artifact.id })
  if (!artifact.isFinalized) return blobRefusal(context, 'BlobNotFound', 404)
  const fileName = artifact.mimeType === 'application/zip' ? `${artifact.name}.zip` : artifact.name
  context.header('Content-Type', artifact.mimeType)
  context.header('Content-Length', String(artifact.size))
  context.header('Content-Disposition', `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`)
  if (context.req.method === 'HEAD') return context.body(null)
  return context.body(contentOf(artifact))
}

/** The bytes of an artifact as a stream. */
export const contentOf = (artifact: Artifact): ReadableStream<Uint8Array> =>
  Readable.toWeb(createReadStream(artifact.path)) as ReadableStream<Uint8Array>

function blobRefusal(context: RequestContext, code: string, status: 400 | 403 | 404 | 405 | 501): Response {
  context.header('x-ms-error-code', code)
  context.header('Content-Type', 'application/xml')
  return context.body(`<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code></Error>`, status)
}

async function putBlob(cloud: Cloud, context: RequestContext, artifact: Artifact): Promise<Response> {
  const kind = context.req.query('comp') ?? ''
  const body = new Uint8Array(await context.req.arrayBuffer())
  if (artifact.isFinalized) return blobRefusal(context, 'AuthenticationFailed', 403)
  if (kind === 'block') {
    await cloud.artifacts.putBlock(artifact, context.req.query('blockid') ?? '', body)
    record(cloud, 'PutBlock', 'ok', { id: artifact.id, bytes: body.length })
  } else if (kind === 'blocklist') {
    const isWhole = await cloud.artifacts.putBlockList(artifact, blockIds(new TextDecoder().decode(body)))
    record(cloud, 'PutBlockList', isWhole ? 'ok' : 'InvalidBlockList', { id: artifact.id })
    if (!isWhole) return blobRefusal(context, 'InvalidBlockList', 400)
  } else if (kind === '') {
    await cloud.artifacts.putContent(artifact, body)
    record(cloud, 'PutBlob', 'ok', { id: artifact.id, bytes: body.length })
  } else return blobRefusal(context, 'NotImplemented', 501)
  context.header('x-ms-request-server-encrypted', 'true')
  return context.body(null, 201)
}

const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, trimValues: true })

// <BlockList><Latest>id</Latest>…</BlockList>; the three names say where a block is to be looked for.
function blockIds(xml: string): readonly string[] {
  const parsed: unknown = parser.parse(xml)
  const list = typeof parsed === 'object' && parsed !== null && 'BlockList' in parsed ? parsed.BlockList : null
  if (typeof list !== 'object' || list === null) return []
  return Object.values(list).flatMap((ids: unknown) => (Array.isArray(ids) ? ids.map(String) : [String(ids)]))
}

async function idToken(cloud: Cloud, context: RequestContext, requestToken: string): Promise<Response> {
  const { audience = 'https://github.com/org', 'api-version': _, ...given } = context.req.query()
  const struck = cloud.faults.take(['server-error', 'denied'], { service: 'github', operation: 'IssueIdToken' })
  const parameters = { audience, ...given }
  if (struck !== null) {
    record(cloud, 'IssueIdToken', struck.kind, parameters)
    return context.json({ message: struck.kind }, struck.kind === 'denied' ? 403 : 500)
  }
  const [, token] = /^bearer (.+)$/i.exec(context.req.header('authorization') ?? '') ?? []
  if (token !== requestToken) {
    record(cloud, 'IssueIdToken', 'Unauthorized', parameters)
    return context.json({ message: 'the bearer token is not the one of this job' }, 401)
  }
  const claims = { ...defaultClaims, ...given }
  const sub = given['sub'] ?? `repo:${claims.repository}:ref:${claims.ref}`
  const value = await cloud.issuer.issue(audience, { ...claims, sub })
  record(cloud, 'IssueIdToken', 'ok', parameters)
  return context.json({ value, count: value.length })
}
