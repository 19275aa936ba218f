import { runAction } from '@gpu-actions/action-kit'
import { collectEvidence } from './action.ts'

await runAction(collectEvidence, async ({ inputs, ...context }) => {
  const [{ collect }, { findExtraFiles }, { githubArtifacts, pullRequestHead }] = await Promise.all([
    import('./collect.ts'),
    import('./extra-files.ts'),
    import('./github.ts'),
  ])
  await collect(inputs, {
    ...context,
    headSha: pullRequestHead(),
    artifacts: githubArtifacts,
    findFiles: pattern => findExtraFiles(pattern, process.cwd()),
  })
})
