import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { setPasswordCommand, type Attempted } from './failures.ts'

const secondFactor =
  'A workflow cannot answer for a second factor. Switch it off for this user, or use a user of its own for CI, in a pool or with settings where a second factor is optional.'
const setUp =
  'The pool demands a second factor, and the user has not set one up. A workflow cannot: make it optional for this pool, or use a pool of its own for CI.'
const custom =
  'A trigger of the pool (define auth challenge) asks for more than the password: let it pass the user of the workflow.'
const otherFlow =
  'The pool asks for another way to log in than with a password: use an app client and a user that log in with a password alone.'
const device =
  'The pool remembers devices, and a runner is none: switch device tracking off, or use a pool of its own for CI.'

type Advice = (attempted: Attempted) => string
const each = (names: readonly string[], text: string): readonly (readonly [string, Advice])[] =>
  names.map(name => [name, () => text] as const)

/** Each challenge of the reference (aws.md section 10), and what to do with the user. */
const advice: ReadonlyMap<string, Advice> = new Map<string, Advice>([
  [
    'NEW_PASSWORD_REQUIRED',
    attempted =>
      `The user still has the temporary password of an administrator. Give a permanent one: ${setPasswordCommand(attempted)}`,
  ],
  ...each(['SMS_MFA', 'SMS_OTP', 'EMAIL_OTP', 'SOFTWARE_TOKEN_MFA', 'SELECT_MFA_TYPE'], secondFactor),
  ...each(['MFA_SETUP'], setUp),
  ...each(['PASSWORD', 'PASSWORD_SRP', 'PASSWORD_VERIFIER', 'SELECT_CHALLENGE', 'WEB_AUTHN'], otherFlow),
  ...each(['CUSTOM_CHALLENGE'], custom),
  ...each(['DEVICE_SRP_AUTH', 'DEVICE_PASSWORD_VERIFIER'], device),
])

/** Every challenge that has advice of its own, for tables and tests. */
export const knownChallenges: readonly string[] = [...advice.keys()]

/** Cognito has taken the password and asks for more, which a workflow cannot give. */
export function challengeFailure(name: string, attempted: Attempted): OutsideFault {
  const advise =
    advice.get(name) ?? (() => 'A workflow cannot answer it: use a user who logs in with a password alone.')
  return new OutsideFault({
    what: `Logging in to the Cognito user pool ${attempted.pool.id} failed: the password was accepted, but Cognito asks for ${name} before it gives tokens`,
    advice: advise(attempted),
  })
}
