import { messageOf, OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import { codeOf, faultOf } from '../errors.ts'

/** The subject of an OIDC token, by its own words: no secret, and what a trust policy is compared with. */
export function subjectOf(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const subject: unknown = typeof claims === 'object' && claims !== null ? Reflect.get(claims, 'sub') : undefined
    return typeof subject === 'string' ? subject : undefined
  } catch {
    return undefined
  }
}

const trustPolicy = (role: string, subject: string | undefined): string =>
  [
    `Check that the role exists (${role}) and that its trust policy accepts this job: the OIDC provider token.actions.githubusercontent.com of the same account, audience sts.amazonaws.com, and the subject`,
    subject === undefined ? '' : `'${subject}'`,
    '(repo:OWNER/REPO:…; repositories made, renamed or moved after 2026-07-15 send repo:OWNER@OWNER-ID/REPO@REPO-ID:…). docs/aws-setup.md has a policy for both forms.',
  ]
    .filter(part => part !== '')
    .join(' ')

function adviceFor(error: unknown, role: string, region: string, subject: string | undefined): string {
  // STS has a name for the wire and one for its class.
  switch (codeOf(error).replace(/Exception$/, '')) {
    case 'AccessDenied':
    case 'IDPRejectedClaim':
      return trustPolicy(role, subject)
    case 'InvalidIdentityToken':
      if (/audience/i.test(messageOf(error))) {
        return 'Add sts.amazonaws.com to the audiences of the identity provider for https://token.actions.githubusercontent.com in the account of the role (docs/aws-setup.md).'
      }
      return 'Make the identity provider for https://token.actions.githubusercontent.com in the account of the role (docs/aws-setup.md); without it no token of GitHub is accepted.'
    case 'ExpiredToken':
      return 'The OIDC token of the job was too old when it arrived: run the job again.'
    case 'RegionDisabled':
      return `Activate STS in ${region} (account settings of IAM), or enable the region.`
    case 'ValidationError':
      return /DurationSeconds/i.test(messageOf(error))
        ? 'Raise the maximum session duration of the role to an hour at least.'
        : 'Check role-to-assume: it must be the ARN of a role.'
    default:
      return faultOf(error) === 'throttled' || faultOf(error) === 'server'
        ? 'STS, or the way from it to GitHub, did not answer as it should; try again, and see https://health.aws.amazon.com/health/status.'
        : 'See the message of STS above.'
  }
}

/** Each way in which a role cannot be had, in its own words. What the job's token source throws has words already. */
export function roleFault(error: unknown, role: string, region: string, token: string | undefined): Error {
  if (error instanceof UserFault || error instanceof OutsideFault) return error
  if (token === undefined) {
    return new OutsideFault({
      what: `The job got no OIDC token for ${role}: ${messageOf(error)}`,
      advice:
        'Add `permissions: id-token: write` to the job (to its caller too, when it is called by another workflow); pull requests from forks get none.',
      cause: Object.assign(new Error(messageOf(error)), { name: 'CredentialsProviderError', cause: error }),
    })
  }
  const subject = subjectOf(token)
  return new OutsideFault({
    what: `Assuming ${role} with the OIDC token of the job failed: ${codeOf(error)}: ${messageOf(error)}`,
    advice: adviceFor(error, role, region, subject),
    cause: error,
  })
}
