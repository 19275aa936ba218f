import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  // Loaded after the inputs were read, so that wrong ones are refused at once.
  const [{ deploy }, { realPorts }, { default: program }, { default: agent }] = await Promise.all([
    import('./deploy.ts'),
    import('./real-ports.ts'),
    import('@gpu-actions/benchmark/programs.pyz'),
    import('@gpu-actions/cluster-api/agent.py'),
  ])
  await deploy(context, realPorts(process.env, context, context.inputs.roleToAssume), {
    agent: new TextEncoder().encode(agent),
    program,
  })
})
