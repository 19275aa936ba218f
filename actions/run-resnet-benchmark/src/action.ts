import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'
import { memoryFormats, modes, precisions, preflightNeeds, profileNames } from '@gpu-actions/benchmark/words'
import { faultsOfHost, hostIdsGiven, type HostGiven } from './host-faults.ts'

/**
 * What a job of a cluster is asked for where nothing is given. It is told steps and image size only when they differ:
 * its agent knows the same.
 */
export const usualSizes = { epochs: 1, stepsPerEpoch: 200, batchSize: 128, imageSize: 224 } as const

export const action = defineAction({
  name: 'run-resnet-benchmark',
  title: 'Run the ResNet-50 benchmark',
  description:
    'Measures training or inference of ResNet-50 on a host, block by block, with every raw step time; or runs it as a job of a cluster.',
  inputs: {
    target: input.oneOf(['host', 'cluster'], {
      about:
        '`host`: measure `instance-id`, `ssh-host` or the runner. `cluster`: start a job on `cluster-id` through its API and wait for it; `timeout` is how long.',
      fallback: 'host',
    }),
    'instance-id': input.text({
      about:
        'The instance to measure, reached over the Systems Manager. Give this, `ssh-host` or `local`; not needed with `target: cluster`.',
      pattern: /^i-[0-9a-f]{8,17}$/,
      must: 'an instance id such as i-0123456789abcdef0',
    }),
    'aws-region': input.text({
      about: 'The region of the instance; empty takes `AWS_REGION`.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'a region such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    local: input.boolean({ about: 'Measure the runner itself (self-hosted runners).', fallback: 'false' }),
    'ssh-host': input.text({
      about: 'The machine to measure, reached by ssh: its name or address.',
      pattern: /^([A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/,
      must: 'a name or an address, without user and port',
    }),
    'ssh-port': input.integer({ about: 'With `ssh-host`: its port.', fallback: '22', min: 1, max: 65_535 }),
    'ssh-user': input.text({
      about: 'With `ssh-host`: the user to log in as, such as `ubuntu`.',
      pattern: /^[A-Za-z_][A-Za-z0-9_.-]*$/,
      must: 'the name of a user',
    }),
    'ssh-key': input.secret({
      about:
        'With `ssh-host`: the text of a private key without a passphrase. Masked; it lies in a private file while the step runs, and nowhere else.',
    }),
    'ssh-host-key': input.text({
      about:
        "With `ssh-host`: the host's key, as a line of known_hosts or as its fingerprint (`SHA256:…`). Empty takes the key that the host shows first; the log says which.",
    }),
    'lease-id': input.text({
      about: 'The lease that the host belongs to; empty finds the lease of `instance-id` among those of this job.',
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      must: 'a lease id, as provision-ec2-gpu gives it',
    }),
    profile: input.oneOf(profileNames, {
      about:
        '`quick`: a minute, to see that the machine trains; no verdict. `standard`: the protocol, 10 blocks of 20 steps of 128 images of 224 px. `full`: that, then compiled, then inference, each with a record of its own. Where `allow-cpu` lets the CPU be measured, all are smaller. Sizes that are given hold everywhere.',
      fallback: 'standard',
    }),
    mode: input.oneOf(modes, { about: 'What a step is.', fallback: 'train' }),
    epochs: input.integer({
      about: "Timed steps are epochs × steps per epoch. Empty takes the profile's (1).",
      min: 1,
      max: 10_000,
    }),
    'steps-per-epoch': input.integer({
      about:
        "Timed steps in an epoch; all of them are split into at least 5 equal blocks, rounded up where needed. Empty takes the profile's (200, or 50). A job is told when it is not 200.",
      min: 1,
      max: 1_000_000,
    }),
    'batch-size': input.integer({
      about:
        "Images in a step; halved until they fit into memory, which the result says. Of several GPUs, each has so many. Empty takes the profile's (128).",
      min: 1,
      max: 65_536,
    }),
    'image-size': input.integer({
      about: "Edge of an image in pixels. Empty takes the profile's (224). A job is told when it is not 224.",
      min: 32,
      max: 4096,
    }),
    precision: input.oneOf(precisions, {
      about: '`auto`: bf16 where the GPU has it, fp16 on older ones, fp32 on a CPU. `fp32` uses TF32 nowhere.',
      fallback: 'auto',
    }),
    'memory-format': input.oneOf(memoryFormats, {
      about: 'Layout of images and weights.',
      fallback: 'channels_last',
    }),
    compile: input.boolean({
      about:
        'Compile the model (`torch.compile`), within 10 minutes. The seconds are in the record and never in the throughput; a model that cannot be compiled is a failure.',
      fallback: 'false',
    }),
    gpus: input.text({
      about:
        '`all`, or how many GPUs of the host measure together, each with a process of its own. More than one are compared with one alone, measured first. On a CPU: the number of processes.',
      fallback: '1',
      pattern: /^(all|[1-9]\d{0,2})$/,
      must: 'all, or a whole number from 1 to 999',
    }),
    python: input.text({
      about:
        'The Python on the host that has PyTorch; empty takes `/opt/pytorch/bin/python` of the Deep Learning AMIs, else `python3`.',
    }),
    pytorch: input.text({
      about:
        '`image` takes the PyTorch that the host has; a version such as `2.9.1` is installed first, into a folder of its own, with 20 minutes for it.',
      fallback: 'image',
      pattern: /^(image|\d+\.\d+\.\d+)$/,
      must: 'image, or a version such as 2.9.1',
    }),
    preflight: input.oneOf(['profile', ...preflightNeeds], {
      about:
        "Checks of the host before anything is timed: numbers, speeds of memory and links, errors of GPU and driver, other processes. `warn` tells what failed and measures all the same; `require` fails instead. `profile`: `off` for `quick`, `warn` for the others; `full` also runs the makers' own diagnoses where they are installed.",
      fallback: 'profile',
    }),
    timeout: input.duration({
      about:
        'Time limit of the run on the host; then it is killed with everything that it started. For a job: how long to wait for its end.',
      fallback: '30m',
      min: 10_000,
      max: 48 * 3_600_000,
    }),
    'allow-cpu': input.boolean({
      about: 'Measure the CPU where there is no GPU; the result then says `device: cpu`.',
      fallback: 'false',
    }),
    'cluster-id': input.secret({ about: 'With `target: cluster`: the cluster, as deploy-agent gives it. Masked.' }),
    'api-base': input.text({
      about: 'With `target: cluster`: the address of the cluster API, such as `https://api.example.com`.',
    }),
    'id-token': input.secret({
      about:
        'With `target: cluster`: the id token of a login (`cognito-login`). It lives an hour: for longer waits give the login below, too.',
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
    throughput:
      'Images per second: median of the block medians, or the one figure of a job. Empty when it could not be measured.',
    'throughput-low': 'Lower end of the 95 % interval within this run; empty with fewer than 5 blocks.',
    'throughput-high': 'Upper end of that interval.',
    'latency-ms': 'Milliseconds of a step (a whole batch): median of all timed steps.',
    'duration-seconds': 'Seconds that the timed part took; for a job, the whole command of the agent.',
    valid:
      '`true` when nothing speaks against the figures; the reasons are in the result. Empty for a job: its API tells nothing to judge by.',
    device: "The GPU's own name, or `cpu`. Empty for a job.",
    'result-path': 'The record of the run, with raw step times.',
    'job-id': 'The job, with `target: cluster`; given as soon as it is known.',
  },
  post: false,
  check: values => [
    ...(values.target === 'host' ? faultsOfHost(values) : faultsOfCluster(values)),
    ...faultsOfLogin(values),
    ...(values.python?.startsWith('-') ? ['python: must be a program, not an option'] : []),
  ],
})

export type BenchmarkAction = typeof action

interface Given extends HostGiven {
  readonly apiBase: string | undefined
  readonly idToken: string | undefined
  readonly userPoolId: string | undefined
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly python: string | undefined
  readonly mode: string
  readonly precision: string
  readonly memoryFormat: string
  readonly pytorch: string
  readonly compile: boolean
  readonly gpus: string
  readonly profile: string
  readonly preflight: string
}

const login = (given: Given) => ({
  'user-pool-id': given.userPoolId,
  'client-id': given.clientId,
  username: given.username,
  password: given.password,
})
const missingOf = (values: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.entries(values).flatMap(([id, value]) => (value === undefined ? [id] : []))

function faultsOfCluster(given: Given): readonly string[] {
  const noToken = given.idToken === undefined && missingOf(login(given)).length > 0
  // What a job cannot be told would be left out in silence.
  const unsaid = Object.entries({
    ...hostIdsGiven(given),
    mode: given.mode !== 'train',
    precision: given.precision !== 'auto',
    'memory-format': given.memoryFormat !== 'channels_last',
    python: given.python !== undefined,
    pytorch: given.pytorch !== 'image',
    compile: given.compile,
    gpus: given.gpus !== '1',
    profile: given.profile !== 'standard',
    preflight: given.preflight !== 'profile',
  }).flatMap(([id, isSet]) => (isSet ? [id] : []))
  return [
    ...missingOf({ 'cluster-id': given.clusterId, 'api-base': given.apiBase }).map(
      id => `${id}: is required with target: cluster`,
    ),
    ...(noToken ? ['id-token: is required with target: cluster, or a whole login in its place'] : []),
    ...(unsaid.length > 0 ? [`${unsaid.join(', ')}: is for target: host only; a job cannot be told`] : []),
  ]
}

function faultsOfLogin(given: Given): readonly string[] {
  const missing = missingOf(login(given))
  const isStarted = missing.length < 4 || given.clientSecret !== undefined
  return isStarted && missing.length > 0
    ? [`${missing.join(', ')}: a new login needs user-pool-id, client-id, username and password, all or none of them`]
    : []
}
