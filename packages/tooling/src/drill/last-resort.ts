import { hasOwnCleanupJob, type Drill, type Strike, type WorkflowPlan } from './model.ts'

/**
 * What must have ended every machine at the latest: a step of the workflow (before it is over), the machine's own time
 * limit, or the sweep. What is left beyond is a leak, though a later layer may end it.
 */
export type Resort = 'job' | 'guest' | 'sweep'

/** By design §6: which layers a death leaves standing. */
export function lastResort({ workflow, strike, cloud }: Drill): Resort {
  if (workflow.onJobEnd === 'keep' && !hasOwnCleanupJob(workflow)) return guest()
  return survives(workflow, strike) ? 'job' : guest()

  function guest(): Resort {
    return cloud.guestBroken ? 'sweep' : 'guest'
  }
}

/** Whether a step that can end the machines still runs after the death. */
function survives(workflow: WorkflowPlan, strike: Strike): boolean {
  const apart = hasOwnCleanupJob(workflow)
  const { cleanup, login } = workflow
  switch (strike.death) {
    case 'runner-lost':
      if (!apart || strike.wholeRun || strike.moment === 'teardown') return false
      // The clean-up job has a runner of its own; but a lost job has no outputs, so that no ids reach it.
      return cleanup === 'run' || (workflow.layout === 'three-jobs' && strike.moment === 'working')
    case 'kill':
      // Between teardown and post there is always the other; where provision keeps, post of another job does nothing.
      if (strike.moment === 'teardown') return !apart
      if (strike.moment === 'post') return apart || cleanup !== 'none'
      return true
    case 'credentials':
      if (login === 'role') return true
      return apart && strike.moment !== 'teardown'
    case 'outputs-lost':
      return cleanup === 'run'
    default:
      return true
  }
}
