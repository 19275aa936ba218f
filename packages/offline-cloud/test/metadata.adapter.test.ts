import { TerminateInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { GetCommandInvocationCommand, SendCommandCommand } from '@aws-sdk/client-ssm'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import {
  describeWithMachines,
  eventually,
  imageId,
  launch,
  slow,
  startRig,
  stopRigs,
  type Rig,
} from './cloud-fixture.ts'

jest.setTimeout(60_000)
afterEach(stopRigs)

const required: Partial<RunInstancesCommandInput> = { MetadataOptions: { HttpTokens: 'required' } }

async function token(rig: Rig, id: string, seconds = '60'): Promise<Response> {
  const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': seconds }
  return fetch(`${rig.cloud.url}/_imds/${id}/latest/api/token`, { method: 'PUT', headers })
}

/** The text at a path below latest/, or the status of the refusal. */
async function read(rig: Rig, id: string, path: string, key?: string): Promise<string | number> {
  const headers: Record<string, string> = key === undefined ? {} : { 'X-aws-ec2-metadata-token': key }
  const reply = await fetch(`${rig.cloud.url}/_imds/${id}/latest/${path}`, { headers })
  return reply.ok ? reply.text() : reply.status
}

async function running(
  more: Partial<RunInstancesCommandInput> = required,
): Promise<{ rig: Rig; id: string; key: string }> {
  const rig = await startRig({ scenario: { timings: slow } })
  const id = await launch(rig, more)
  await rig.advance(11)
  return { rig, id, key: await (await token(rig, id)).text() }
}

describe('the metadata service of an instance', () => {
  test('tells what the instance is', async () => {
    const { rig, id, key } = await running()
    const paths = [
      ['meta-data/instance-id', id],
      ['meta-data/instance-type', 'g5.2xlarge'],
      ['meta-data/instance-life-cycle', 'on-demand'],
      ['meta-data/placement/region', 'us-west-2'],
      ['meta-data/placement/availability-zone', 'us-west-2a'],
      ['meta-data/ami-id', imageId],
      ['meta-data/placement/', 'availability-zone\navailability-zone-id\nregion'],
    ] as const
    for (const [path, value] of paths) expect([path, await read(rig, id, path, key)]).toEqual([path, value])
    const document: unknown = JSON.parse(String(await read(rig, id, 'dynamic/instance-identity/document', key)))
    expect(document).toMatchObject({ instanceId: id, region: 'us-west-2', imageId, accountId: '123456789012' })
  })

  test('answers nobody without a token, with a foreign one, or with one that has run out', async () => {
    const { rig, id, key } = await running()
    const other = await launch(rig, required)
    await rig.advance(11)
    expect(await read(rig, id, 'meta-data/instance-id')).toBe(401)
    expect(await read(rig, other, 'meta-data/instance-id', key)).toBe(401)
    expect(await read(rig, id, 'meta-data/instance-id', key)).toBe(id)
    await rig.advance(60)
    expect(await read(rig, id, 'meta-data/instance-id', key)).toBe(401)
    expect((await token(rig, id, '21601')).status).toBe(400)
    expect((await token(rig, id, 'x')).status).toBe(400)
  })

  test('answers without a token where the launch left that open, but not with a wrong one', async () => {
    const { rig, id } = await running({ MetadataOptions: { HttpTokens: 'optional' } })
    expect(await read(rig, id, 'meta-data/instance-id')).toBe(id)
    expect(await read(rig, id, 'meta-data/instance-id', 'wrong')).toBe(401)
  })

  test('knows no wrong paths, no ended instance and none that never was', async () => {
    const { rig, id, key } = await running()
    expect(await read(rig, id, 'meta-data/colour', key)).toBe(404)
    expect(await read(rig, 'i-0123456789abcdef0', 'meta-data/instance-id', key)).toBe(404)
    await rig.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    expect(await read(rig, id, 'meta-data/instance-id', key)).toBe(404)
    expect((await token(rig, id)).status).toBe(404)
  })

  test('can be switched off by the launch', async () => {
    const { rig, id } = await running({ MetadataOptions: { HttpEndpoint: 'disabled' } })
    expect((await token(rig, id)).status).toBe(403)
  })

  test('tells of an interruption, with the moment of the end', async () => {
    const faults = [{ kind: 'spot-interruption', seconds: 100 }] as const
    const rig = await startRig({ scenario: { timings: slow, faults: [...faults] } })
    const id = await launch(rig, { ...required, InstanceMarketOptions: { MarketType: 'spot' } })
    await rig.advance(11)
    const key = await (await token(rig, id, '21600')).text()
    expect(await read(rig, id, 'meta-data/instance-life-cycle', key)).toBe('spot')
    expect(await read(rig, id, 'meta-data/spot/instance-action', key)).toBe(404)
    expect(await read(rig, id, 'meta-data/events/recommendations/rebalance', key)).toBe(404)
    await rig.advance(100)
    const notice: unknown = JSON.parse(String(await read(rig, id, 'meta-data/spot/instance-action', key)))
    expect(notice).toEqual({ action: 'terminate', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) })
    const left = Date.parse((notice as { time: string }).time) - Date.parse(rig.cloud.state().now)
    expect(left).toBeGreaterThan(100_000)
    expect(left).toBeLessThanOrEqual(120_000)
    await rig.advance(121)
    expect(await read(rig, id, 'meta-data/spot/instance-action', key)).toBe(404)
    expect(rig.cloud.state().instances[0]?.state).toBe('shutting-down')
  })
})

const ask = `base=$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest
key=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$base/api/token")
curl -sf -H "X-aws-ec2-metadata-token: $key" "$base/meta-data/instance-id"; echo`

describeWithMachines('a guest', () => {
  test('finds the service by the SDKs own variable: in user data, in SSM commands and in units', async () => {
    const timings = { pendingSeconds: 0.1, registrationSeconds: 0.1, consistencySeconds: 0 }
    const rig = await startRig({ scenario: { timings }, machines: 'real' })
    const UserData = Buffer.from(`#!/bin/sh\n(${ask}) >/root/by-user-data\n`).toString('base64')
    const id = await launch(rig, { ...required, UserData })
    await eventually(async () => (rig.cloud.state().instances[0]?.ssm === 'online' ? true : undefined))
    const script = `cat >/root/ask <<'END'\n#!/bin/sh\n${ask}\nEND\nchmod +x /root/ask
(${ask})
systemd-run --quiet --unit asking /bin/sh -c '/root/ask >/root/by-unit'
for try in $(seq 100); do [ -s /root/by-unit ] && [ -s /root/by-user-data ] && break; sleep 0.1; done
cat /root/by-unit /root/by-user-data`
    const { Command } = await rig.ssm.send(
      new SendCommandCommand({
        InstanceIds: [id],
        DocumentName: 'AWS-RunShellScript',
        Parameters: { commands: [script] },
      }),
    )
    const output = await eventually(async () => {
      const invocation = new GetCommandInvocationCommand({ CommandId: Command?.CommandId, InstanceId: id })
      const reply = await rig.ssm.send(invocation).catch(() => undefined)
      return reply?.Status === 'Success' ? reply.StandardOutputContent : undefined
    })
    expect(output).toBe(`${id}\n${id}\n${id}\n`)
  })
})
