import { runAction } from '@gpu-actions/action-kit'
import { action } from './action.ts'

await runAction(action, async context => {
  const { clock, inputs, log } = context
  // Loaded after the inputs were read, so that wrong ones are refused at once.
  if (inputs.target === 'cluster') {
    const [{ openCluster }, { runJob }] = await Promise.all([import('./clusters.ts'), import('./run-job.ts')])
    await runJob(context, openCluster(context))
    return
  }
  const [{ openHost }, { run }, { default: program }] = await Promise.all([
    import('./hosts.ts'),
    import('./run.ts'),
    import('@gpu-actions/benchmark/programs.pyz'),
  ])
  const opened = await openHost(inputs, { clock, log, environment: process.env, temp: context.run.temp })
  try {
    await run(context, opened.host, program)
  } finally {
    await opened.close()
  }
})
