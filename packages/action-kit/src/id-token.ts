import * as core from '@actions/core'
import { messageOf, OutsideFault, UserFault } from './ports/faults.ts'

/**
 * A new OIDC token of the job, masked. It lives about five minutes and can be had as often as wanted while the job runs,
 * in its post steps too: ask for one when it is needed, and keep none.
 * @param audience whom it is for, such as `sts.amazonaws.com`
 * @throws UserFault when the job may not have one, OutsideFault when GitHub does not give one
 */
export async function jobIdToken(
  audience: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (!environment['ACTIONS_ID_TOKEN_REQUEST_URL'] || !environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']) {
    throw new UserFault('GitHub gives this job no OIDC token', [
      'add `permissions: id-token: write` to the job (to its caller too, when it is called by another workflow); pull requests from forks get none',
    ])
  }
  try {
    return await core.getIDToken(audience)
  } catch (error) {
    throw new OutsideFault({
      what: `GitHub did not give the job an OIDC token for ${audience}: ${messageOf(error)}`,
      advice: 'Run the job again; see https://www.githubstatus.com.',
      cause: error,
    })
  }
}
