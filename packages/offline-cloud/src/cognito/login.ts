import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { cognito, type AppClientData, type AuthFlow, type UserData } from '../world/cognito.ts'
import { appClient, needed, read } from './input.ts'

// Sentences are the service's own, as its users report them.
const initiateInput = v.object({
  ClientId: needed,
  AuthFlow: needed,
  AuthParameters: v.optional(v.record(v.string(), v.string()), {}),
})
const adminInput = v.object({
  ...initiateInput.entries,
  UserPoolId: v.pipe(
    needed,
    v.regex(/^[\w-]+_[0-9a-zA-Z]+$/, String.raw`Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`),
  ),
})
type Parameters = Readonly<Record<string, string>>

const knownFlows = [
  'USER_SRP_AUTH',
  'REFRESH_TOKEN_AUTH',
  'REFRESH_TOKEN',
  'CUSTOM_AUTH',
  'ADMIN_NO_SRP_AUTH',
  'USER_PASSWORD_AUTH',
  'ADMIN_USER_PASSWORD_AUTH',
  'USER_AUTH',
]

/** AdminInitiateAuth: with AWS credentials, in the region of the pool. */
export async function adminInitiateAuth(cloud: Cloud, value: unknown, region: string | null): Promise<object> {
  const { UserPoolId, ClientId, AuthFlow: wanted, AuthParameters } = read(adminInput, value)
  const flow = flowNamed(wanted)
  if (UserPoolId !== cognito.poolId || region !== cognito.region)
    throw new AwsError('ResourceNotFoundException', `User pool ${UserPoolId} does not exist.`)
  const client = appClient(ClientId)
  if (!client.flows.includes(flow))
    throw new AwsError('InvalidParameterException', 'Auth flow not enabled for this client')
  return logIn(cloud, client, flow, AuthParameters)
}

/** InitiateAuth: anybody may ask. */
export async function initiateAuth(cloud: Cloud, value: unknown): Promise<object> {
  const { ClientId, AuthFlow: wanted, AuthParameters } = read(initiateInput, value)
  const flow = flowNamed(wanted)
  const client = appClient(ClientId)
  if (flow === 'ADMIN_USER_PASSWORD_AUTH')
    throw new AwsError('InvalidParameterException', 'Initiate Auth method not supported.')
  if (!client.flows.includes(flow))
    throw new AwsError('InvalidParameterException', `${flow} flow not enabled for this client`)
  return logIn(cloud, client, flow, AuthParameters)
}

function flowNamed(name: string): AuthFlow {
  if (name === 'ADMIN_USER_PASSWORD_AUTH' || name === 'ADMIN_NO_SRP_AUTH') return 'ADMIN_USER_PASSWORD_AUTH'
  if (name === 'REFRESH_TOKEN_AUTH' || name === 'REFRESH_TOKEN') return 'REFRESH_TOKEN_AUTH'
  if (name === 'USER_PASSWORD_AUTH') return name
  if (knownFlows.includes(name))
    throw new AwsError('InvalidAction', `The offline cloud does not cover the flow ${name}.`)
  throw new AwsError(
    'InvalidParameterException',
    `1 validation error detected: Value '${name}' at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set: [${knownFlows.join(', ')}]`,
  )
}

async function logIn(cloud: Cloud, client: AppClientData, flow: AuthFlow, given: Parameters): Promise<object> {
  if (flow === 'REFRESH_TOKEN_AUTH') return refresh(cloud, client, given)
  const name = parameter(given, 'USERNAME')
  const password = parameter(given, 'PASSWORD')
  checkSecretHash(client, name, given)
  const user = Object.values<UserData>(cognito.users).find(({ email, sub }) => email === name || sub === name)
  checkPassword(cloud, user, name, password)
  if (user === undefined) throw wrongPassword() // checkPassword has refused it; this is for the types.
  if (user.status === 'UNCONFIRMED') throw new AwsError('UserNotConfirmedException', 'User is not confirmed.')
  if (user.status === 'FORCE_CHANGE_PASSWORD')
    return challenge('NEW_PASSWORD_REQUIRED', {
      USER_ID_FOR_SRP: user.sub,
      requiredAttributes: '[]',
      userAttributes: JSON.stringify({ email_verified: 'true', email: user.email }),
    })
  if (user.hasSmsMfa)
    return challenge('SMS_MFA', {
      CODE_DELIVERY_DELIVERY_MEDIUM: 'SMS',
      CODE_DELIVERY_DESTINATION: '+*******0100',
      USER_ID_FOR_SRP: user.sub,
    })
  const origin = randomUUID()
  const { idToken, accessToken, expiresIn } = await cloud.userPool.sign(client, user, origin)
  return {
    AuthenticationResult: {
      AccessToken: accessToken,
      ExpiresIn: expiresIn,
      IdToken: idToken,
      RefreshToken: cloud.userPool.grant(client, user, origin),
      TokenType: 'Bearer',
    },
    ChallengeParameters: {},
  }
}

