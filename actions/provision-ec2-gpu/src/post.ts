import { runPost } from '@gpu-actions/action-kit'
import { provisionState } from './state.ts'

await runPost(async (context, late) => {
  const { endWhatIsLeft } = await import('./end.ts')
  const ports = async () => (await import('./real-ports.ts')).realPorts(process.env, context, late('role-to-assume'))
  await endWhatIsLeft(context, provisionState.load(), ports)
})
