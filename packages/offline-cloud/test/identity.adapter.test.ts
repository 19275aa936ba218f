import { DescribeInstancesCommand } from '@aws-sdk/client-ec2'
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import { afterAll, describe, expect, test } from '@jest/globals'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { refusal, startRig, stopRigs, type Keys, type Rig } from './cloud-fixture.ts'

afterAll(stopRigs)

const role = 'arn:aws:iam::123456789012:role/gpu-actions-ci'

/** What core.getIDToken does. */
async function idToken(rig: Rig, audience = 'sts.amazonaws.com', more = ''): Promise<string> {
  const { env } = rig.cloud
  const reply = await fetch(`${env['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=${encodeURIComponent(audience)}${more}`, {
    headers: { authorization: `bearer ${env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}` },
  })
  const { value } = (await reply.json()) as { value: string }
  return value
}

const assume = (rig: Rig, WebIdentityToken: string, more: { RoleArn?: string; DurationSeconds?: number } = {}) =>
  rig.sts.send(
    new AssumeRoleWithWebIdentityCommand({ RoleArn: role, RoleSessionName: 'ci', WebIdentityToken, ...more }),
  )

async function sessionKeys(rig: Rig, DurationSeconds = 900): Promise<Keys> {
  const { Credentials } = await assume(rig, await idToken(rig), { DurationSeconds })
  return {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  }
}

describe("GitHub's token endpoint", () => {
  test('gives a token that its published keys and issuer verify', async () => {
    const rig = await startRig()
    const token = await idToken(rig, 'https://example.com', '&repository=octo/gpu&run_id=42')
    const { iss } = decodeJwt(token)
    const discovery = await fetch(`${iss}/.well-known/openid-configuration`)
    const { jwks_uri, issuer } = (await discovery.json()) as { jwks_uri: string; issuer: string }
    const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
      issuer,
      audience: 'https://example.com',
    })
    expect(protectedHeader.alg).toBe('RS256')
    expect(payload).toMatchObject({ sub: 'repo:octo/gpu:ref:refs/heads/main', repository: 'octo/gpu', run_id: '42' })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300)
  })

  test('wants the bearer token of the job', async () => {
    const rig = await startRig()
    const reply = await fetch(`${rig.cloud.env['ACTIONS_ID_TOKEN_REQUEST_URL']}`, {
      headers: { authorization: 'bearer x' },
    })
    expect(reply.status).toBe(401)
  })
})

describe('AssumeRoleWithWebIdentity', () => {
  test('turns a token of GitHub into credentials that work, under the name of the role', async () => {
    const rig = await startRig()
    const clients = rig.clients({ keys: await sessionKeys(rig) })
    const identity = await clients.sts.send(new GetCallerIdentityCommand({}))
    expect(identity).toMatchObject({
      Account: '123456789012',
      Arn: 'arn:aws:sts::123456789012:assumed-role/gpu-actions-ci/ci',
    })
    expect((await clients.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([])
  })

  test('refuses tokens that are for others, too old, forged, or not tokens', async () => {
    const rig = await startRig()
    expect(await refusal(assume(rig, await idToken(rig, 'https://example.com')))).toBe('InvalidIdentityTokenException')
    const other = await startRig()
    expect(await refusal(assume(rig, await idToken(other)))).toBe('InvalidIdentityTokenException')
    expect(await refusal(assume(rig, 'nonsense'))).toBe('InvalidIdentityTokenException')
    const old = await idToken(rig)
    await rig.advance(301)
    expect(await refusal(assume(rig, old))).toBe('ExpiredTokenException')
  })

  test('refuses unknown roles and subjects, and durations that the role does not allow', async () => {
    const rig = await startRig()
    const unknown = { RoleArn: 'arn:aws:iam::123456789012:role/other' }
    const error = await assume(rig, await idToken(rig), unknown).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })
    const stranger = await idToken(rig, 'sts.amazonaws.com', '&sub=user:mallory')
    expect(await refusal(assume(rig, stranger))).toBe('AccessDenied')
    expect(await refusal(assume(rig, await idToken(rig), { DurationSeconds: 7200 }))).toBe('ValidationError')
    expect(await refusal(assume(rig, await idToken(rig), { DurationSeconds: 60 }))).toBe('ValidationError')
  })

  test('gives credentials that expire on the clock of the cloud, each service in its own words', async () => {
    const rig = await startRig()
    const clients = rig.clients({ keys: await sessionKeys(rig, 900) })
    await rig.advance(898)
    expect(await refusal(clients.ec2.send(new DescribeInstancesCommand({})))).toBe('none')
    await rig.advance(3)
    expect(await refusal(clients.ec2.send(new DescribeInstancesCommand({})))).toBe('RequestExpired')
    expect(await refusal(clients.ssm.send(new DescribeInstanceInformationCommand({})))).toBe('ExpiredTokenException')
    expect(await refusal(clients.sts.send(new GetCallerIdentityCommand({})))).toBe('ExpiredToken')
    const fresh = rig.clients({ keys: await sessionKeys(rig) })
    expect(await refusal(fresh.ec2.send(new DescribeInstancesCommand({})))).toBe('none')
  })

  test('leaves no token in the list of calls', async () => {
    const rig = await startRig()
    const token = await idToken(rig)
    await assume(rig, token)
    expect(rig.cloud.state().calls['sts:AssumeRoleWithWebIdentity']).toBe(1)
    expect(JSON.stringify(rig.cloud.state())).not.toContain(token)
  })
})

describe('credentials', () => {
  test('of the environment stand for the user of the account', async () => {
    const rig = await startRig()
    expect((await rig.sts.send(new GetCallerIdentityCommand({}))).Arn).toBe('arn:aws:iam::123456789012:user/offline')
  })

  test('that STS never gave out, and those of a session with another token, are refused', async () => {
    const rig = await startRig()
    const made = rig.clients({ keys: { accessKeyId: 'ASIAMADEUP0000000000', secretAccessKey: 'x', sessionToken: 'y' } })
    expect(await refusal(made.ec2.send(new DescribeInstancesCommand({})))).toBe('AuthFailure')
    const keys = await sessionKeys(rig)
    const mixed = rig.clients({ keys: { ...keys, sessionToken: 'another' } })
    expect(await refusal(mixed.ssm.send(new DescribeInstanceInformationCommand({})))).toBe(
      'UnrecognizedClientException',
    )
  })

  test('for a region that does not exist are refused', async () => {
    const rig = await startRig()
    const nowhere = rig.clients({ region: 'mars-north-1' })
    expect(await refusal(nowhere.ec2.send(new DescribeInstancesCommand({})))).toBe('AuthFailure')
  })

  test('are wanted: a request without a signature is refused', async () => {
    const rig = await startRig()
    const reply = await fetch(rig.cloud.url, { method: 'POST', body: 'Action=DescribeInstances&Version=2016-11-15' })
    expect(reply.status).toBe(401)
    expect(await reply.text()).toContain('<Code>AuthFailure</Code>')
    const json = await fetch(rig.cloud.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSSM.ListCommands' },
      body: '{}',
    })
    expect(await json.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' })
  })
})

test('An STS operation that is not covered is refused by name', async () => {
  const rig = await startRig()
  const call = rig.sts.send(new AssumeRoleCommand({ RoleArn: role, RoleSessionName: 'ci' }))
  expect(await refusal(call)).toBe('InvalidAction')
})