const challenge = (name: string, parameters: Parameters): object => ({
  ChallengeName: name,
  ChallengeParameters: parameters,
  Session: `AYAB${randomBytes(600).toString('base64url')}`,
})

function parameter(given: Parameters, name: string): string {
  const value = given[name]
  if (value !== undefined && value !== '') return value
  throw new AwsError('InvalidParameterException', `Missing required parameter ${name}`)
}

function checkSecretHash(client: AppClientData, name: string, given: Parameters): void {
  const hash = given['SECRET_HASH']
  if (client.secret === null) {
    if (hash === undefined) return
    throw new AwsError('NotAuthorizedException', `Unable to verify secret hash for client ${client.id}`)
  }
  if (hash === undefined)
    throw new AwsError(
      'NotAuthorizedException',
      `Client ${client.id} is configured with secret but SECRET_HASH was not received`,
    )
  const wanted = createHmac('sha256', client.secret)
    .update(name + client.id)
    .digest('base64')
  if (hash !== wanted)
    throw new AwsError('NotAuthorizedException', `Unable to verify secret hash for client ${client.id}`)
}

const wrongPassword = (): AwsError => new AwsError('NotAuthorizedException', 'Incorrect username or password.')

const failuresBeforeLock = 5
const longestLockSeconds = 15 * 60

// Five wrong passwords are free; from then on each locks the user out, 1 s first and twice as long each time. Whether
// a name exists cannot be told from the answers (PreventUserExistenceErrors), so names that do not are counted too.
function checkPassword(cloud: Cloud, user: UserData | undefined, name: string, password: string): void {
  const now = cloud.clock.now()
  const failures = cloud.userPool.failures.get(name) ?? { count: 0, lockedUntil: 0 }
  if (failures.lockedUntil > now) throw new AwsError('NotAuthorizedException', 'Password attempts exceeded')
  // After a reset no password is right any more, so there is none to compare.
  if (user?.status === 'RESET_REQUIRED')
    throw new AwsError('PasswordResetRequiredException', 'Password reset required for the user')
  if (user?.password === password) {
    cloud.userPool.failures.delete(name)
    return
  }
  const count = failures.count + 1
  const lock = count < failuresBeforeLock ? 0 : Math.min(2 ** (count - failuresBeforeLock), longestLockSeconds)
  cloud.userPool.failures.set(name, { count, lockedUntil: now + lock * 1000 })
  throw wrongPassword()
}

async function refresh(cloud: Cloud, client: AppClientData, given: Parameters): Promise<object> {
  const grant = cloud.userPool.granted(parameter(given, 'REFRESH_TOKEN'))
  if (grant === undefined || grant.client.id !== client.id)
    throw new AwsError('NotAuthorizedException', 'Invalid Refresh Token')
  // With a refresh token the hash is made over the user's real name, not over the address.
  checkSecretHash(client, grant.user.sub, given)
  if (grant.isRevoked) throw new AwsError('NotAuthorizedException', 'Refresh Token has been revoked')
  if (grant.expiresAt <= cloud.clock.now()) throw new AwsError('NotAuthorizedException', 'Refresh Token has expired')
  const { idToken, accessToken, expiresIn } = await cloud.userPool.sign(client, grant.user, grant.origin)
  return {
    AuthenticationResult: {
      AccessToken: accessToken,
      ExpiresIn: expiresIn,
      IdToken: idToken,
      TokenType: 'Bearer',
    },
    ChallengeParameters: {},
  }
}
