import { createHmac } from 'node:crypto'
import {
  AdminInitiateAuthCommand,
  InitiateAuthCommand,
  ListUserPoolsCommand,
  RevokeTokenCommand,
  type AdminInitiateAuthCommandInput,
} from '@aws-sdk/client-cognito-identity-provider'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose'
import { cognito } from '../src/index.ts'
import { refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(stopRigs)

const { ci, ciWithSecret, noFlow, other } = cognito.clients
const { email: USERNAME, password: PASSWORD } = cognito.users.ci

const adminLogin = (more: Partial<AdminInitiateAuthCommandInput> = {}, from: Pick<Rig, 'cognito'> = rig) =>
  from.cognito.send(
    new AdminInitiateAuthCommand({
      UserPoolId: cognito.poolId,
      ClientId: ci.id,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME, PASSWORD },
      ...more,
    }),
  )

const login = (ClientId: string, AuthParameters: Record<string, string>, AuthFlow = 'USER_PASSWORD_AUTH') =>
  rig.cognito.send(new InitiateAuthCommand({ ClientId, AuthFlow: AuthFlow as 'USER_PASSWORD_AUTH', AuthParameters }))

/** Name and sentence of the error that a call ends with. */
const words = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call
    return 'none'
  } catch (error) {
    return String(error)
  }
}

const hash = (name: string, key: string = ciWithSecret.secret): string =>
  createHmac('sha256', key)
    .update(name + ciWithSecret.id)
    .digest('base64')

const keySet = () => createRemoteJWKSet(new URL(`${rig.cloud.url}/${cognito.poolId}/.well-known/jwks.json`))

