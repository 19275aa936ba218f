import {
  DeleteParameterCommand,
  DescribeDocumentCommand,
  GetParameterCommand,
  GetParametersCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { images } from '../src/index.ts'
import { refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(stopRigs)

const get = async (Name: string, WithDecryption?: boolean): Promise<string | undefined> => {
  const { Parameter } = await rig.ssm.send(new GetParameterCommand({ Name, WithDecryption }))
  return Parameter?.Value
}

describe('a parameter', () => {
  test('is kept until it is deleted, and overwritten only when that is asked for', async () => {
    const put = (Value: string, Overwrite?: boolean) =>
      rig.ssm.send(new PutParameterCommand({ Name: '/gpu-actions/a', Value, Type: 'String', Overwrite }))
    expect((await put('one')).Version).toBe(1)
    expect(await refusal(put('two'))).toBe('ParameterAlreadyExists')
    expect((await put('two', true)).Version).toBe(2)
    expect(await get('/gpu-actions/a')).toBe('two')
    const several = await rig.ssm.send(new GetParametersCommand({ Names: ['/gpu-actions/a', '/nope'] }))
    expect(several.Parameters?.map(({ Value }) => Value)).toEqual(['two'])
    expect(several.InvalidParameters).toEqual(['/nope'])
    const remove = () => rig.ssm.send(new DeleteParameterCommand({ Name: '/gpu-actions/a' }))
    await remove()
    expect(await refusal(remove())).toBe('ParameterNotFound')
    expect(await refusal(get('/gpu-actions/a'))).toBe('ParameterNotFound')
  })

  test('that is secure is readable only with decryption, and masked in the list of calls', async () => {
    const secret = 'canary-7f3a'
    await rig.ssm.send(new PutParameterCommand({ Name: '/gpu-actions/s', Value: secret, Type: 'SecureString' }))
    expect(await get('/gpu-actions/s', true)).toBe(secret)
    expect(await get('/gpu-actions/s')).not.toContain(secret)
    expect(JSON.stringify(rig.cloud.state())).not.toContain(secret)
  })

  test('of the public kind holds the id of an image, the same that can be launched', async () => {
    const name = '/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id'
    const base = images.find(({ region, name: title }) => region === 'us-west-2' && title.includes('Base'))
    expect(await get(name)).toBe(base?.id)
    expect(await refusal(get('/aws/service/deeplearning/ami/x86_64/nothing/latest/ami-id'))).toBe('ParameterNotFound')
  })

  test('above 4 KB, or under a reserved name, is refused', async () => {
    const put = (Name: string, Value: string) =>
      refusal(rig.ssm.send(new PutParameterCommand({ Name, Value, Type: 'String' })))
    expect(await put('/gpu-actions/big', 'x'.repeat(4097))).toBe('ValidationException')
    expect(await put('/aws/service/mine', 'x')).toBe('AccessDeniedException')
  })
})

test('An SSM operation that is not covered is refused by name', async () => {
  const error = await rig.ssm.send(new DescribeDocumentCommand({ Name: 'x' })).catch((e: unknown) => e)
  expect(error).toMatchObject({ name: 'InvalidAction' })
  expect(String(error)).toContain('DescribeDocument')
})
