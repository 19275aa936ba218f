import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  // The AWS parts are loaded only when the inputs are right.
  const { logIn } = await import('./log-in.ts')
  await logIn(context, process.env)
})
