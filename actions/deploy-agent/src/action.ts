import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'

/** The reference's production host, which is also its documented default. */
const production = 'api.vaultscaler.com'

export const action = defineAction({
  name: 'deploy-agent',
  title: 'Deploy the agent of a cluster API',
  description: 'Registers a rented machine as a cluster, installs the agent there, and waits until it is active.',
  inputs: {
    'instance-id': input.text({
      about: 'The machine, reached over the Systems Manager.',
      required: true,
      pattern: /^i-[0-9a-f]{8,17}$/,
      must: 'an instance id such as i-0123456789abcdef0',
    }),
    'aws-region': input.text({
      about: 'The region of the machine; empty takes `AWS_REGION`.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'a region such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    'lease-id': input.text({
      about: 'The lease that the machine belongs to; empty finds the lease of `instance-id` among those of this job.',
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      must: 'a lease id, as provision-ec2-gpu gives it',
    }),
    'api-base': input.text({
      about: 'The address of the cluster API, such as `https://api.example.com`.',
      required: true,
    }),
    'id-token': input.secret({ about: 'The id token of a login (`cognito-login`), masked.', required: true }),
    'cluster-name': input.text({
      about: "The name of the cluster; the lease's or the run's id is appended, so that each run has its own.",
      fallback: 'ci-gpu-bench',
      pattern: /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      must: 'up to 40 lower-case letters, digits and dashes, such as ci-gpu-bench',
    }),
    agent: input.oneOf(['reference', 'image'], {
      about:
        "Which agent: `reference` is the suite's own, which runs jobs with the suite's benchmark program; `image` the container of `agent-image`.",
      fallback: 'reference',
    }),
    'agent-image': input.text({
      about: 'The container image of the agent, with `agent: image`. Empty: `iangreen74/radix-cluster-agent:latest`.',
      pattern: /^[a-zA-Z0-9][\w./:@-]*$/,
      must: 'a reference of an image such as registry.example.com/agent:1.2.3',
    }),
    'activation-timeout': input.duration({
      about: 'How long the cluster may take to become active once the agent was started.',
      fallback: '10m',
      min: 5_000,
      max: 3_600_000,
    }),
    'production-hosts': input.list({
      about: 'Hosts of production APIs.',
      fallback: production,
      pattern: /^[A-Za-z0-9.-]+$/,
      must: 'host names without scheme and port',
    }),
    'on-production': input.oneOf(['warn', 'refuse'], {
      about: 'What to do when `api-base` is one of `production-hosts`.',
      fallback: 'warn',
    }),
    'kms-key-id': input.text({
      about:
        "The KMS key that encrypts the one-time token on its way to the machine; empty takes the account's `aws/ssm`.",
      pattern: /^[\w:/-]+$/,
      must: 'an id, alias or ARN of a KMS key',
    }),
    'allow-cpu': input.boolean({
      about: 'Let the agent run the benchmark on the CPU where there is no GPU.',
      fallback: 'false',
    }),
    'steps-per-epoch': input.integer({
      about: 'Steps in an epoch for jobs that do not say it; empty: 200.',
      min: 1,
      max: 1_000_000,
    }),
    'image-size': input.integer({
      about: 'Edge of an image in pixels for jobs that do not say it; empty: 224.',
      min: 32,
      max: 4096,
    }),
    'user-pool-id': input.text({
      about: 'For a new login when the id token has expired: the Cognito user pool.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d+_[0-9A-Za-z]+$/,
      must: 'the id of a user pool such as us-west-2_AbCdEf123',
    }),
    'client-id': input.text({
      about: 'For a new login: the app client.',
      pattern: /^[\w+]{1,128}$/,
      must: 'the id of an app client such as 1h57kf5cpq17m0eml12EXAMPLE',
    }),
    'client-secret': input.secret({ about: 'For a new login: the secret of the app client, when it has one.' }),
    username: input.text({ about: 'For a new login: the user.' }),
    password: input.secret({ about: 'For a new login: the password of the user.' }),
  },
  outputs: {
    'cluster-id': 'The id of the cluster, masked. It does not cross jobs: GitHub drops outputs with a masked value.',
    'agent-version': 'The version of the agent; empty when nobody tells it.',
    'activation-seconds': 'Seconds from the registration until the cluster was active.',
  },
  post: true,
  check: values => {
    const login = {
      'user-pool-id': values.userPoolId,
      'client-id': values.clientId,
      username: values.username,
      password: values.password,
    }
    const missing = Object.entries(login).flatMap(([id, value]) => (value === undefined ? [id] : []))
    const isStarted = missing.length < 4 || values.clientSecret !== undefined
    const cpu = {
      'allow-cpu': values.allowCpu,
      'steps-per-epoch': values.stepsPerEpoch,
      'image-size': values.imageSize,
    }
    const unused = Object.entries(cpu).flatMap(([id, value]) => (value === undefined || value === false ? [] : [id]))
    return [
      ...(isStarted && missing.length > 0
        ? [
            `${missing.join(', ')}: a new login needs user-pool-id, client-id, username and password, all or none of them`,
          ]
        : []),
      ...(values.agent === 'reference' && values.agentImage !== undefined
        ? ['agent-image: is for agent: image only']
        : []),
      ...(values.agent === 'image' && unused.length > 0 ? [`${unused.join(', ')}: for agent: reference only`] : []),
    ]
  },
})

export type DeployAction = typeof action
