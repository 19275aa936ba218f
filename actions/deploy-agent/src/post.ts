import { runPost } from '@gpu-actions/action-kit'
import { action } from './action.ts'
import { deployState } from './state.ts'

await runPost(async (context, late) => {
  const { endWhatIsLeft } = await import('./end.ts')
  const ports = async () => (await import('./real-ports.ts')).realPorts(process.env, context, late('role-to-assume'))
  await endWhatIsLeft(context, deployState.load(), late, ports)
}, action)
