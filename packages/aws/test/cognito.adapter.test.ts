import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { appClients, cognito, startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { InitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider'
import { decodeJwt } from 'jose'
import { login, tokenSource, userPool, type LoginRequest, type Tokens, type UserPool } from '../src/index.ts'

jest.setTimeout(60_000)

let cloud: OfflineCloud
let environment: NodeJS.ProcessEnv
beforeAll(async () => {
  environment = { ...process.env }
  cloud = await startOfflineCloud({ python: null })
})
afterAll(async () => {
  process.env = environment
  await cloud.stop()
})

interface Attempt {
  readonly pool: UserPool
  readonly masked: string[]
  readonly warnings: string[]
  logIn(change?: Partial<LoginRequest>, signal?: AbortSignal): Promise<Tokens>
}

const right: LoginRequest = {
  clientId: appClients.ci.id,
  username: cognito.users.ci.email,
  password: cognito.users.ci.password,
  flow: 'ADMIN_USER_PASSWORD_AUTH',
  revokeRefreshToken: true,
}

const credentials = (): { accessKeyId: string; secretAccessKey: string } => ({
  accessKeyId: cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
  secretAccessKey: cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
})

function attempt(options: { id?: string; region?: string; anonymous?: boolean } = {}): Attempt {
  const pool = userPool({
    id: options.id ?? cognito.poolId,
    region: options.region,
    credentials: options.anonymous ? undefined : credentials(),
  })
  const masked: string[] = []
  const warnings: string[] = []
  return {
    pool,
    masked,
    warnings,
    logIn: (change, signal) =>
      login(
        { ...right, ...change },
        {
          pool,
          clock: systemClock,
          log: { warning: message => void warnings.push(message) },
          mask: secret => void masked.push(secret),
          signal,
        },
      ),
  }
}

const calls = (operation: string): number => cloud.state().calls[`cognito-idp:${operation}`] ?? 0
const refreshToken = (one: Attempt): string => one.masked.find(text => text.split('.').length === 5) ?? ''
const refresh = (one: Attempt): Promise<unknown> =>
  one.pool.client().send(
    new InitiateAuthCommand({
      ClientId: right.clientId,
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      AuthParameters: { REFRESH_TOKEN: refreshToken(one) },
    }),
  )

beforeEach(() => {
  process.env = { ...environment, AWS_ENDPOINT_URL: cloud.env['AWS_ENDPOINT_URL'], AWS_REGION: 'us-east-1' }
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) delete process.env[name]
  Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' })
})
afterEach(() => fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' }))

describe('a login', () => {
  test.each(['ADMIN_USER_PASSWORD_AUTH', 'USER_PASSWORD_AUTH'] as const)('by %s gives tokens', async flow => {
    const one = attempt({ anonymous: flow === 'USER_PASSWORD_AUTH' })
    const tokens = await one.logIn({ flow })
    expect(tokens.subject).toBe(cognito.users.ci.sub)
    expect(decodeJwt(tokens.idToken)).toMatchObject({
      token_use: 'id',
      aud: right.clientId,
      exp: tokens.expiresAt / 1000,
    })
    expect(decodeJwt(tokens.accessToken)).toMatchObject({ token_use: 'access', client_id: right.clientId })
  })

  test('calls the region of the pool, whatever region the job works in', async () => {
    const one = attempt()
    await one.logIn()
    expect(process.env['AWS_REGION']).not.toBe(one.pool.region)
    expect(one.pool.region).toBe('us-west-2')
  })

  test('masks the password and every token', async () => {
    const one = attempt()
    const tokens = await one.logIn()
    expect(one.masked).toEqual([right.password, tokens.idToken, tokens.accessToken, refreshToken(one)])
  })

  test('masks the password and the client secret before the first call', async () => {
    const one = attempt()
    const secret = appClients.ciWithSecret.secret
    const pending = one.logIn({ clientId: appClients.ciWithSecret.id, clientSecret: secret })
    expect(one.masked).toEqual([right.password, secret, expect.stringMatching(/=$/)])
    await expect(pending).resolves.toMatchObject({ subject: cognito.users.ci.sub })
  })

  test('revokes the refresh token, so that nobody gets new tokens by it', async () => {
    const one = attempt()
    await one.logIn()
    await expect(refresh(one)).rejects.toThrow('has been revoked')
    expect(one.warnings).toEqual([])
  })

  test('leaves the refresh token alone when told so', async () => {
    const one = attempt()
    await one.logIn({ revokeRefreshToken: false })
    await expect(refresh(one)).resolves.toBeDefined()
  })

  test('revokes the refresh token of an app client with a secret', async () => {
    const one = attempt()
    await one.logIn({ clientId: appClients.ciWithSecret.id, clientSecret: appClients.ciWithSecret.secret })
    expect(one.warnings).toEqual([])
  })

  test('that cannot revoke the refresh token warns, and gives the tokens', async () => {
    cloud.addFaults([{ kind: 'server-error', operation: 'RevokeToken', count: null }])
    const one = attempt()
    await expect(one.logIn()).resolves.toMatchObject({ subject: cognito.users.ci.sub })
    expect(one.warnings).toEqual([expect.stringContaining('InternalErrorException')])
    for (const secret of one.masked) expect(one.warnings.join()).not.toContain(secret)
  })

  test.each(['throttled', 'server-error', 'lost-reply'] as const)('goes through %s', async kind => {
    cloud.addFaults([{ kind, operation: 'AdminInitiateAuth', count: 2 }])
    await expect(attempt().logIn()).resolves.toMatchObject({ subject: cognito.users.ci.sub })
  })

  test('ends at once when the job is cancelled', async () => {
    const cancel = new AbortController()
    const reason = new Error('cancelled')
    const pending = attempt().logIn({}, cancel.signal)
    cancel.abort(reason)
    await expect(pending).rejects.toBe(reason)
  })
})

describe('a refused login', () => {
  const withSecret = { clientId: appClients.ciWithSecret.id }
  test.each<[string, Partial<LoginRequest>, { id?: string; region?: string; anonymous?: boolean }, string]>([
    ['a wrong password', { password: 'canary-password-1' }, {}, 'the user name or the password is wrong'],
    ['an unknown user', { username: 'nobody@example.com' }, {}, 'the user name or the password is wrong'],
    ['a user who is not confirmed', { username: 'unconfirmed@example.com' }, {}, 'the user was never confirmed'],
    ['a user to be reset', { username: 'reset@example.com' }, {}, 'an administrator has asked for a new password'],
    ['a temporary password', { username: 'new@example.com' }, {}, 'Cognito asks for NEW_PASSWORD_REQUIRED'],
    ['a second factor', { username: 'mfa@example.com' }, {}, 'Cognito asks for SMS_MFA'],
    ['a flow that is off', { clientId: appClients.noFlow.id }, {}, 'the flow ADMIN_USER_PASSWORD_AUTH is not enabled'],
    [
      'an unsigned flow that is off',
      { clientId: appClients.noFlow.id, flow: 'USER_PASSWORD_AUTH' },
      { anonymous: true },
      'the flow USER_PASSWORD_AUTH is not enabled',
    ],
    ['a missing client secret', withSecret, {}, 'has a secret, and none was given'],
    ['a wrong client secret', { ...withSecret, clientSecret: 'canary-secret-1' }, {}, 'is not that of app client'],
    ['a secret that no client has', { clientSecret: 'canary-secret-2' }, {}, 'is not that of app client'],
    ['an unknown client', { clientId: 'nobody' }, {}, 'there is no app client nobody in us-west-2'],
    ['an unknown pool', {}, { id: 'us-west-2_Nowhere1' }, 'there is no user pool us-west-2_Nowhere1'],
    ['a wrong region', {}, { region: 'us-east-1' }, "names us-east-1, but the pool's id says us-west-2"],
    ['no AWS credentials', {}, { anonymous: true }, 'there are no valid AWS credentials'],
  ])('for %s says so, shows no secret, and is not repeated', async (_, change, where, words) => {
    const before = calls('AdminInitiateAuth') + calls('InitiateAuth')
    const one = attempt(where)
    const failure = await one.logIn(change).catch((error: unknown) => error)
    const { message } = describeFailure(failure)
    expect(message).toContain(words)
    expect(message).toMatch(/\nWhat to do: [A-Z]/)
    for (const secret of one.masked) expect(message).not.toContain(secret)
    expect(calls('AdminInitiateAuth') + calls('InitiateAuth') - before).toBeLessThanOrEqual(1)
  })

  test.each([
    ['denied', 'lack the permission cognito-idp:AdminInitiateAuth'],
    ['expired-credentials', 'there are no valid AWS credentials'],
    ['throttled', 'Cognito takes no more logins right now'],
    ['server-error', 'Cognito did not answer as it should'],
  ] as const)('for %s says so', async (kind, words) => {
    cloud.addFaults([{ kind, operation: 'AdminInitiateAuth', count: null }])
    await expect(attempt().logIn()).rejects.toThrow(words)
  })

  test('says that the user is locked after too many wrong passwords', async () => {
    const one = attempt()
    const wrong = { username: 'locked-out@example.com', password: 'wrong-password' }
    for (let index = 0; index < 5; index++) await expect(one.logIn(wrong)).rejects.toThrow('is wrong')
    await expect(one.logIn(wrong)).rejects.toThrow('the user is locked for a while')
  })

  test('says that nothing answers', async () => {
    process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:9'
    await expect(attempt().logIn()).rejects.toThrow('Cognito did not answer as it should')
  })
})

interface Between {
  readonly seen: readonly IncomingMessage[]
  stop(): Promise<void>
}

/** Stands between the client and the cloud, and changes what goes by. */
async function between(
  change: (request: { readonly url: string; readonly body: string }) => {
    status?: number
    send?: string
    body?: string
  },
): Promise<Between> {
  const seen: IncomingMessage[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    seen.push(request)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { status, send = body, body: instead } = change({ url: request.url ?? '', body })
    if (status !== undefined) return void response.writeHead(status).end(instead ?? '{}')
    const { host: _, 'content-length': __, connection: ___, ...headers } = request.headers
    const reply = await fetch(`${cloud.url}${request.url ?? ''}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(request.method === 'POST' ? { body: send } : {}),
    })
    response
      .writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? '' })
      .end(await reply.text())
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  process.env['AWS_ENDPOINT_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    seen,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

describe('what comes back', () => {
  let proxy: Between | undefined
  afterEach(async () => {
    await proxy?.stop()
    proxy = undefined
  })
  const isKeys = (url: string): boolean => url.endsWith('/jwks.json')

  test('is asked for without a signature where the flow needs none', async () => {
    proxy = await between(() => ({}))
    await attempt().logIn({ flow: 'USER_PASSWORD_AUTH' })
    expect(proxy.seen).toHaveLength(3)
    expect(proxy.seen.filter(request => request.headers.authorization !== undefined)).toEqual([])
  })

  test('is refused when the tokens are of another app client', async () => {
    proxy = await between(({ body }) => ({ send: body.replaceAll(right.clientId, appClients.other.id) }))
    await expect(attempt().logIn({ flow: 'USER_PASSWORD_AUTH' })).rejects.toThrow(
      `the id token is refused because it is not for app client ${right.clientId} (aud)`,
    )
  })

  test('is refused when the keys of the pool are others, and the refresh token is revoked all the same', async () => {
    proxy = await between(({ url }) => (isKeys(url) ? { status: 200, body: '{"keys":[]}' } : {}))
    const one = attempt()
    await expect(one.logIn({ flow: 'USER_PASSWORD_AUTH' })).rejects.toThrow('a key that the pool does not have')
    await expect(refresh(one)).rejects.toThrow('has been revoked')
  })

  test('is checked with keys that came at the third look', async () => {
    let looks = 0
    proxy = await between(({ url }) => (isKeys(url) && ++looks < 3 ? { status: 503 } : {}))
    await expect(attempt().logIn({ flow: 'USER_PASSWORD_AUTH' })).resolves.toBeDefined()
    expect(looks).toBe(3)
  })

  test('is not used when the keys cannot be fetched', async () => {
    proxy = await between(({ url }) => (isKeys(url) ? { status: 503 } : {}))
    await expect(attempt().logIn({ flow: 'USER_PASSWORD_AUTH' })).rejects.toThrow(
      /Fetching the public keys of the user pool from http.*failed 3 times/,
    )
  })

  test('is not believed when it holds neither tokens nor a challenge', async () => {
    proxy = await between(() => ({ status: 200, body: '{"ChallengeParameters":{}}' }))
    await expect(attempt().logIn({ flow: 'USER_PASSWORD_AUTH' })).rejects.toThrow('neither a challenge nor both tokens')
  })
})

describe('a source of tokens over Cognito', () => {
  test('gives a fresh token when an hour of the service has passed', async () => {
    const one = attempt()
    const source = tokenSource({
      now: () => one.pool.serviceNow(),
      log: { warning: message => void one.warnings.push(message) },
      login: () => one.logIn(),
    })
    const first = await source.idToken()
    expect(await source.idToken()).toBe(first)
    await fetch(`${cloud.url}/_offline/clock`, { method: 'POST', body: JSON.stringify({ advanceSeconds: 3700 }) })
    // The service's clock is seen in its replies; until the next one a server's 401 tells.
    const second = await source.idToken(first)
    expect((decodeJwt(second).exp ?? 0) - (decodeJwt(first).exp ?? 0)).toBeGreaterThanOrEqual(3700)
    expect(await source.idToken()).toBe(second)
  })
})
