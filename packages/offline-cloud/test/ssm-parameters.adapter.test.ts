import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  DeleteParametersCommand,
  DescribeDocumentCommand,
  DescribeParametersCommand,
  type DescribeParametersCommandInput,
  GetParameterCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  RemoveTagsFromResourceCommand,
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

describe('the list of parameters', () => {
  const names = Array.from({ length: 12 }, (_, index) => `/gpu-actions/list/${index}`)
  beforeAll(async () => {
    await rig.ssm.send(new PutParameterCommand({ Name: '/others/one', Value: 'v', Type: 'String' }))
    for (const [index, Name] of names.entries()) {
      // Slower than the service takes them, by the cloud's clock.
      await rig.advance(1)
      const Tags = [{ Key: 'lease', Value: index < 3 ? 'a' : 'b' }]
      await rig.ssm.send(new PutParameterCommand({ Name, Value: 'v', Type: 'SecureString', Tags }))
    }
  })
  const list = async (input: DescribeParametersCommandInput): Promise<readonly (string | undefined)[]> =>
    ((await rig.ssm.send(new DescribeParametersCommand(input))).Parameters ?? []).map(({ Name }) => Name)

  test('comes in pages and can be narrowed by the beginning of the name and by tags', async () => {
    const below = { Key: 'Name', Option: 'BeginsWith', Values: ['/gpu-actions/list/'] }
    const first = await rig.ssm.send(new DescribeParametersCommand({ ParameterFilters: [below], MaxResults: 7 }))
    const second = await rig.ssm.send(
      new DescribeParametersCommand({ ParameterFilters: [below], MaxResults: 7, NextToken: first.NextToken }),
    )
    expect([...(first.Parameters ?? []), ...(second.Parameters ?? [])].map(({ Name }) => Name)).toEqual(names)
    expect(second.NextToken).toBeUndefined()
    expect(first.Parameters?.[0]).toMatchObject({ Type: 'SecureString', Version: 1 })
    expect(JSON.stringify(first)).not.toContain('"Value"')
    expect(await list({ ParameterFilters: [{ Key: 'tag:lease', Values: ['a'] }] })).toEqual(names.slice(0, 3))
    expect(await list({ ParameterFilters: [{ Key: 'Name', Values: ['/others/one'] }] })).toEqual(['/others/one'])
    expect(await list({ ParameterFilters: [{ Key: 'tag:nobody' }] })).toEqual([])
  })

  test('refuses keys and options that the service does not have', async () => {
    const by = (Key: string, Option?: string) => list({ ParameterFilters: [{ Key, Option, Values: ['x'] }] })
    expect(await refusal(by('Colour'))).toBe('InvalidFilterKey')
    expect(await refusal(by('Name', 'EndsWith'))).toBe('InvalidFilterOption')
  })

  test('belongs to its region', async () => {
    const east = rig.clients({ region: 'us-east-1' }).ssm
    expect((await east.send(new DescribeParametersCommand({}))).Parameters).toEqual([])
  })
})

describe('the tags of a parameter', () => {
  const of = { ResourceType: 'Parameter', ResourceId: '/gpu-actions/tagged' } as const
  const put = (more: object) =>
    rig.ssm.send(new PutParameterCommand({ Name: of.ResourceId, Value: 'v', Type: 'String', ...more }))
  const tags = async () => (await rig.ssm.send(new ListTagsForResourceCommand(of))).TagList

  test('are given with it, outlive an overwriting, and can be changed', async () => {
    await rig.advance(10)
    const Tags = [{ Key: 'lease', Value: 'x' }]
    await put({ Tags })
    expect(await refusal(put({ Tags, Overwrite: true }))).toBe('ValidationException')
    await put({ Overwrite: true })
    expect(await tags()).toEqual(Tags)
    await rig.ssm.send(new AddTagsToResourceCommand({ ...of, Tags: [{ Key: 'more', Value: 'y' }] }))
    await rig.ssm.send(new RemoveTagsFromResourceCommand({ ...of, TagKeys: ['lease'] }))
    expect(await tags()).toEqual([{ Key: 'more', Value: 'y' }])
  })

  test('are refused for what is not there', async () => {
    const missing = new ListTagsForResourceCommand({ ...of, ResourceId: '/gpu-actions/nobody' })
    expect(await refusal(rig.ssm.send(missing))).toBe('InvalidResourceId')
  })
})

test('parameters below /gpu-actions/ live until they are deleted; those of others are not counted', async () => {
  const before = rig.cloud.state().living.parameters
  await rig.advance(10)
  for (const Name of ['/gpu-actions/life', '/other/life'])
    await rig.ssm.send(new PutParameterCommand({ Name, Value: 'v', Type: 'String' }))
  expect(rig.cloud.state().living.parameters).toBe(before + 1)
  const Names = ['/gpu-actions/life', '/other/life', '/nobody']
  expect(await rig.ssm.send(new DeleteParametersCommand({ Names }))).toMatchObject({
    DeletedParameters: ['/gpu-actions/life', '/other/life'],
    InvalidParameters: ['/nobody'],
  })
  expect(rig.cloud.state().living.parameters).toBe(before)
})
