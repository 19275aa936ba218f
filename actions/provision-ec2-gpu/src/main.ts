import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  // The AWS parts are loaded only when the inputs are right.
  const { provision } = await import('./provision.ts')
  const { realPorts } = await import('./real-ports.ts')
  await provision(context, realPorts(process.env, context, context.inputs.roleToAssume))
})
