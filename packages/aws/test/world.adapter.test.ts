import { DescribeRegionsCommand, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { describeFailure } from '@gpu-actions/action-kit'
import { images, roles, startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { accountOf, awsWorld, isFinal, type AwsWorld } from '../src/index.ts'
import { hastyClock } from './ssm-fixture.ts'

jest.setTimeout(60_000)

const role = roles[0]?.arn ?? ''
let cloud: OfflineCloud
let environment: NodeJS.ProcessEnv
beforeAll(async () => {
  environment = { ...process.env }
  cloud = await startOfflineCloud({ python: null })
  process.env['AWS_ENDPOINT_URL'] = cloud.env['AWS_ENDPOINT_URL']
  // With a role nothing of the environment counts.
  for (const name of Object.keys(process.env))
    if (/^AWS_(ACCESS|SECRET|SESSION|PROFILE)/.test(name)) delete process.env[name]
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
})
afterAll(async () => {
  process.env = environment
  await cloud.stop()
})
afterEach(async () => void (await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })))

/** As action-kit asks GitHub for it. */
async function idToken(audience: string): Promise<string> {
  const url = `${cloud.env['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=${encodeURIComponent(audience)}`
  const authorization = `bearer ${cloud.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}`
  const reply = (await (await fetch(url, { headers: { authorization } })).json()) as { value: string }
  return reply.value
}

const advance = (advanceSeconds: number) =>
  fetch(`${cloud.url}/_offline/clock`, { method: 'POST', body: JSON.stringify({ advanceSeconds }) })

const worldWith = (more: Partial<Parameters<typeof awsWorld>[0]> = {}): AwsWorld =>
  awsWorld({
    environment: { AWS_REGION: 'us-west-2' },
    roleToAssume: role,
    idToken,
    sessionName: 'org/consumer 17/1',
    clock: hastyClock,
    ...more,
  })

const calls = (operation: string): number => cloud.state().calls[operation] ?? 0
const regionsIn = (world: AwsWorld, region: string) =>
  world.clientsFor(region).ec2().send(new DescribeRegionsCommand({}))
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => ({ ...describeFailure(error), isFinal: isFinal(error) }),
  )
const textOf = (failure: object): string => JSON.stringify(failure)

