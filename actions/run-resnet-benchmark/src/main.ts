import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  const { inputs } = context
  // Loaded after the inputs were read, so that wrong ones are refused at once.
  if (inputs.target === 'cluster') {
    const [{ openCluster }, { runJob }] = await Promise.all([import('./clusters.ts'), import('./run-job.ts')])
    await runJob(context, openCluster(context, process.env))
    return
  }
  const [{ openHost }, { run }, { default: program }] = await Promise.all([
    import('./hosts.ts'),
    import('./run.ts'),
    import('@gpu-actions/benchmark/programs.pyz'),
  ])
  const opened = await openHost(inputs, { ...context, environment: process.env })
  try {
    await run(context, opened, program)
  } finally {
    await opened.close()
  }
})
