import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  // The AWS parts are loaded only when the inputs are right.
  const { teardown } = await import('./teardown.ts')
  const { realPorts } = await import('./real-ports.ts')
  await teardown(context, realPorts(process.env))
})
