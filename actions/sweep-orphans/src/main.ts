import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  // The AWS parts are loaded only when the inputs are right.
  const [{ sweepOrphans }, { awsWorld }] = await Promise.all([import('./sweep-orphans.ts'), import('@gpu-actions/aws')])
  const { clock, idToken, inputs, run } = context
  const sessionName = `${run.repository} ${run.runId}`
  await sweepOrphans(
    context,
    awsWorld({ environment: process.env, roleToAssume: inputs.roleToAssume, idToken, sessionName, clock }),
  )
})
