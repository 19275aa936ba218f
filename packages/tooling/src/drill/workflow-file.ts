import { stringify } from 'yaml'
import { blockId, blockType } from './plan-cloud.ts'
import { hasOwnCleanupJob, type Drill, type WorkflowPlan } from './model.ts'

type Yaml = Readonly<Record<string, unknown>>

/** Ids of steps, by which a drill tells who calls and whom to strike. */
export const stepIds = { rent: ['gpu', 'gpu2'], work: 'work', teardown: 'teardown' } as const

const role = '${{ secrets.AWS_ROLE_TO_ASSUME_ARN }}'

const access = ({ login, regions }: WorkflowPlan): Yaml => ({
  'aws-region': regions.join(','),
  ...(login === 'role' ? { 'role-to-assume': role } : {}),
})

const signIn = ({ login, regions }: WorkflowPlan): readonly Yaml[] =>
  login === 'configure'
    ? [
        {
          name: 'Sign in to AWS',
          uses: 'aws-actions/configure-aws-credentials@v6',
          with: { 'role-to-assume': role, 'aws-region': regions[0] },
        },
      ]
    : []

const rent = (plan: WorkflowPlan, id: string): Yaml => ({
  name: `Rent ${id}`,
  id,
  uses: 'org/gpu-actions/provision@v1',
  with: {
    ...access(plan),
    ...(plan.market === 'capacity-block'
      ? { 'instance-type': blockType, 'capacity-reservation-id': blockId }
      : { 'instance-type': 'g5.xlarge, g5.2xlarge' }),
    market: plan.market,
    'max-wait': '1m',
    'instance-profile-name': 'gpu-bench-instance',
    'wait-for': plan.waitFor,
    'on-job-end': plan.onJobEnd,
    ttl: '90m',
  },
})

const work = (plan: WorkflowPlan, fails: boolean): Yaml => ({
  name: 'Work',
  id: stepIds.work,
  run: `sleep ${plan.workSeconds}${fails ? '\nexit 1' : ''}`,
})

const end = (plan: WorkflowPlan, target: Yaml): Yaml => ({
  name: 'End the GPU',
  id: stepIds.teardown,
  if: 'always()',
  uses: 'org/gpu-actions/teardown@v1',
  with: {
    ...access(plan),
    ...target,
    ...(plan.teardownSeconds === null ? {} : { timeout: `${plan.teardownSeconds}s` }),
  },
})

const evidence: Yaml = {
  name: 'Bring home the evidence',
  if: 'always()',
  'continue-on-error': true,
  uses: 'org/gpu-actions/collect-evidence@v1',
}

const job = (steps: readonly Yaml[], more: Yaml = {}): Yaml => ({
  'runs-on': 'ubuntu-latest',
  permissions: { 'id-token': 'write' },
  ...more,
  steps,
})

/** Rents, works and ends in one job. */
function whole(plan: WorkflowPlan, fails: boolean): Yaml {
  const ids = plan.layout === 'two-leases' ? stepIds.rent : stepIds.rent.slice(0, 1)
  // An id names one lease; two of them are ended by two steps.
  const ends =
    plan.cleanup === 'none'
      ? []
      : plan.cleanup === 'ids'
        ? ids.map((id, index) => ({
            ...end(plan, { 'lease-id': `\${{ steps.${id}.outputs.lease-id }}` }),
            id: index === 0 ? stepIds.teardown : `${stepIds.teardown}${index + 1}`,
          }))
        : [end(plan, {})]
  return job(
    [
      ...signIn(plan),
      ...ids.map(id => rent(plan, id)),
      work(plan, fails),
      ...ends,
      ...(plan.evidence ? [evidence] : []),
    ],
    {
      ...timeout(plan),
      ...(plan.layout === 'matrix' ? { strategy: { 'fail-fast': plan.failFast, matrix: { leg: [1, 2] } } } : {}),
    },
  )
}

const timeout = ({ timeoutSeconds }: WorkflowPlan): Yaml =>
  timeoutSeconds === null ? {} : { 'timeout-minutes': timeoutSeconds / 60 }

/** Rents in one job and ends in another, which gets ids or goes by the run. */
function apart(plan: WorkflowPlan, fails: boolean): Yaml {
  const together = plan.layout === 'two-jobs'
  const target: Yaml = plan.cleanup === 'run' ? { scope: 'run' } : { 'lease-id': '${{ needs.rent.outputs.lease_id }}' }
  return {
    rent: job([...signIn(plan), rent(plan, stepIds.rent[0]), ...(together ? [work(plan, fails)] : [])], {
      ...timeout(plan),
      outputs: { lease_id: '${{ steps.gpu.outputs.lease-id }}' },
    }),
    ...(together ? {} : { work: job([work(plan, fails)], { needs: 'rent' }) }),
    clean: job([...signIn(plan), end(plan, target)], {
      needs: together ? ['rent'] : ['rent', 'work'],
      if: 'always()',
    }),
  }
}

/** The workflow of a drill, as a user would have written it. */
export function workflowFile({ workflow, strike }: Drill): string {
  const fails = strike.death === 'step-fails'
  const jobs = hasOwnCleanupJob(workflow) ? apart(workflow, fails) : { rent: whole(workflow, fails) }
  return stringify({ name: 'Drill', on: 'workflow_dispatch', permissions: {}, jobs }, { lineWidth: 0 })
}

/**
 * Secrets of the run. A secret that is part of every lease id makes GitHub drop the output that holds one: so outputs
 * are lost.
 */
export const secretsOf = ({ runId, strike }: Drill, given: Readonly<Record<string, string>>) =>
  strike.death === 'outputs-lost' ? { ...given, DRILL_RUN: String(runId) } : given
