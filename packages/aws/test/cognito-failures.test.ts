import { describe, expect, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import fc from 'fast-check'
import { challengeFailure, knownChallenges } from '../src/cognito/challenges.ts'
import { loginFailure, loginFault, mayPass, type Attempted, type LoginFault } from '../src/cognito/failures.ts'
import { secretHash } from '../src/cognito/login.ts'

const pool = { id: 'us-west-2_Pool1', region: 'us-west-2', homeRegion: 'us-west-2' }
const attempted: Attempted = { pool, clientId: 'client1', flow: 'ADMIN_USER_PASSWORD_AUTH', withSecret: false }

const error = (name: string, message = 'said the service', httpStatusCode = 400): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } })

const unresolved = Object.assign(new Error('getaddrinfo ENOTFOUND cognito-idp.xx-west-9.amazonaws.com'), {
  code: 'ENOTFOUND',
})
const noCredentials = Object.assign(new Error('Could not load credentials'), { name: 'CredentialsProviderError' })

/** What was thrown, whether a client secret was given, the class. Sentences are Cognito's own. */
const table: readonly (readonly [Error, boolean, LoginFault])[] = [
  [error('NotAuthorizedException', 'Incorrect username or password.'), false, 'wrong-password'],
  [error('NotAuthorizedException', 'Password attempts exceeded'), false, 'locked'],
  [error('NotAuthorizedException', 'User is disabled.'), false, 'user-disabled'],
  [error('NotAuthorizedException', 'Unable to login because of security reasons'), false, 'suspected'],
  [
    error('NotAuthorizedException', 'Temporary password has expired and must be reset by an administrator.'),
    false,
    'temporary-password-expired',
  ],
  [
    error('NotAuthorizedException', 'Client c1 is configured with secret but SECRET_HASH was not received'),
    false,
    'secret-missing',
  ],
  [error('NotAuthorizedException', 'Unable to verify secret hash for client c1'), false, 'secret-missing'],
  [error('NotAuthorizedException', 'Unable to verify secret hash for client c1'), true, 'secret-wrong'],
  [error('NotAuthorizedException', 'SecretHash does not match for the client: c1'), true, 'secret-wrong'],
  [error('NotAuthorizedException', 'Something that is new'), false, 'refused'],
  [error('UserNotFoundException', 'User does not exist.'), false, 'unknown-user'],
  [error('UserNotConfirmedException', 'User is not confirmed.'), false, 'unconfirmed'],
  [error('PasswordResetRequiredException', 'Password reset required for the user'), false, 'reset-required'],
  [error('InvalidParameterException', 'Auth flow not enabled for this client'), false, 'flow-off'],
  [error('InvalidParameterException', 'USER_PASSWORD_AUTH flow not enabled for this client'), false, 'flow-off'],
  [error('InvalidParameterException', 'Initiate Auth method not supported.'), false, 'flow-off'],
  [error('InvalidParameterException', 'Missing required parameter USERNAME'), false, 'parameter'],
  [error('ResourceNotFoundException', 'User pool client c1 does not exist.'), false, 'unknown-client'],
  [error('ResourceNotFoundException', 'User pool us-west-2_Pool1 does not exist.'), false, 'unknown-pool'],
  [unresolved, false, 'no-such-region'],
  [error('TooManyRequestsException', 'Rate exceeded', 429), false, 'throttled'],
  [error('LimitExceededException', 'Attempt limit exceeded, please try after some time.'), false, 'throttled'],
  [error('AccessDeniedException', 'is not authorized to perform: cognito-idp:AdminInitiateAuth'), false, 'denied'],
  [noCredentials, false, 'credentials'],
  [error('ExpiredTokenException'), false, 'credentials'],
  [error('ForbiddenException', 'Request not allowed due to WAF block.', 403), false, 'firewall'],
  [error('UserLambdaValidationException', 'PreAuthentication failed with error no.'), false, 'trigger'],
  [error('UnexpectedLambdaException'), false, 'trigger'],
  [error('InvalidLambdaResponseException'), false, 'trigger'],
  [error('InvalidUserPoolConfigurationException'), false, 'pool-settings'],
  [error('InvalidSmsRoleAccessPolicyException'), false, 'pool-settings'],
  [error('InternalErrorException', 'Oops', 500), false, 'unreachable'],
  [Object.assign(new Error('no reply'), { name: 'TimeoutError' }), false, 'unreachable'],
  [error('SomethingNewException'), false, 'refused'],
]

const said = (thrown: unknown): string => describeFailure(thrown).message