describe('A login', () => {
  test('gives tokens that the published keys verify, with the claims of an id and an access token', async () => {
    const { AuthenticationResult: result, ChallengeName } = await adminLogin()
    expect(ChallengeName).toBeUndefined()
    expect(result).toMatchObject({ ExpiresIn: 3600, TokenType: 'Bearer' })
    const checks = { issuer: cognito.issuer, algorithms: ['RS256'] }
    const id = await jwtVerify(result?.IdToken ?? '', keySet(), { ...checks, audience: ci.id })
    expect(id.payload).toMatchObject({ token_use: 'id', email: USERNAME, sub: cognito.users.ci.sub })
    expect((id.payload.exp ?? 0) - (id.payload.iat ?? 0)).toBe(3600)
    const access = await jwtVerify(result?.AccessToken ?? '', keySet(), checks)
    expect(access.payload).toMatchObject({ token_use: 'access', client_id: ci.id, sub: cognito.users.ci.sub })
    expect(access.payload.aud).toBeUndefined()
  })

  test('gives tokens dated by the clock of the cloud', async () => {
    await rig.advance(7200)
    const { AuthenticationResult: result } = await adminLogin()
    const { iat = 0 } = decodeJwt(result?.IdToken ?? '')
    expect(iat).toBeGreaterThan(Date.now() / 1000 + 7000)
  })

  test('works without any credentials of AWS only as InitiateAuth', async () => {
    const bare = async (operation: string, body: object) => {
      const reply = await fetch(rig.cloud.url, {
        method: 'POST',
        headers: {
          'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`,
          'content-type': 'application/x-amz-json-1.1',
        },
        body: JSON.stringify({ ClientId: ci.id, AuthParameters: { USERNAME, PASSWORD }, ...body }),
      })
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> }
    }
    const open = await bare('InitiateAuth', { AuthFlow: 'USER_PASSWORD_AUTH' })
    expect(open.body['AuthenticationResult']).toMatchObject({ TokenType: 'Bearer' })
    const admin = await bare('AdminInitiateAuth', {
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      UserPoolId: cognito.poolId,
    })
    expect(admin).toMatchObject({ status: 400, body: { __type: 'MissingAuthenticationTokenException' } })
  })

  test.each([
    ['a first password that must be changed', cognito.users.new.email, 'NEW_PASSWORD_REQUIRED'],
    ['a second factor', cognito.users.mfa.email, 'SMS_MFA'],
  ])('of a user with %s answers with the challenge and without tokens', async (_, name, challenge) => {
    const reply = await adminLogin({ AuthParameters: { USERNAME: name, PASSWORD } })
    expect(reply).toMatchObject({ ChallengeName: challenge, Session: expect.any(String) })
    expect(reply.AuthenticationResult).toBeUndefined()
  })

  test.each([
    ['a wrong password', { USERNAME, PASSWORD: 'wrong' }, 'NotAuthorizedException: Incorrect username or password.'],
    [
      'an unknown user, whose existence stays hidden',
      { USERNAME: 'nobody@example.com', PASSWORD },
      'NotAuthorizedException: Incorrect username or password.',
    ],
    [
      'an unconfirmed user',
      { USERNAME: cognito.users.unconfirmed.email, PASSWORD },
      'UserNotConfirmedException: User is not confirmed.',
    ],
    [
      'a user who must set a new password',
      { USERNAME: cognito.users.reset.email, PASSWORD },
      'PasswordResetRequiredException: Password reset required for the user',
    ],
    ['no password', { USERNAME }, 'InvalidParameterException: Missing required parameter PASSWORD'],
  ])('with %s is refused in the words of the service', async (_, AuthParameters, sentence) => {
    expect(await words(adminLogin({ AuthParameters }))).toBe(sentence)
    expect(await words(login(ci.id, AuthParameters))).toBe(sentence)
  })

  test('by a flow that the client does not allow is refused, each way in its own words', async () => {
    expect(await words(adminLogin({ ClientId: noFlow.id }))).toBe(
      'InvalidParameterException: Auth flow not enabled for this client',
    )
    expect(await words(login(noFlow.id, { USERNAME, PASSWORD }))).toBe(
      'InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client',
    )
    expect(await refusal(login(ci.id, { USERNAME, PASSWORD }, 'ADMIN_USER_PASSWORD_AUTH'))).toBe(
      'InvalidParameterException',
    )
  })

  test('names the client or pool that does not exist, the pool of another region too', async () => {
    expect(await words(adminLogin({ ClientId: 'nobodysclient' }))).toBe(
      'ResourceNotFoundException: User pool client nobodysclient does not exist.',
    )
    expect(await words(adminLogin({ UserPoolId: 'us-west-2_NOBODYS' }))).toBe(
      'ResourceNotFoundException: User pool us-west-2_NOBODYS does not exist.',
    )
    expect(await refusal(adminLogin({}, rig.clients({ region: 'us-east-1' })))).toBe('ResourceNotFoundException')
    expect(await refusal(adminLogin({ UserPoolId: 'no pool' }))).toBe('InvalidParameterException')
  })

  test('with a client that has a secret needs the right hash', async () => {
    const withHash = (SECRET_HASH?: string) =>
      adminLogin({
        ClientId: ciWithSecret.id,
        AuthParameters: { USERNAME, PASSWORD, ...(SECRET_HASH === undefined ? {} : { SECRET_HASH }) },
      })
    expect(await words(withHash())).toBe(
      `NotAuthorizedException: Client ${ciWithSecret.id} is configured with secret but SECRET_HASH was not received`,
    )
    const wrong = `NotAuthorizedException: Unable to verify secret hash for client ${ciWithSecret.id}`
    expect(await words(withHash(hash(USERNAME, 'other')))).toBe(wrong)
    const { AuthenticationResult: result } = await withHash(hash(USERNAME))
    expect(decodeJwt(result?.IdToken ?? '').aud).toBe(ciWithSecret.id)
  })

  test('is locked after five wrong passwords, and opens again by itself', async () => {
    const wrong = () => words(adminLogin({ AuthParameters: { USERNAME, PASSWORD: 'wrong' } }))
    for (const _ of [1, 2, 3, 4, 5]) expect(await wrong()).toContain('Incorrect username or password.')
    expect(await words(adminLogin())).toBe('NotAuthorizedException: Password attempts exceeded')
    await rig.advance(2)
    expect(await words(adminLogin())).toBe('none')
    expect(await wrong()).toContain('Incorrect username or password.')
  })
})

describe('Faults', () => {
  test('refuse a login in the words of the service', async () => {
    const once = (kind: 'denied' | 'throttled' | 'server-error' | 'expired-credentials') => {
      rig.cloud.addFaults([{ kind, operation: 'cognito-idp:AdminInitiateAuth' }])
      return words(adminLogin())
    }
    expect(await once('denied')).toContain('is not authorized to perform: cognito-idp:AdminInitiateAuth on resource')
    expect(await once('denied')).toMatch(/^AccessDeniedException: /)
    expect(await once('throttled')).toMatch(/^TooManyRequestsException: /)
    expect(await once('server-error')).toMatch(/^InternalErrorException: /)
    expect(await once('expired-credentials')).toMatch(/^ExpiredTokenException: /)
    expect(await words(adminLogin())).toBe('none')
  })
})

