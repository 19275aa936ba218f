import { AssumeRoleWithWebIdentityCommand, type STSClient } from '@aws-sdk/client-sts'
import type { Clock } from '@gpu-actions/action-kit/ports'
import { codeOf, faultOf, isTransient } from '../errors.ts'
import { roleFault } from './role-words.ts'
import type { Session } from './shared-credentials.ts'

export interface RoleOptions {
  /** Its ARN. */
  readonly role: string
  /** A new OIDC token of the job for an audience. */
  readonly idToken: (audience: string) => Promise<string>
  /** Shown by CloudTrail: who uses the role. */
  readonly sessionName: string
  readonly region: string
  readonly clock: Clock
  /** Sends exactly one request for each `send`: every try has a token of its own. */
  readonly sts: () => STSClient
}

/** What AWS asks of GitHub's tokens. */
const audience = 'sts.amazonaws.com'
/** Every role allows an hour; more would have to be allowed first. */
const sessionSeconds = 3600
const tries = 3

/** What STS takes as the name of a session. */
export const sessionNameOf = (text: string): string =>
  text
    .replace(/[^\w+=,.@-]+/g, '-')
    .slice(0, 64)
    .padEnd(2, '-')

const mayPass = (error: unknown): boolean => isTransient(faultOf(error)) || codeOf(error) === 'ExpiredTokenException'

/**
 * Takes a role with the job's OIDC token, without any other credentials.
 * @throws OutsideFault, UserFault when the job gets no token
 */
export async function assumeRole(options: RoleOptions): Promise<Session> {
  const { role, region, clock } = options
  for (let attempt = 1; ; attempt++) {
    let token: string | undefined
    try {
      // It lives minutes: a fresh one for each try.
      token = await options.idToken(audience)
      const reply = await options.sts().send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: role,
          RoleSessionName: sessionNameOf(options.sessionName),
          WebIdentityToken: token,
          DurationSeconds: sessionSeconds,
        }),
      )
      return sessionOf(reply.Credentials, clock.now())
    } catch (error) {
      if (token === undefined || attempt >= tries || !mayPass(error)) throw roleFault(error, role, region, token)
      await clock.sleep(500 * 2 ** (attempt - 1) * (0.5 + clock.random()))
    }
  }
}

interface Given {
  readonly AccessKeyId?: string | undefined
  readonly SecretAccessKey?: string | undefined
  readonly SessionToken?: string | undefined
  readonly Expiration?: Date | undefined
}

function sessionOf(given: Given | undefined, now: number): Session {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = given ?? {}
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) {
    throw new Error('AssumeRoleWithWebIdentity answered without credentials')
  }
  return {
    identity: { accessKeyId, secretAccessKey, sessionToken },
    expiresAt: given?.Expiration?.getTime() ?? now + sessionSeconds * 1000,
  }
}