describe('a refused login', () => {
  test.each(table.map(([thrown, withSecret, fault]) => [thrown.name, thrown.message, withSecret, fault, thrown]))(
    '%s, "%s" (with a client secret: %p) is %s',
    (_name, _message, withSecret, fault, thrown) =>
      expect(loginFault(thrown, withSecret as boolean)).toBe(fault as LoginFault),
  )

  test('has a sentence and an advice of its own for every class', () => {
    const firsts = new Map(table.map(([thrown, withSecret, fault]) => [fault, { thrown, withSecret }]))
    const words = [...firsts.values()].map(({ thrown, withSecret }) => {
      const failure = loginFailure(thrown, { ...attempted, withSecret }, [])
      expect(failure.message).toMatch(/^Logging in to the Cognito user pool us-west-2_Pool1 failed: .{15,}/)
      expect(failure.advice).toMatch(/^[A-Z].{15,}/)
      return failure
    })
    expect(new Set(words.map(failure => failure.message)).size).toBe(firsts.size)
    expect(new Set(words.map(failure => failure.advice)).size).toBe(firsts.size)
  })

  test('is tried again by nobody, unless it was the service or its limits', () => {
    const again = table.map(([, , fault]) => fault).filter(mayPass)
    expect(new Set(again)).toEqual(new Set(['throttled', 'unreachable']))
  })

  test("shows the service's own words, because they tell more than the code", () => {
    const thrown = error('NotAuthorizedException', 'Incorrect username or password.')
    expect(said(loginFailure(thrown, attempted, []))).toContain(
      'Because: NotAuthorizedException: Incorrect username or password.',
    )
  })

  test('names the permission, the client setting and the command that helps', () => {
    const words = (name: string, message?: string): string => said(loginFailure(error(name, message), attempted, []))
    expect(words('AccessDeniedException')).toContain('cognito-idp:AdminInitiateAuth on the user pool us-west-2_Pool1')
    expect(words('InvalidParameterException', 'Auth flow not enabled for this client')).toContain(
      'ALLOW_ADMIN_USER_PASSWORD_AUTH',
    )
    expect(words('UserNotConfirmedException')).toContain(
      'aws cognito-idp admin-confirm-sign-up --region us-west-2 --user-pool-id us-west-2_Pool1',
    )
  })

  test('points at the region input when that is not the region of the pool', () => {
    const elsewhere = { ...attempted, pool: { ...pool, region: 'eu-west-1' } }
    const missing = error('ResourceNotFoundException', 'User pool us-west-2_Pool1 does not exist.')
    expect(said(loginFailure(missing, elsewhere, []))).toContain("names eu-west-1, but the pool's id says us-west-2")
    expect(said(loginFailure(missing, attempted, []))).not.toContain('The input region')
  })

  test('never shows a secret, whatever the service says', () => {
    const secret = fc.string({ minLength: 8, unit: 'grapheme-ascii' }).filter(text => /^\S.*\S$/.test(text))
    const property = fc.property(secret, secret, fc.constantFrom(...table), (one, other, [thrown, withSecret]) => {
      const echo = Object.assign(new Error(`${thrown.message} '${one}' ${other}${one}`), {
        name: thrown.name,
        $metadata: { httpStatusCode: 400 },
        request: { body: one },
      })
      const given = { ...attempted, withSecret }
      const failure = loginFailure(echo, given, [one, other])
      const words = said(failure) + JSON.stringify(failure.cause) + String(failure.stack)
      // What is part of our own words anyway was not shown by the service.
      const own = said(loginFailure(thrown, given, []))
      return [one, other].every(text => !words.includes(text) || own.includes(text))
    })
    expect(fc.check(property).counterexample).toBeNull()
  })
})

describe('a challenge', () => {
  test.each([
    'NEW_PASSWORD_REQUIRED',
    'SMS_MFA',
    'SMS_OTP',
    'EMAIL_OTP',
    'SOFTWARE_TOKEN_MFA',
    'SELECT_MFA_TYPE',
    'MFA_SETUP',
    'PASSWORD',
    'PASSWORD_SRP',
    'PASSWORD_VERIFIER',
    'CUSTOM_CHALLENGE',
    'SELECT_CHALLENGE',
    'WEB_AUTHN',
    'DEVICE_SRP_AUTH',
    'DEVICE_PASSWORD_VERIFIER',
  ])('%s is named, and says what to do with the user', name => {
    const failure = challengeFailure(name, attempted)
    expect(failure.message).toContain(`asks for ${name} before it gives tokens`)
    expect(failure.advice).toMatch(/^[A-Z].{40,}/)
    expect(knownChallenges).toContain(name)
  })

  test('that nobody knows yet is named too', () => {
    expect(challengeFailure('PALM_READING', attempted).message).toContain('PALM_READING')
  })

  test('for a new password comes with the command that gives one', () => {
    expect(challengeFailure('NEW_PASSWORD_REQUIRED', attempted).advice).toContain(
      'aws cognito-idp admin-set-user-password --region us-west-2 --user-pool-id us-west-2_Pool1 --username <the user>',
    )
  })
})

describe('the hash of a client secret', () => {
  test('is what openssl makes of the same words', () => {
    // printf %s USERNAMECLIENTID | openssl dgst -sha256 -hmac SECRET -binary | base64
    expect(secretHash('ci@example.com', 'offlineciwithsecret0000000', 'offline-client-secret-000000000000')).toBe(
      'e+lbBV8lX/QXuAXN4vvlZanH7hEOS5PLn6/PF+Huiy8=',
    )
  })
})
