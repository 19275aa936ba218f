import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { secret } from '../ids.ts'
import { publicParameter } from '../world/images.ts'
import { epoch, read } from './input.ts'
import { parameterArn, type Parameter } from './model.ts'
import { tagList, tagsOf } from './parameter-tags.ts'

const standardLimit = 4096

const putInput = v.object({
  Name: v.pipe(v.string(), v.minLength(1), v.maxLength(2048), v.regex(/^[\w./-]+$/)),
  Value: v.pipe(v.string(), v.minLength(1)),
  Type: v.optional(v.picklist(['String', 'StringList', 'SecureString'])),
  Overwrite: v.optional(v.boolean()),
  Tags: v.optional(tagList, []),
  Tier: v.optional(v.picklist(['Standard', 'Advanced', 'Intelligent-Tiering'])),
})

/** PutParameter. */
export function putParameter(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Name: name, Value: value, Type, Overwrite, Tags, Tier } = read(putInput, input)
  if (/^\/?(aws|ssm)/i.test(name))
    throw new AwsError('AccessDeniedException', `No access to reserved parameter name: ${name}.`)
  const limit = Tier === undefined || Tier === 'Standard' ? standardLimit : 2 * standardLimit
  if (Buffer.byteLength(value) > limit)
    throw new AwsError(
      'ValidationException',
      `Standard tier parameters support a maximum parameter value of ${limit} characters.`,
    )
  if (Overwrite === true && Tags.length > 0)
    throw new AwsError(
      'ValidationException',
      "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
    )
  const key = `${caller.region}/${name}`
  const earlier = cloud.ssm.parameters.get(key)
  if (earlier !== undefined && Overwrite !== true)
    throw new AwsError(
      'ParameterAlreadyExists',
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    )
  const type = Type ?? earlier?.type
  if (type === undefined)
    throw new AwsError('ValidationException', 'A parameter type is required when you create a parameter.')
  const version = (earlier?.version ?? 0) + 1
  const tags = tagsOf(Tags, earlier?.tags)
  const modified = cloud.clock.now()
  cloud.ssm.parameters.set(key, { name, region: caller.region, type, value, version, modified, tags })
  return { Version: version, Tier: Tier === 'Advanced' ? 'Advanced' : 'Standard' }
}

const find = (cloud: Cloud, caller: Caller, name: string): Parameter | undefined => {
  const value = publicParameter(caller.region, name)
  if (value !== undefined)
    return { name, region: caller.region, type: 'String', value, version: 1, modified: 0, tags: {} }
  const [plainName = name, version] = name.split(':')
  const found = cloud.ssm.parameters.get(`${caller.region}/${plainName}`)
  return version === undefined || found?.version === Number(version) ? found : undefined
}

const view = (parameter: Parameter, isDecrypted: boolean): object => ({
  Name: parameter.name,
  Type: parameter.type,
  // Without decryption the service gives the ciphertext, which nobody can read.
  Value: parameter.type === 'SecureString' && !isDecrypted ? `AQICAH${secret(96)}` : parameter.value,
  Version: parameter.version,
  LastModifiedDate: epoch(parameter.modified),
  ARN: parameterArn(parameter),
  DataType: 'text',
})

/** GetParameter. */
export function getParameter(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Name, WithDecryption } = read(
    v.object({ Name: v.pipe(v.string(), v.minLength(1)), WithDecryption: v.optional(v.boolean()) }),
    input,
  )
  const parameter = find(cloud, caller, Name)
  if (parameter === undefined) throw new AwsError('ParameterNotFound', `Parameter ${Name} not found.`)
  return { Parameter: view(parameter, WithDecryption === true) }
}

/** GetParameters: up to ten; unknown names come back as invalid instead of failing the call. */
export function getParameters(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Names, WithDecryption } = read(
    v.object({
      Names: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(10)),
      WithDecryption: v.optional(v.boolean()),
    }),
    input,
  )
  const found = Names.map(name => ({ name, parameter: find(cloud, caller, name) }))
  return {
    Parameters: found.flatMap(({ parameter }) =>
      parameter === undefined ? [] : [view(parameter, WithDecryption === true)],
    ),
    InvalidParameters: found.flatMap(({ name, parameter }) => (parameter === undefined ? [name] : [])),
  }
}

/** DeleteParameter. */
export function deleteParameter(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Name } = read(v.object({ Name: v.pipe(v.string(), v.minLength(1)) }), input)
  if (!cloud.ssm.parameters.delete(`${caller.region}/${Name}`))
    throw new AwsError('ParameterNotFound', `Parameter ${Name} not found.`)
  return {}
}

/** DeleteParameters: up to ten; unknown names come back as invalid instead of failing the call. */
export function deleteParameters(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Names } = read(v.object({ Names: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(10)) }), input)
  const outcomes = Names.map(name => ({ name, isGone: cloud.ssm.parameters.delete(`${caller.region}/${name}`) }))
  return {
    DeletedParameters: outcomes.flatMap(({ name, isGone }) => (isGone ? [name] : [])),
    InvalidParameters: outcomes.flatMap(({ name, isGone }) => (isGone ? [] : [name])),
  }
}
