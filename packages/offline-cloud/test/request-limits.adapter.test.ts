import { DescribeInstancesCommand, type RunInstancesCommandOutput } from '@aws-sdk/client-ec2'
import { DeleteParameterCommand } from '@aws-sdk/client-ssm'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { launch, refusal, slow, startRig, stopRigs } from './cloud-fixture.ts'

jest.setTimeout(60_000)
afterEach(stopRigs)

const many = (count: number, call: () => Promise<unknown>): Promise<readonly string[]> =>
  Promise.all(Array.from({ length: count }, () => refusal(call())))
const count = (outcomes: readonly string[], name: string): number => outcomes.filter(one => one === name).length

describe('a cloud with the request limits of AWS', () => {
  test('refuses launches beyond the bucket with RequestLimitExceeded and lets them pass later', async () => {
    const rig = await startRig()
    const outcomes = await many(8, () => launch(rig))
    // On a slow computer a token may come in meanwhile: two a second.
    expect(count(outcomes, 'none')).toBeGreaterThanOrEqual(5)
    expect(count(outcomes, 'none') + count(outcomes, 'RequestLimitExceeded')).toBe(8)
    expect(rig.cloud.state().instances).toHaveLength(count(outcomes, 'none'))
    await rig.advance(10)
    expect(count(await many(5, () => launch(rig)), 'none')).toBe(5)
  })

  test('answers with HTTP 503, which the SDK takes for throttling and tries again', async () => {
    const rig = await startRig()
    await many(20, () => launch(rig))
    const error = await launch(rig).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ name: 'RequestLimitExceeded', $metadata: { httpStatusCode: 503 } })
  })

  test('lets fewer reads of everything pass than reads of a page', async () => {
    const rig = await startRig()
    const whole = await many(150, () => rig.ec2.send(new DescribeInstancesCommand({})))
    const paged = await many(80, () => rig.ec2.send(new DescribeInstancesCommand({ MaxResults: 5 })))
    expect(count(whole, 'none')).toBeLessThan(150)
    expect(count(whole, 'none')).toBeGreaterThanOrEqual(50)
    expect(count(paged, 'none')).toBe(80)
  })

  test('answers SSM calls beyond the rate with ThrottlingException', async () => {
    const rig = await startRig()
    const outcomes = await many(150, () => rig.ssm.send(new DeleteParameterCommand({ Name: '/x' })))
    expect(count(outcomes, 'ThrottlingException')).toBeGreaterThan(0)
    expect(count(outcomes, 'ParameterNotFound')).toBeGreaterThanOrEqual(20)
  })

  test('lets everything pass where the scenario switches them off', async () => {
    const rig = await startRig({ scenario: { timings: slow, limits: 'none' } })
    const sent: Promise<RunInstancesCommandOutput | string>[] = Array.from({ length: 20 }, () => launch(rig))
    expect(new Set(await Promise.all(sent)).size).toBe(20)
  })
})
