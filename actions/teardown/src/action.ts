import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'

export const action = defineAction({
  name: 'teardown',
  title: 'End rented GPU machines',
  description:
    'Ends what this job has rented and registered, looks until it is gone, and writes the receipt that proves it.',
  inputs: {
    'lease-id': input.text({
      about: 'Lease to end. Empty, and no `instance-id`: every lease of this job (or of this run, see `scope`).',
      pattern: /^\d+-\d+-[a-z0-9]{8}$/,
      must: 'a lease id such as 1234567890-1-0a1b2c3d',
    }),
    'instance-id': input.text({
      about: 'Machine to end; its whole lease ends. It must be one that gpu-actions launched for this repository.',
      pattern: /^i-[0-9a-f]+$/,
      must: 'an instance id such as i-0123456789abcdef0',
    }),
    'aws-region': input.list({
      about:
        "Regions to look in, beside those that the records of this job name. Empty: the one that the job's AWS settings name (`AWS_REGION`).",
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'regions such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    scope: input.oneOf(['job', 'run'], {
      about:
        'Without an id: `job` ends what this job has leased, `run` what any job of this run has leased, in earlier attempts too (for a clean-up job of its own).',
      fallback: 'job',
    }),
    'wait-until-gone': input.boolean({
      about: 'Look until everything is gone. With `false` the order to end is given, and nothing is proven.',
      fallback: 'true',
    }),
    timeout: input.duration({
      about: 'How long to look. A cancelled job has five minutes for all of its cleanup.',
      fallback: '4m',
      min: 10_000,
      max: 3_600_000,
    }),
    // Wrong values of these must not keep a machine alive: none is checked before the work begins.
    'cluster-id': input.secret({
      about:
        'Cluster to end beside the machines, masked. Clusters that deploy-agent has registered in this job are found without it.',
    }),
    'api-base': input.text({
      about: 'The address of the cluster API. Empty: the one with which deploy-agent has registered the cluster.',
    }),
    'id-token': input.secret({
      about:
        'The id token of a login (`cognito-login`), for clusters. It lives an hour, and jobs mostly end later: give the login below, too.',
    }),
    'user-pool-id': input.text({
      about: 'For a new login when the id token has expired, or in its place: the Cognito user pool.',
    }),
    'client-id': input.text({ about: 'For a new login: the app client.' }),
    'client-secret': input.secret({ about: 'For a new login: the secret of the app client, when it has one.' }),
    username: input.text({ about: 'For a new login: the user.' }),
    password: input.secret({ about: 'For a new login: the password of the user.' }),
  },
  outputs: {
    'receipt-path': 'The receipt; one a line when several leases have ended. Empty when there was nothing to end.',
    terminated: 'Machines that have ended.',
    remaining: 'What could not be ended, clusters and token parameters included: 0, or the step has failed.',
    'billed-seconds': 'Seconds billed for all machines together, empty when unknown.',
    cost: 'USD for all machines together, empty when unknown.',
  },
  post: false,
  check: values => {
    const ids = (['lease-id', 'instance-id'] as const).filter(
      (_, index) => [values.leaseId, values.instanceId][index] !== undefined,
    )
    return values.scope === 'run' && ids.length > 0
      ? [`scope: run ends every lease of the run, so that ${ids.join(' and ')} must be empty`]
      : []
  },
})
