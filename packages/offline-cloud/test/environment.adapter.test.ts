import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { DescribeRegionsCommand, EC2Client } from '@aws-sdk/client-ec2'
import { DefaultArtifactClient } from '@actions/artifact'
import { getIDToken } from '@actions/core'
import { decodeJwt } from 'jose'
import { startRig, stopRigs, type Rig } from './cloud-fixture.ts'

let rig: Rig
let directory: string
const client = new DefaultArtifactClient()
const given = new Map<string, string | undefined>()

beforeAll(async () => {
  // The client tells the runner's log everything it does; here nobody reads it.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true)
  rig = await startRig()
  directory = await mkdtemp(join(tmpdir(), 'offline-artifacts-'))
  const wanted = {
    ...rig.cloud.env,
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: directory,
    RUNNER_TEMP: directory,
  }
  for (const [name, value] of Object.entries(wanted)) {
    given.set(name, process.env[name])
    process.env[name] = value
  }
})

afterAll(async () => {
  for (const [name, value] of given) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  jest.restoreAllMocks()
  await stopRigs()
  await rm(directory, { recursive: true, force: true })
})

async function upload(name: string, content: string | Uint8Array): Promise<{ id?: number; digest?: string }> {
  const folder = join(directory, name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'evidence.json'), content)
  return client.uploadArtifact(name, [join(folder, 'evidence.json')], folder, { retentionDays: 1 })
}

test('The environment alone points an AWS client at the cloud, and the reply carries the time of the cloud', async () => {
  await rig.advance(86_400)
  const ec2 = new EC2Client({})
  let date = ''
  ec2.middlewareStack.add(
    next => async args => {
      const result = await next(args)
      date = (result.response as { headers: Record<string, string> }).headers['date'] ?? ''
      return result
    },
    { step: 'deserialize' },
  )
  const { Regions } = await ec2.send(new DescribeRegionsCommand({}))
  expect(Regions?.map(({ RegionName }) => RegionName)).toContain('us-west-2')
  expect(Date.parse(date) - Date.now()).toBeGreaterThan(86_000_000)
})

test('The real getIDToken gets a token for the audience that it asks for', async () => {
  expect(decodeJwt(await getIDToken('sts.amazonaws.com'))).toMatchObject({
    aud: 'sts.amazonaws.com',
    ref_type: 'branch',
  })
})

describe('the real artifact client', () => {
  test('uploads, lists, gets, downloads with its digest, and deletes', async () => {
    const { id = 0, digest = '' } = await upload('evidence', '{"a":1}')
    const { artifacts } = await client.listArtifacts()
    expect(artifacts.map(artifact => [artifact.name, artifact.id])).toEqual([['evidence', id]])
    const { artifact } = await client.getArtifact('evidence')
    expect(artifact.digest).toBe(`sha256:${digest}`)
    const path = join(directory, 'out')
    const { digestMismatch } = await client.downloadArtifact(id, { path, expectedHash: `sha256:${digest}` })
    expect(digestMismatch).toBe(false)
    expect(await readFile(join(path, 'evidence.json'), 'utf8')).toBe('{"a":1}')
    const direct = await fetch(`${rig.cloud.url}/_offline/artifacts/evidence`)
    const kept = rig.cloud.state().artifacts[0]
    expect(Buffer.from(await direct.arrayBuffer())).toEqual(await readFile(kept?.path ?? ''))
    expect(kept).toMatchObject({ name: 'evidence', finalized: true, id })
    await client.deleteArtifact('evidence')
    expect((await client.listArtifacts()).artifacts).toEqual([])
    expect((await fetch(`${rig.cloud.url}/_offline/artifacts/evidence`)).status).toBe(404)
  })

  test('puts a big artifact together from its blocks', async () => {
    const bytes = randomBytes(20 * 1024 * 1024)
    const { id = 0 } = await upload('big', bytes)
    expect(rig.cloud.state().calls['github:PutBlock']).toBeGreaterThanOrEqual(3)
    const path = join(directory, 'big-out')
    await client.downloadArtifact(id, { path })
    expect((await readFile(join(path, 'evidence.json'))).equals(bytes)).toBe(true)
  }, 60_000)

  test('meets a conflict when the name is taken, without repeating the call', async () => {
    await upload('taken', 'one')
    const before = rig.cloud.state().calls['github:CreateArtifact'] ?? 0
    await expect(upload('taken', 'two')).rejects.toThrow(/\(409\) Conflict.*already exists on the workflow run/)
    expect(rig.cloud.state().calls['github:CreateArtifact']).toBe(before + 1)
  })

  test('is let in only with a token of the run', async () => {
    const call = (authorization: string) =>
      fetch(`${rig.cloud.url}/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts`, {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify({ workflow_run_backend_id: 'other', workflow_job_run_backend_id: 'job' }),
      })
    expect((await call('Bearer nonsense')).status).toBe(401)
    expect((await call(`Bearer ${rig.cloud.env['ACTIONS_RUNTIME_TOKEN']}`)).status).toBe(403)
  })

  test('finds the service down while that fault lasts', async () => {
    rig.cloud.addFaults([{ kind: 'results-down' }])
    const call = () =>
      fetch(`${rig.cloud.url}/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts`, { method: 'POST' })
    expect((await call()).status).toBe(503)
    expect((await call()).status).toBe(400)
  })
})