test('The signing keys are those of the pool, and can fail', async () => {
  const get = async (pool: string) => (await fetch(`${rig.cloud.url}/${pool}/.well-known/jwks.json`)).status
  expect(await get('us-west-2_NOBODYS')).toBe(404)
  rig.cloud.addFaults([{ kind: 'server-error' }, { kind: 'server-error', operation: 'GetSigningKeys' }])
  expect([await get(cognito.poolId), await get(cognito.poolId)]).toEqual([500, 200])
})

test('Tokens live as long as the scenario says', async () => {
  const brief = await startRig({ scenario: { cognito: { tokenSeconds: 5 } } })
  const { AuthenticationResult: result } = await adminLogin({}, brief)
  const { exp = 0, iat = 0 } = decodeJwt(result?.IdToken ?? '')
  expect([result?.ExpiresIn, exp - iat]).toEqual([5, 5])
})

describe('A refresh token', () => {
  const refresh = (token: string) => login(ci.id, { REFRESH_TOKEN: token }, 'REFRESH_TOKEN_AUTH')

  test('gives fresh tokens until it is revoked, for its own client only', async () => {
    const { AuthenticationResult: first } = await adminLogin()
    const token = first?.RefreshToken ?? ''
    const { AuthenticationResult: second } = await refresh(token)
    expect(decodeJwt(second?.IdToken ?? '').sub).toBe(cognito.users.ci.sub)
    expect(second?.RefreshToken).toBeUndefined()
    const revoke = (ClientId: string, Token: string) => rig.cognito.send(new RevokeTokenCommand({ ClientId, Token }))
    expect(await refusal(revoke(other.id, token))).toBe('UnauthorizedException')
    expect(await refusal(revoke(ci.id, first?.IdToken ?? ''))).toBe('UnsupportedTokenTypeException')
    await revoke(ci.id, token)
    await revoke(ci.id, token)
    expect(await words(refresh(token))).toBe('NotAuthorizedException: Refresh Token has been revoked')
    expect(await words(refresh('a.b.c.d.e'))).toBe('NotAuthorizedException: Invalid Refresh Token')
  })

  test('of a client with a secret is revoked with that secret', async () => {
    const { AuthenticationResult: result } = await adminLogin({
      ClientId: ciWithSecret.id,
      AuthParameters: { USERNAME, PASSWORD, SECRET_HASH: hash(USERNAME) },
    })
    const revoke = (ClientSecret?: string) =>
      rig.cognito.send(
        new RevokeTokenCommand({ ClientId: ciWithSecret.id, Token: result?.RefreshToken ?? '', ClientSecret }),
      )
    expect(await refusal(revoke())).toBe('NotAuthorizedException')
    expect(await refusal(revoke(ciWithSecret.secret))).toBe('none')
  })
})

test('A token of another cloud, with its own key, does not verify', async () => {
  const elsewhere = await startRig()
  const { AuthenticationResult: result } = await adminLogin({}, elsewhere)
  await expect(jwtVerify(result?.IdToken ?? '', keySet())).rejects.toThrow(errors.JWKSNoMatchingKey)
})

test('Passwords, hashes and tokens are masked in the list of calls', async () => {
  const { AuthenticationResult: result } = await adminLogin()
  await login(ci.id, { REFRESH_TOKEN: result?.RefreshToken ?? '' }, 'REFRESH_TOKEN_AUTH')
  await rig.cognito.send(new RevokeTokenCommand({ ClientId: ci.id, Token: result?.RefreshToken ?? '' }))
  await refusal(adminLogin({ AuthParameters: { USERNAME, PASSWORD: 'canary-pw', SECRET_HASH: 'canary-hash' } }))
  const state = JSON.stringify(rig.cloud.state())
  for (const secret of [PASSWORD, 'canary-pw', 'canary-hash', result?.RefreshToken, result?.IdToken])
    expect(state).not.toContain(secret)
  expect(rig.cloud.state().calls).toMatchObject({ 'cognito-idp:AdminInitiateAuth': 2, 'cognito-idp:RevokeToken': 1 })
  expect(state).toContain(USERNAME)
})

test('An operation that is not covered is refused by name', async () => {
  const error = await words(rig.cognito.send(new ListUserPoolsCommand({ MaxResults: 1 })))
  expect(error).toContain('does not cover ListUserPools')
})
