import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2'
import {
  DeleteParameterCommand,
  GetCommandInvocationCommand,
  PutParameterCommand,
  SendCommandCommand,
} from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { describeWithMachines, eventually, launch, refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

import { endMachines, makeMachine } from './machine-fixture.ts'

afterAll(endMachines)

const secret = 'canary-one-time-token'
const name = '/gpu-actions/run-1/token'

test('The AWS CLI is there where the computer has no namespaces too', async () => {
  const { run } = await makeMachine({ way: 'none' })
  const { exitCode, stderr } = await run(
    `/usr/bin/aws ssm get-parameter --name ${name} --endpoint-url http://127.0.0.1:9`,
  )
  expect(stderr).toContain('Unable to locate credentials')
  expect(exitCode).toBe(253)
})

describeWithMachines('The AWS CLI in a machine', () => {
  let rig: Rig
  let instance = ''

  beforeAll(async () => {
    rig = await startRig({ machines: 'real', scenario: {} })
    instance = await launch(rig)
    await eventually(async () => rig.cloud.state().instances.find(({ ssm }) => ssm === 'online'))
    const put = (Name: string) =>
      rig.ssm.send(new PutParameterCommand({ Name, Value: secret, Type: 'SecureString', Overwrite: true }))
    await put(name)
    await put('/other/secret')
  }, 30_000)
  afterAll(stopRigs)

  async function run(script: string) {
    const { Command } = await rig.ssm.send(
      new SendCommandCommand({
        InstanceIds: [instance],
        DocumentName: 'AWS-RunShellScript',
        Parameters: { commands: [script] },
      }),
    )
    const CommandId = Command?.CommandId ?? ''
    return eventually(async () => {
      const seen = await rig.ssm
        .send(new GetCommandInvocationCommand({ CommandId, InstanceId: instance }))
        .catch(() => undefined)
      if (seen === undefined || seen.Status === 'Pending' || seen.Status === 'InProgress') return undefined
      return { code: seen.ResponseCode, out: seen.StandardOutputContent, err: seen.StandardErrorContent }
    })
  }

  const get = (path: string, more = '--with-decryption') =>
    `aws ssm get-parameter --name ${path} ${more} --query Parameter.Value --output text --region us-west-2`

  test('reads a secure parameter below the path of its role, in clear only with decryption', async () => {
    expect(await run(get(name))).toMatchObject({ code: 0, out: `${secret}\n`, err: '' })
    const sealed = await run(get(name, ''))
    expect(sealed.code).toBe(0)
    expect(sealed.out).not.toContain(secret)
    expect((await run(`aws ssm get-parameter --name=${name} --with-decryption`)).out).toContain(`"Value": "${secret}"`)
  })

  test('is refused elsewhere, as whom the call log says', async () => {
    const refused = await run(get('/other/secret'))
    expect(refused.code).toBe(254)
    expect(refused.err).toContain('An error occurred (AccessDeniedException) when calling the GetParameter operation')
    expect(refused.err).toContain(`assumed-role/gpu-bench-instance/${instance}`)
    expect(rig.cloud.state().callLog.filter(({ outcome }) => outcome === 'AccessDeniedException')).toHaveLength(1)
  })

  test('names what is missing or not covered, with the exit codes of the CLI', async () => {
    const missing = await run(get('/gpu-actions/nothing'))
    expect(missing.code).toBe(254)
    expect(missing.err).toContain('(ParameterNotFound)')
    expect((await run(`AWS_REGION= aws ssm get-parameter --name ${name}`)).code).toBe(253)
    const other = await run('aws s3 ls')
    expect(other.code).toBe(252)
    expect(other.err).toContain('not: s3 ls')
  })

  test('tries again when the service is throttled', async () => {
    rig.cloud.addFaults([{ kind: 'throttled', operation: 'GetParameter', count: 2 }])
    expect(await run(get(name))).toMatchObject({ code: 0, out: `${secret}\n` })
  })

  test('keeps the keys of the role from everybody but root, and out of the environment', async () => {
    const { out } = await run('stat -c %a /opt/offline/lib/role.json; env | grep -c ASIA || true')
    expect(out).toBe('600\n0\n')
  })

  test('deletes a parameter', async () => {
    expect((await run(`aws ssm delete-parameter --name ${name} --region us-west-2`)).code).toBe(0)
    expect(await refusal(rig.ssm.send(new DeleteParameterCommand({ Name: name })))).toBe('ParameterNotFound')
  })

  test('has no credentials on an instance without a profile', async () => {
    const script = `#!/bin/sh\naws ssm get-parameter --name ${name}\necho "code $?"\n`
    const id = await launch(rig, {
      IamInstanceProfile: undefined,
      UserData: Buffer.from(script).toString('base64'),
    })
    const text = await eventually(async () => {
      // Right after its launch nobody knows the instance yet.
      const reply = await rig.ec2
        .send(new GetConsoleOutputCommand({ InstanceId: id, Latest: true }))
        .catch(() => undefined)
      const Output = reply?.Output ?? ''
      const seen = Buffer.from(Output, 'base64').toString()
      return seen.includes('code ') ? seen : undefined
    })
    expect(text).toContain('Unable to locate credentials')
    expect(text).toContain('code 253')
  })
})
