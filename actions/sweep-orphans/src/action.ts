import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'

const minute = 60_000
const day = 24 * 60 * minute

export const action = defineAction({
  name: 'sweep-orphans',
  title: 'Sweep up orphaned GPU machines',
  description:
    "Finds what this repository's workflows have rented and what has outlived its lease, shows what it costs, and ends it when told to.",
  inputs: {
    'aws-region': input.list({
      about: 'Regions to look in. Empty: every region that is enabled for the account.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
      must: 'regions such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    'dry-run': input.boolean({
      about: 'Show what would be ended, and end nothing.',
      fallback: 'true',
    }),
    grace: input.duration({
      about: 'How long after its expiry a machine is left alone: it ends by itself, and a teardown may be at work.',
      fallback: '10m',
      min: minute,
      max: day,
    }),
    'max-age': input.duration({
      about: 'Age at which a machine counts as orphaned whatever its mark says, or when it bears no readable expiry.',
      fallback: '25h',
      min: 30 * minute,
      max: 30 * day,
    }),
    timeout: input.duration({
      about: 'How long to look until what was ended is gone.',
      fallback: '10m',
      min: 10_000,
      max: 60 * minute,
    }),
    // Wrong values of these must not keep a machine alive: none is checked before the work begins.
    'api-base': input.text({
      about:
        'The address of the cluster API. With a login, clusters of leases that have ended are ended too, where the API lists clusters.',
    }),
    'id-token': input.secret({ about: 'For clusters: the id token of a login (`cognito-login`), or a login below.' }),
    'user-pool-id': input.text({ about: 'For a login: the Cognito user pool.' }),
    'client-id': input.text({ about: 'For a login: the app client.' }),
    'client-secret': input.secret({ about: 'For a login: the secret of the app client, when it has one.' }),
    username: input.text({ about: 'For a login: the user.' }),
    password: input.secret({ about: 'For a login: the password of the user.' }),
  },
  outputs: {
    alive: 'Machines of leases that have not expired.',
    orphans:
      'What has outlived its lease: machines, volumes, network interfaces, spot requests, token parameters, clusters.',
    ended: 'Orphans that were ended and seen gone.',
    remaining: 'Orphans that could not be ended: 0, or the step has failed. In a dry run, all orphans.',
    'cost-per-hour': 'USD that the orphaned machines cost an hour, empty when one has no known price.',
    'report-path': 'The record of the sweep.',
  },
  post: false,
  check: values =>
    values.grace >= values.maxAge
      ? ['grace, max-age: grace must be shorter than max-age, or nothing is ever swept']
      : [],
})

export type SweepAction = typeof action
