import type { ActionContext } from '@gpu-actions/action-kit'
import { awsWorld, login, userPool } from '@gpu-actions/aws'
import type { action } from './action.ts'

export type LoginContext = ActionContext<typeof action.inputs, typeof action.outputs>

/** Logs in and hands the tokens to the steps that follow. No token is saved, and none is in the summary. */
export async function logIn(
  context: LoginContext,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const { clock, idToken, inputs, log, run } = context
  const { roleToAssume, userPoolId } = inputs
  const sessionName = `${run.repository} ${run.runId}`
  const { credentials } = awsWorld({ environment, roleToAssume, idToken, sessionName, clock })
  const pool = userPool({ id: userPoolId, region: inputs.region, credentials })
  log.info(`Logging in to the Cognito user pool ${pool.id} in ${pool.region} by ${inputs.authFlow}.`)
  const tokens = await login(
    {
      clientId: inputs.clientId,
      clientSecret: inputs.clientSecret,
      username: inputs.username,
      password: inputs.password,
      flow: inputs.authFlow,
      revokeRefreshToken: inputs.revokeRefreshToken,
    },
    { pool, clock: context.clock, log, mask: secret => context.mask(secret), signal: context.signal },
  )
  const expiresAt = new Date(tokens.expiresAt).toISOString()
  context.setOutput('id-token', tokens.idToken)
  context.setOutput('access-token', tokens.accessToken)
  context.setOutput('expires-at', expiresAt)
  context.setOutput('subject', tokens.subject)
  log.info(`Logged in as ${tokens.subject}. The id token is checked, and good until ${expiresAt}.`)
}
