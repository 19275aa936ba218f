import { AwsError } from '../aws/errors.ts'
import { text, type QueryNode } from '../aws/query.ts'
import { time, type Xml } from '../aws/xml.ts'
import type { Cloud } from '../cloud.ts'
import { fitsPattern } from '../patterns.ts'
import { account, roles } from '../world/account.ts'
import type { Identity } from './sessions.ts'

type Answer = { readonly [name: string]: Xml }

/** Operations that need no signature: the token is the proof. */
export const unsignedOperations: readonly string[] = ['AssumeRoleWithWebIdentity']

/** The audience that AWS asks of GitHub's tokens. */
const audience = 'sts.amazonaws.com'

/** Carries out an STS operation; `identity` is null for an unsigned one. */
export async function callSts(cloud: Cloud, name: string, node: QueryNode, identity: Identity | null): Promise<Answer> {
  if (name === 'AssumeRoleWithWebIdentity') return assumeRoleWithWebIdentity(cloud, node)
  if (name === 'GetCallerIdentity' && identity !== null)
    return { Arn: identity.arn, UserId: identity.userId, Account: account }
  throw new AwsError(
    'InvalidAction',
    `Could not find operation ${name} for version 2011-06-15. (The offline cloud does not cover STS's ${name}.)`,
  )
}

async function assumeRoleWithWebIdentity(cloud: Cloud, node: QueryNode): Promise<Answer> {
  const required = (name: string): string => {
    const value = text(node, name)
    if (value !== undefined && value !== '') return value
    throw new AwsError(
      'ValidationError',
      `1 validation error detected: Value at '${name}' failed to satisfy constraint: Member must not be null`,
    )
  }
  const arn = required('RoleArn')
  const sessionName = required('RoleSessionName')
  const token = required('WebIdentityToken')
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName))
    throw new AwsError(
      'ValidationError',
      `1 validation error detected: Value '${sessionName}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*`,
    )
  const duration = Number(text(node, 'DurationSeconds') ?? '3600')
  if (!Number.isInteger(duration) || duration < 900 || duration > 43_200)
    throw new AwsError(
      'ValidationError',
      `1 validation error detected: Value '${duration}' at 'durationSeconds' failed to satisfy constraint: Member must be between 900 and 43200`,
    )
  const claims = await cloud.issuer.verify(token, audience)
  const role = roles.find(candidate => candidate.arn === arn)
  if (role === undefined || !role.subjects.some(pattern => fitsPattern(pattern, claims.subject)))
    throw new AwsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 403)
  if (duration > role.maxSessionSeconds)
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    )
  const roleName = arn.slice(arn.lastIndexOf('/') + 1)
  const assumed = {
    arn: `arn:aws:sts::${account}:assumed-role/${roleName}/${sessionName}`,
    id: `${role.id}:${sessionName}`,
  }
  // STS counts in whole seconds.
  const expiresAt = Math.floor(cloud.clock.now() / 1000) * 1000 + duration * 1000
  const session = cloud.sessions.issue(assumed.arn, assumed.id, expiresAt)
  return {
    SubjectFromWebIdentityToken: claims.subject,
    Audience: audience,
    AssumedRoleUser: { AssumedRoleId: assumed.id, Arn: assumed.arn },
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: time(expiresAt),
    },
    Provider: `arn:aws:iam::${account}:oidc-provider/${new URL(cloud.url()).host}`,
  }
}
