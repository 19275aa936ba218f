import { messageOf, OutsideFault } from '@gpu-actions/action-kit/ports'
import { adviceFor, codeOf, faultOf } from '../errors.ts'
import type { UserPool } from './pool.ts'

/** Why Cognito refuses to log a user in: one word for each thing that somebody has to do. */
export type LoginFault =
  | 'wrong-password'
  | 'locked'
  | 'suspected'
  | 'temporary-password-expired'
  | 'user-disabled'
  | 'unknown-user'
  | 'unconfirmed'
  | 'reset-required'
  | 'secret-missing'
  | 'secret-wrong'
  | 'flow-off'
  | 'parameter'
  | 'unknown-client'
  | 'unknown-pool'
  | 'no-such-region'
  | 'throttled'
  | 'denied'
  | 'credentials'
  | 'firewall'
  | 'trigger'
  | 'pool-settings'
  | 'unreachable'
  | 'refused'

/** How a login was asked for, as far as it may be told. */
export interface Attempted {
  readonly pool: Pick<UserPool, 'id' | 'region' | 'homeRegion'>
  readonly clientId: string
  readonly flow: AuthFlow
  /** Was a client secret given? */
  readonly withSecret: boolean
}

/** `ADMIN_USER_PASSWORD_AUTH` is signed with AWS credentials, `USER_PASSWORD_AUTH` needs none. */
export type AuthFlow = 'ADMIN_USER_PASSWORD_AUTH' | 'USER_PASSWORD_AUTH'

/** Codes that mean one thing only. */
const byCode = new Map<string, LoginFault>([
  ['UserNotFoundException', 'unknown-user'],
  ['UserNotConfirmedException', 'unconfirmed'],
  ['PasswordResetRequiredException', 'reset-required'],
  ['TooManyRequestsException', 'throttled'],
  ['LimitExceededException', 'throttled'],
  ['TooManyFailedAttemptsException', 'locked'],
  ['OperationNotEnabledException', 'flow-off'],
  ['UnsupportedOperationException', 'flow-off'],
  ['ForbiddenException', 'firewall'],
  ['UserLambdaValidationException', 'trigger'],
  ['UnexpectedLambdaException', 'trigger'],
  ['InvalidLambdaResponseException', 'trigger'],
  ['InvalidUserPoolConfigurationException', 'pool-settings'],
  ['InvalidSmsRoleAccessPolicyException', 'pool-settings'],
  ['InvalidSmsRoleTrustRelationshipException', 'pool-settings'],
  ['InvalidEmailRoleAccessPolicyException', 'pool-settings'],
  ['MFAMethodNotFoundException', 'pool-settings'],
  ['FeatureUnavailableInTierException', 'pool-settings'],
  ['UserPoolAddOnNotEnabledException', 'pool-settings'],
  ['ENOTFOUND', 'no-such-region'],
])

/** Cognito puts several faults under one code, and only its message tells which (reference: aws.md section 10). */
function byMessage(code: string, message: string, withSecret: boolean): LoginFault | undefined {
  switch (code) {
    case 'NotAuthorizedException':
      if (/secret was not received|SECRET_HASH was not received/i.test(message)) return 'secret-missing'
      if (/secret ?_?hash/i.test(message)) return withSecret ? 'secret-wrong' : 'secret-missing'
      if (/disabled/i.test(message)) return 'user-disabled'
      if (/attempts exceeded/i.test(message)) return 'locked'
      if (/temporary password/i.test(message)) return 'temporary-password-expired'
      if (/\bflow\b/i.test(message)) return 'flow-off'
      if (/security reasons/i.test(message)) return 'suspected'
      return /incorrect|password/i.test(message) ? 'wrong-password' : undefined
    case 'InvalidParameterException':
      return /\bflow\b|auth method not supported/i.test(message) ? 'flow-off' : 'parameter'
    case 'ResourceNotFoundException':
      return /\bclient\b/i.test(message) ? 'unknown-client' : 'unknown-pool'
    default:
      return undefined
  }
}

const errorCode = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined

/** Gives an error of a login its one class. */
export function loginFault(error: unknown, withSecret: boolean): LoginFault {
  const code = codeOf(error)
  const known = byCode.get(code) ?? byCode.get(errorCode(error) ?? '') ?? byMessage(code, messageOf(error), withSecret)
  if (known !== undefined) return known
  switch (faultOf(error)) {
    case 'throttled':
      return 'throttled'
    case 'denied':
      return 'denied'
    case 'credentials':
      return 'credentials'
    case 'server':
      return 'unreachable'
    default:
      return 'refused'
  }
}

/** Faults that may be gone when the same login is tried again later. A refused password is never tried again. */
export const mayPass = (fault: LoginFault): boolean => fault === 'throttled' || fault === 'unreachable'

const ofUser = (verb: string, { pool }: Attempted): string =>
  `aws cognito-idp ${verb} --region ${pool.region} --user-pool-id ${pool.id} --username <the user>`

/** The command that gives a user a password for good, for a person to run. */
export const setPasswordCommand = (attempted: Attempted): string =>
  `${ofUser('admin-set-user-password', attempted)} --password <the password> --permanent`

const flowSetting = (flow: AuthFlow): string => `ALLOW_${flow}`

const elsewhere = ({ pool }: Attempted): string =>
  pool.region === pool.homeRegion
    ? ''
    : ` The input region names ${pool.region}, but the pool's id says ${pool.homeRegion}: leave region empty, unless the pool has a replica there.`

type Words = readonly [why: string, advice: string]

