import { GetParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import { startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { awsClients, deleteParameter, putSecret, type AwsClients } from '../src/index.ts'

jest.setTimeout(60_000)

const value = 'canary-one-time-5b1f'
let cloud: OfflineCloud
let clients: AwsClients
let environment: NodeJS.ProcessEnv
let count = 0
beforeAll(async () => {
  environment = { ...process.env }
  cloud = await startOfflineCloud({ python: null })
  process.env['AWS_ENDPOINT_URL'] = cloud.env['AWS_ENDPOINT_URL']
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = cloud.env
  clients = awsClients({ region: 'us-west-2', credentials: { accessKeyId, secretAccessKey } })
})
afterAll(async () => {
  process.env = environment
  await cloud.stop()
})
afterEach(async () => void (await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })))

const secret = () => ({
  name: `/gpu-actions/1-1-${++count}/onboarding-token`,
  value,
  tags: { 'gpu-actions:lease': '1' },
})
const read = async (name: string): Promise<string | undefined> =>
  (await clients.ssm().send(new GetParameterCommand({ Name: name, WithDecryption: true }))).Parameter?.Value
const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'it did not fail',
    (error: unknown) => describeFailure(error).message,
  )

describe('a secret parameter', () => {
  test('is stored encrypted, and deleted with the proof that it is gone', async () => {
    const one = secret()
    await putSecret(clients, one)
    expect(cloud.state().parameters).toContainEqual({ name: one.name, type: 'SecureString' })
    expect(await read(one.name)).toBe(value)
    const before = cloud.state().callLog.length
    expect(await deleteParameter(clients, one.name)).toBe('deleted')
    expect(
      cloud
        .state()
        .callLog.slice(before)
        .map(({ outcome }) => outcome),
    ).toEqual(['ok', 'ParameterNotFound'])
    expect(await deleteParameter(clients, one.name)).toBe('was-gone')
  })

  test('is never overwritten', async () => {
    const one = secret()
    expect(await putSecret(clients, one)).toBe('stored')
    expect(await putSecret(clients, { ...one, value: 'another' })).toBe('exists')
    expect(await read(one.name)).toBe(value)
  })

  test('is stored once when the reply is lost', async () => {
    cloud.addFaults([{ kind: 'lost-reply', operation: 'PutParameter' }])
    const one = secret()
    expect(await putSecret(clients, one)).toBe('stored')
    expect(await read(one.name)).toBe(value)
  })

  test('is gone when the reply to its deletion is lost', async () => {
    const one = secret()
    await putSecret(clients, one)
    cloud.addFaults([{ kind: 'lost-reply', operation: 'DeleteParameter' }])
    await deleteParameter(clients, one.name)
    expect(cloud.state().parameters.map(({ name }) => name)).not.toContain(one.name)
  })

  test.each([
    ['PutParameter', () => putSecret(clients, secret())],
    ['DeleteParameter', () => deleteParameter(clients, secret().name)],
  ] as const)('names the permission for %s that the role lacks, and no secret', async (operation, work) => {
    cloud.addFaults([{ kind: 'denied', operation, count: null }])
    const failure = await failureOf(work())
    expect(failure).toContain(`Allow ssm:${operation}`)
    expect(failure).not.toContain(value)
  })

  test('shows no value that the service quotes in its refusal', async () => {
    const quoting = awsClients({ region: 'us-west-2' })
    quoting.ssm().middlewareStack.add(
      () => async () => {
        throw Object.assign(new Error(`Value '${value}' at 'value' failed`), { name: 'ValidationException' })
      },
      { step: 'initialize' },
    )
    const failure = await failureOf(putSecret(quoting, secret()))
    expect(failure).toContain("Value '***' at 'value' failed")
    expect(failure).not.toContain(value)
  })
})
