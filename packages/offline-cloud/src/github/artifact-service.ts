import { decodeJwt } from 'jose'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import type { Artifact } from './artifact-store.ts'

/** A refusal in Twirp's words: `code` and `msg` travel as JSON, with the status that Twirp gives the code. */
export class TwirpError extends Error {
  override readonly name = 'TwirpError'
  readonly code: keyof typeof statuses

  constructor(code: keyof typeof statuses, message: string) {
    super(message)
    this.code = code
  }

  get status(): (typeof statuses)[keyof typeof statuses] {
    return statuses[this.code]
  }
}

const statuses = {
  malformed: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  bad_route: 404,
  already_exists: 409,
  failed_precondition: 412,
  unavailable: 503,
} as const

const run = { workflow_run_backend_id: v.string(), workflow_job_run_backend_id: v.string() }
const named = v.object({ ...run, name: v.pipe(v.string(), v.minLength(1)) })
const createInput = v.object({ ...named.entries, version: v.optional(v.number()), mime_type: v.optional(v.string()) })
const finalizeInput = v.object({ ...named.entries, size: v.string(), hash: v.optional(v.string()) })
const listInput = v.object({ ...run, name_filter: v.optional(v.string()), id_filter: v.optional(v.string()) })

function read<const S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input)
  if (result.success) return result.output
  throw new TwirpError('malformed', result.issues.map(issue => issue.message).join('; '))
}

/** The run that a runtime token speaks for, from its claim `scp: Actions.Results:<run>:<job>`. */
export function runOf(authorization: string | undefined): string {
  const [, token = ''] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? []
  try {
    const { scp } = decodeJwt(token)
    const scopes = typeof scp === 'string' ? scp.split(' ') : []
    const [, id] = scopes.map(scope => scope.split(':')).find(([name]) => name === 'Actions.Results') ?? []
    if (id !== undefined) return id
  } catch {
    // Not a token at all; refused below like one without the scope.
  }
  throw new TwirpError('unauthenticated', 'token is invalid')
}

type Method = (cloud: Cloud, input: unknown) => Promise<object>

const methods: Readonly<Record<string, Method>> = {
  CreateArtifact: createArtifact,
  FinalizeArtifact: finalizeArtifact,
  ListArtifacts: listArtifacts,
  GetSignedArtifactURL: getSignedArtifactUrl,
  DeleteArtifact: deleteArtifact,
}

/** Carries out a method of GitHub's ArtifactService for the run that the token speaks for. */
export async function callArtifactService(
  cloud: Cloud,
  name: string,
  input: unknown,
  authorization: string | undefined,
): Promise<object> {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (method === undefined)
    throw new TwirpError('bad_route', `The offline cloud does not cover ArtifactService.${name}`)
  const { workflow_run_backend_id: asked } = read(v.object(run), input)
  if (asked !== runOf(authorization))
    throw new TwirpError('permission_denied', 'the token is not for this workflow run')
  return method(cloud, input)
}

const signedUrl = (cloud: Cloud, artifact: Artifact, name: string): string => {
  const expires = new Date(cloud.clock.now() + 3_600_000).toISOString()
  const query = new URLSearchParams({ sv: '2025-11-05', se: expires, sig: artifact.signature })
  return `${cloud.url()}/_github/blobs/${artifact.id}/${encodeURIComponent(name)}?${query.toString()}`
}

async function createArtifact(cloud: Cloud, input: unknown): Promise<object> {
  const request = read(createInput, input)
  const { workflow_run_backend_id: runId, workflow_job_run_backend_id: job, name } = request
  if (cloud.artifacts.byName(runId, name) !== undefined)
    throw new TwirpError('already_exists', 'an artifact with this name already exists on the workflow run')
  const artifact = cloud.artifacts.create({
    run: runId,
    job,
    name,
    mimeType: request.mime_type ?? 'application/zip',
    createdAt: cloud.clock.now(),
  })
  return { ok: true, signed_upload_url: signedUrl(cloud, artifact, 'upload') }
}

const find = (cloud: Cloud, runId: string, name: string): Artifact => {
  const artifact = cloud.artifacts.byName(runId, name)
  if (artifact === undefined) throw new TwirpError('not_found', `artifact ${name} not found`)
  return artifact
}

async function finalizeArtifact(cloud: Cloud, input: unknown): Promise<object> {
  const { workflow_run_backend_id: runId, name, hash } = read(finalizeInput, input)
  const artifact = find(cloud, runId, name)
  const content = await cloud.artifacts.digest(artifact)
  if (content === null) throw new TwirpError('failed_precondition', 'nothing was uploaded')
  if (hash !== undefined && hash !== content.hash)
    throw new TwirpError('failed_precondition', `the hash of the upload is ${content.hash}, not ${hash}`)
  artifact.size = content.size
  artifact.hash = content.hash
  artifact.isFinalized = true
  return { ok: true, artifact_id: String(artifact.id) }
}

async function listArtifacts(cloud: Cloud, input: unknown): Promise<object> {
  const request = read(listInput, input)
  const fitting = cloud.artifacts
    .list()
    .filter(
      artifact =>
        artifact.isFinalized &&
        artifact.run === request.workflow_run_backend_id &&
        (request.name_filter === undefined || artifact.name === request.name_filter) &&
        (request.id_filter === undefined || String(artifact.id) === request.id_filter),
    )
  return {
    artifacts: fitting.map(artifact => ({
      workflow_run_backend_id: artifact.run,
      workflow_job_run_backend_id: artifact.job,
      database_id: String(artifact.id),
      name: artifact.name,
      size: String(artifact.size),
      created_at: new Date(artifact.createdAt).toISOString(),
      ...(artifact.hash === null ? {} : { digest: artifact.hash }),
    })),
  }
}

async function getSignedArtifactUrl(cloud: Cloud, input: unknown): Promise<object> {
  const { workflow_run_backend_id: runId, name } = read(named, input)
  return { name, signed_url: signedUrl(cloud, find(cloud, runId, name), 'download') }
}

async function deleteArtifact(cloud: Cloud, input: unknown): Promise<object> {
  const { workflow_run_backend_id: runId, name } = read(named, input)
  const artifact = find(cloud, runId, name)
  await cloud.artifacts.remove(artifact)
  return { ok: true, artifact_id: String(artifact.id) }
}