describe('a role to assume', () => {
  test('is taken once for all regions and services, unsigned, in a session that says who uses it', async () => {
    const before = calls('sts:AssumeRoleWithWebIdentity')
    const world = worldWith()
    const [account] = await Promise.all([
      accountOf(world.clientsFor('us-west-2')),
      regionsIn(world, 'us-west-2'),
      regionsIn(world, 'us-east-1'),
      world.clientsFor('us-east-1').ssm().send(new DescribeInstanceInformationCommand({})),
    ])
    expect(account).toBe('123456789012')
    expect(calls('sts:AssumeRoleWithWebIdentity')).toBe(before + 1)
    const call = cloud.state().callLog.findLast(({ operation }) => operation === 'AssumeRoleWithWebIdentity')
    expect(call).toMatchObject({ parameters: { RoleSessionName: 'org-consumer-17-1', DurationSeconds: '3600' } })
  })

  test('is taken again before its session ends', async () => {
    const world = worldWith()
    await regionsIn(world, 'us-west-2')
    const before = calls('sts:AssumeRoleWithWebIdentity')
    await advance(56 * 60)
    // The first reply after that tells the service's time; the old session is good for it.
    await regionsIn(world, 'us-west-2')
    await regionsIn(world, 'us-east-1')
    expect(calls('sts:AssumeRoleWithWebIdentity')).toBe(before + 1)
    expect(
      cloud
        .state()
        .callLog.slice(-4)
        .filter(({ outcome }) => outcome !== 'ok'),
    ).toEqual([])
  })

  test('is taken again, once for all calls, when the service says that the session has run out', async () => {
    const world = worldWith()
    await Promise.all([regionsIn(world, 'us-west-2'), regionsIn(world, 'us-east-1')])
    const before = calls('sts:AssumeRoleWithWebIdentity')
    await advance(3 * 3600)
    await Promise.all([
      regionsIn(world, 'us-west-2'),
      regionsIn(world, 'us-east-1'),
      world.clientsFor('us-east-1').ssm().send(new DescribeInstanceInformationCommand({})),
      accountOf(world.clientsFor('us-west-2')),
    ])
    expect(calls('sts:AssumeRoleWithWebIdentity')).toBe(before + 1)
  })

  test('repeats a launch whose session had run out with the same token', async () => {
    const world = worldWith()
    const ec2 = world.clientsFor('us-west-2').ec2Once()
    await regionsIn(world, 'us-west-2')
    await advance(2 * 3600)
    const launch = {
      ClientToken: 'token-1',
      ImageId: images.find(image => image.region === 'us-west-2' && image.architecture === 'x86_64')?.id ?? '',
      InstanceType: 'g5.2xlarge',
      MinCount: 1,
      MaxCount: 1,
    } as const
    await ec2.send(new RunInstancesCommand(launch))
    const launches = cloud.state().callLog.filter(({ operation }) => operation === 'RunInstances')
    expect(
      launches.map(({ outcome, parameters }) => [outcome, (parameters as Record<string, unknown>)['ClientToken']]),
    ).toEqual([
      ['RequestExpired', 'token-1'],
      ['ok', 'token-1'],
    ])
  })

  test('is given up when the new session is refused too', async () => {
    const world = worldWith()
    await regionsIn(world, 'us-west-2')
    cloud.addFaults([{ kind: 'expired-credentials', operation: 'GetCallerIdentity', count: null }])
    const before = cloud.state().callLog.length
    const failure = await failureOf(accountOf(world.clientsFor('us-west-2')))
    expect(textOf(failure)).toContain('AWS refuses a session of the role that is new')
    expect(failure.isFinal).toBe(true)
    const calls = cloud.state().callLog.slice(before)
    expect(calls.map(({ operation }) => operation)).toEqual([
      'GetCallerIdentity',
      'IssueIdToken',
      'AssumeRoleWithWebIdentity',
      'GetCallerIdentity',
    ])
  })

  test('gets a fresh OIDC token for each try', async () => {
    cloud.addFaults([{ kind: 'server-error', operation: 'AssumeRoleWithWebIdentity', count: 2 }])
    const tokens: string[] = []
    const world = worldWith({
      idToken: async audience => {
        const token = await idToken(audience)
        tokens.push(token)
        return token
      },
    })
    await regionsIn(world, 'us-west-2')
    expect(new Set(tokens).size).toBe(3)
  })

  test.each<[string, Partial<Parameters<typeof awsWorld>[0]>, RegExp]>([
    [
      'a role that is not there, or does not trust the job',
      { roleToAssume: 'arn:aws:iam::123456789012:role/nobody' },
      /repo:org\/consumer:ref:refs\/heads\/main.*repo:OWNER\/REPO.*repo:OWNER@OWNER-ID\/REPO@REPO-ID/s,
    ],
    [
      'a token of somebody else',
      { idToken: () => idToken('somebody') },
      /audience sts\.amazonaws\.com|identity provider/,
    ],
    [
      'a job without the permission for tokens',
      {
        idToken: () => {
          throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable')
        },
      },
      /id-token: write/,
    ],
  ])('tells in words of its own: %s', async (_, more, words) => {
    const failure = await failureOf(regionsIn(worldWith(more), 'us-west-2'))
    expect(textOf(failure)).toMatch(words)
    expect(failure.isFinal).toBe(true)
  })
})

describe('credentials of the environment', () => {
  test('that have expired are told as that, with what would renew them', async () => {
    process.env['AWS_ACCESS_KEY_ID'] = cloud.env['AWS_ACCESS_KEY_ID']
    process.env['AWS_SECRET_ACCESS_KEY'] = cloud.env['AWS_SECRET_ACCESS_KEY']
    try {
      cloud.addFaults([{ kind: 'expired-credentials', count: null }])
      const world = worldWith({ roleToAssume: undefined })
      const failure = textOf(await failureOf(accountOf(world.clientsFor('us-west-2'))))
      expect(failure).toMatch(/have expired/)
      expect(failure).toContain('role-to-assume')
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID']
      delete process.env['AWS_SECRET_ACCESS_KEY']
    }
  })

  test('that are not there are asked for', async () => {
    const failure = textOf(await failureOf(accountOf(worldWith({ roleToAssume: undefined }).clientsFor('us-west-2'))))
    expect(failure).toContain('role-to-assume')
  })
})