/** What a fault is, and what to do about it. */
function wordsOf(fault: LoginFault, attempted: Attempted, error: unknown): Words {
  const { pool, clientId, flow } = attempted
  switch (fault) {
    case 'wrong-password':
      return [
        'the user name or the password is wrong',
        'Check username and password against the pool: Cognito does not tell which of them is wrong. A user that was made by an administrator needs a permanent password.',
      ]
    case 'locked':
      return [
        'the user is locked for a while, because a wrong password was given too often',
        'Put the password right, then wait: Cognito locks for up to 15 minutes, longer with every wrong try.',
      ]
    case 'suspected':
      return [
        'the threat protection of the pool takes the login for an attack',
        'The owner of the pool has to exempt the runner, or this user, from threat protection.',
      ]
    case 'temporary-password-expired':
      return [
        'the temporary password of the user has expired',
        `Give the user a permanent one: ${setPasswordCommand(attempted)}`,
      ]
    case 'user-disabled':
      return ['the user is disabled', `Enable the user: ${ofUser('admin-enable-user', attempted)}`]
    case 'unknown-user':
      return [
        'the pool has no such user',
        'Check username; it must be the name (or the alias, such as the e-mail address) under which the pool knows the user.',
      ]
    case 'unconfirmed':
      return ['the user was never confirmed', `Confirm the user: ${ofUser('admin-confirm-sign-up', attempted)}`]
    case 'reset-required':
      return [
        'an administrator has asked for a new password',
        `Set one, and put it into the secret of the workflow: ${setPasswordCommand(attempted)}`,
      ]
    case 'secret-missing':
      return [
        `app client ${clientId} has a secret, and none was given`,
        'Give it as the input client-secret, or use an app client without a secret.',
      ]
    case 'secret-wrong':
      return [
        `the client secret is not that of app client ${clientId}`,
        'Correct the input client-secret, or leave it empty when this app client has no secret.',
      ]
    case 'flow-off':
      return [
        `the flow ${flow} is not enabled for app client ${clientId}`,
        `Add ${flowSetting(flow)} to the authentication flows of the app client, or choose the other auth-flow.`,
      ]
    case 'parameter':
      return [
        'Cognito does not accept one of the inputs',
        'Correct user-pool-id, client-id or username, whichever the message names.',
      ]
    case 'unknown-client':
      return [
        `there is no app client ${clientId} in ${pool.region}`,
        `Check client-id: it must be an app client of ${pool.id}.${elsewhere(attempted)}`,
      ]
    case 'unknown-pool':
      return [
        `there is no user pool ${pool.id} in ${pool.region}, as far as these credentials see`,
        `Check user-pool-id, and that the AWS credentials are of the pool's account.${elsewhere(attempted)}`,
      ]
    case 'no-such-region':
      return [
        `Cognito was not found in ${pool.region}`,
        `Check the region at the start of user-pool-id, and that this runner resolves names.${elsewhere(attempted)}`,
      ]
    case 'throttled':
      return [
        'Cognito takes no more logins right now',
        'Try again in a few minutes; the limit of logins a second counts for the whole account in this region.',
      ]
    case 'denied':
      return [
        'the AWS credentials lack the permission cognito-idp:AdminInitiateAuth',
        `Allow cognito-idp:AdminInitiateAuth on the user pool ${pool.id} in the policy of the workflow's role, or choose auth-flow USER_PASSWORD_AUTH, which needs no AWS credentials.`,
      ]
    case 'credentials':
      return [
        'there are no valid AWS credentials',
        `${adviceFor(error, { doing: '', permission: '', region: pool.region })} The auth-flow USER_PASSWORD_AUTH needs none.`,
      ]
    case 'firewall':
      return [
        'a firewall rule (AWS WAF) of the pool refuses the request',
        "The owner of the pool has to let this runner's address through.",
      ]
    case 'trigger':
      return [
        'a trigger (Lambda function) of the pool refuses the login or fails',
        'The owner of the pool has to look into the log of the trigger; neither the workflow nor the password is at fault.',
      ]
    case 'pool-settings':
      return ['the settings of the pool do not work', 'The owner of the pool has to correct what the message names.']
    case 'unreachable':
      return [
        'Cognito did not answer as it should',
        'Try again, and see https://health.aws.amazon.com/health/status; a runner of your own needs a way out to the internet.',
      ]
    case 'refused':
      return [`Cognito refuses it (${codeOf(error)})`, 'The message says why.']
  }
}

/** An error's name, words and status only, without any of the secrets: whatever else it carries stays behind. */
function plainCause(error: unknown, secrets: readonly string[]): Error {
  const hidden = secrets
    .filter(secret => secret !== '')
    .sort((one, other) => other.length - one.length)
    .reduce((text, secret) => text.replaceAll(secret, '***'), messageOf(error))
  const plain = Object.assign(new Error(hidden), { name: codeOf(error) })
  const metadata = typeof error === 'object' && error !== null ? Reflect.get(error, '$metadata') : undefined
  return metadata === undefined ? plain : Object.assign(plain, { $metadata: metadata as unknown })
}

/**
 * Puts the failure of a login into words: what was being done, why it failed, what to do.
 * @param secrets what must not be in any of the words, whatever the service has said
 */
export function loginFailure(error: unknown, attempted: Attempted, secrets: readonly string[]): OutsideFault {
  const fault = loginFault(error, attempted.withSecret)
  const [why, advice] = wordsOf(fault, attempted, error)
  return new OutsideFault({
    what: `Logging in to the Cognito user pool ${attempted.pool.id} failed: ${why}`,
    advice,
    cause: Object.assign(plainCause(error, secrets), { fault }),
  })
}

/** The class of a failure that `loginFailure` made; undefined for anything else. */
export function faultOfFailure(failure: unknown): LoginFault | undefined {
  const cause = failure instanceof OutsideFault ? failure.cause : undefined
  return cause instanceof Error && 'fault' in cause ? (cause.fault as LoginFault) : undefined
}
