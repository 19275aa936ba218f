import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'

const minute = 60_000

export const action = defineAction({
  name: 'provision-ec2-gpu',
  title: 'Provision an EC2 GPU machine',
  description:
    'Rents a GPU machine on Amazon EC2 for this job, waits until its GPUs answer, and ends it when the job ends, whatever happens.',
  inputs: {
    'instance-type': input.list({
      about:
        'Instance types, in the order in which to try them. Empty: every type that satisfies the GPU inputs below, the cheapest first; `g5.2xlarge` when those are empty, too.',
      pattern: /^[a-z0-9-]+\.[a-z0-9-]+$/,
      must: 'instance types such as g5.2xlarge',
    }),
    'gpu-count': input.integer({ about: 'GPUs the machine must have. Other types are left out.', min: 1, max: 64 }),
    'gpu-model': input.text({ about: 'GPU the machine must have, as EC2 names it: `A10G`. Other types are left out.' }),
    'min-gpu-memory': input.number({
      about: 'Memory in GiB that each GPU must have at least. Other types are left out.',
      min: 1,
    }),
    'min-compute-capability': input.number({
      about: 'CUDA compute capability the GPU must have at least, such as `8.0`. Other types are left out.',
      min: 1,
    }),
    'aws-region': input.list({
      about:
        "Regions to launch in, in the order in which to try them. Empty: the one that the job's AWS settings name (`AWS_REGION`).",
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'regions such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    strategy: input.oneOf(['ordered', 'cheapest'], {
      about:
        'Which offers to try first: `ordered` as types, regions and subnets are given, `cheapest` by price. Spot comes before on-demand either way.',
      fallback: 'ordered',
    }),
    market: input.oneOf(['on-demand', 'spot', 'spot-then-on-demand', 'capacity-block'], {
      about:
        'How to pay. A spot machine can be taken back by AWS at any time, with two minutes of notice; a capacity block is bought beforehand.',
      fallback: 'on-demand',
    }),
    'capacity-reservation-id': input.text({
      about: 'Capacity reservation to launch into; with `market: capacity-block`, the block.',
      pattern: /^cr-[0-9a-f]+$/,
      must: 'the id of a capacity reservation such as cr-0123456789abcdef0',
    }),
    'max-wait': input.duration({
      about: 'How long to wait for a free machine, when none of the offers has one. `0s` tries each offer once.',
      fallback: '10m',
      min: 0,
      max: 12 * 60 * minute,
    }),
    'subnet-id': input.list({
      about: 'Subnets of any of the regions, in the order in which to try them. Empty: those of the default VPC.',
      pattern: /^subnet-[0-9a-f]+$/,
      must: 'subnet ids such as subnet-0123456789abcdef0',
    }),
    'security-group-id': input.text({
      about:
        'Security group of the machine; it needs no inbound rule. A region that does not have it is left out. Empty: the default group of the VPC.',
      pattern: /^sg-[0-9a-f]+$/,
      must: 'a security group id such as sg-0123456789abcdef0',
    }),
    'instance-profile-name': input.text({
      about:
        'Instance profile of the machine, through which it registers with Systems Manager. Needed unless `wait-for` is `running`.',
      pattern: /^[\w+=,.@-]{1,128}$/,
      must: 'the name of an instance profile, not its ARN',
    }),
    'ami-id': input.text({
      about: 'Image of the machine. Empty, and no other `ami-…` input: the newest PyTorch Deep Learning AMI.',
      pattern: /^ami-[0-9a-f]+$/,
      must: 'an image id such as ami-0123456789abcdef0',
    }),
    'ami-ssm-parameter': input.text({
      about: 'SSM parameter that holds the id of the image.',
      pattern: /^\/[\w./-]+$/,
      must: 'the name of an SSM parameter, which begins with /',
    }),
    'ami-name-filter': input.text({
      about: 'Name of the image with `*` and `?`; the newest one of Amazon or of your account is taken.',
    }),
    'volume-size': input.integer({
      about: 'Size of the root volume in GiB. Empty: that of the image.',
      min: 1,
      max: 16384,
    }),
    'volume-type': input.oneOf(['gp3', 'gp2'], { about: 'Type of the root volume.', fallback: 'gp3' }),
    ttl: input.duration({
      about: 'Time after its launch after which the machine ends itself, even when nothing else does.',
      fallback: '45m',
      min: 5 * minute,
      max: 24 * 60 * minute,
    }),
    'max-price-per-hour': input.number({
      about:
        'USD that the machine may cost an hour at most. Dearer offers, and offers whose price is unknown, are left out.',
      min: 0.01,
    }),
    budget: input.number({
      about:
        'USD that the machine may cost in all, storage and address included: `ttl` is cut to what the budget pays for. Offers for which that is less than 10 minutes, or whose price is unknown, are left out.',
      min: 0.01,
    }),
    tags: input.tags({
      about: 'Tags of your own for the machine, its volumes, network interfaces and spot request: `key=value`.',
    }),
    'user-data': input.text({
      about: 'User data of your own, such as a script that begins with `#!/bin/bash`. Not a place for secrets.',
    }),
    'wait-for': input.oneOf(['running', 'ssm', 'gpu'], {
      about:
        "What to wait for: `running` is EC2's word for it, `ssm` that commands can be run, `gpu` that every GPU answers.",
      fallback: 'gpu',
    }),
    'on-job-end': input.oneOf(['terminate', 'keep'], {
      about:
        'What becomes of the machine when the job ends and provisioning had succeeded. A kept one still ends after `ttl`.',
      fallback: 'terminate',
    }),
    'dry-run': input.boolean({
      about:
        'Show the plan, prices, quotas, the image and the launch parameters, ask EC2 whether it would launch, and launch nothing.',
      fallback: 'false',
    }),
  },
  outputs: {
    'lease-id': 'Id of the lease; the other actions find the machine by it.',
    'instance-id': 'Id of the machine.',
    'instance-type': 'Type of the machine.',
    'aws-region': 'Region of the machine.',
    'availability-zone': 'Zone of the machine.',
    market: 'How the machine is paid: `on-demand`, `spot` or `capacity-block`.',
    'image-id': 'Image of the machine.',
    'private-ip': 'Private address of the machine.',
    'public-ip': 'Public address of the machine, empty without one.',
    'price-per-hour': 'USD per hour of the machine at launch, empty when unknown and for a capacity block.',
    'expires-at': 'When the machine ends itself, UTC.',
    'gpu-name': 'Name of the GPU, as the machine itself tells it.',
    'gpu-count': 'GPUs that answered on the machine.',
  },
  post: true,
  check: values => {
    const images = (['ami-id', 'ami-ssm-parameter', 'ami-name-filter'] as const).filter(
      (_, index) => [values.amiId, values.amiSsmParameter, values.amiNameFilter][index] !== undefined,
    )
    const faults = images.length > 1 ? [`${images.join(', ')}: give one of them, not ${images.length}`] : []
    if (values.waitFor !== 'running' && values.instanceProfileName === undefined) {
      faults.push(
        `instance-profile-name: is needed with wait-for ${values.waitFor}, because without an instance profile the machine cannot register with Systems Manager (docs/aws-setup.md shows how to make one)`,
      )
    }
    if (values.market === 'capacity-block' && values.capacityReservationId === undefined) {
      faults.push('capacity-reservation-id: is needed with market capacity-block: the id of the block that you bought')
    }
    if (values.capacityReservationId !== undefined && values.market.startsWith('spot')) {
      faults.push(`capacity-reservation-id: does not go with market ${values.market}`)
    }
    return faults
  },
})
